// The names of the states of a member.
#include <pp/member.hpp>

namespace pp {

std::string_view to_string(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return "alive";
    case MemberState::kSuspect:
      return "suspected";
    case MemberState::kSilent:
      return "silent";
    case MemberState::kGone:
      return "gone";
    case MemberState::kLeft:
      return "left";
  }
  return "unknown";
}

}  // namespace pp
