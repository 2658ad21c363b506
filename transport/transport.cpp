// Transport: the names of its reasons, and what every implementation may do in the same way.
#include <pp/transport.hpp>
#include <vector>

namespace pp::transport {

bool Transport::send_enclosing(SessionId session, std::span<const std::byte> head,
                               std::shared_ptr<const Enclosure> enclosed) {
  std::vector<std::byte> message;
  message.reserve((head.size() + enclosed->bytes.size() + 7) / 8 * 8);
  message.insert(message.end(), head.begin(), head.end());
  message.insert(message.end(), enclosed->bytes.begin(), enclosed->bytes.end());
  message.resize((message.size() + 7) / 8 * 8);
  return send(session, message);
}

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
