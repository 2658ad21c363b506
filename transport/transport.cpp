// The names of the reasons why sessions end and strangers are refused.
#include <pp/transport.hpp>

namespace pp::transport {

std::string_view to_string(DownReason reason) {
  switch (reason) {
    case DownReason::kClosed:
      return "closed";
    case DownReason::kGoodbye:
      return "goodbye";
    case DownReason::kSilent:
      return "silent";
    case DownReason::kReplaced:
      return "replaced";
    case DownReason::kViolation:
      return "violation";
    case DownReason::kFabric:
      return "fabric failed";
    case DownReason::kHungUp:
      return "hung up";
  }
  return "unknown";
}

std::string_view to_string(DialFailure failure) {
  switch (failure) {
    case DialFailure::kRefused:
      return "refused";
    case DialFailure::kNoAnswer:
      return "no answer";
    case DialFailure::kUnreachable:
      return "unreachable";
  }
  return "unknown";
}

std::string_view to_string(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kWrongKey:
      return "wrong key";
    case RefusalReason::kVersion:
      return "other version";
    case RefusalReason::kFunctionTable:
      return "other function table";
    case RefusalReason::kLaunch:
      return "other launch";
    case RefusalReason::kSelf:
      return "self";
    case RefusalReason::kDuplicate:
      return "duplicate";
    case RefusalReason::kGarbage:
      return "garbage";
    case RefusalReason::kTooMany:
      return "too many";
    case RefusalReason::kTimeout:
      return "timeout";
    case RefusalReason::kFlood:
      return "flood";
    case RefusalReason::kFabric:
      return "fabric";
  }
  return "unknown";
}

}  // namespace pp::transport
