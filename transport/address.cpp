// Reading and writing an Address: host:port or [v6]:port.
#include <algorithm>
#include <charconv>
#include <pp/address.hpp>
#include <pp/error.hpp>

namespace pp {
namespace {

constexpr std::size_t kLongestHost = 253;  // RFC 1035, as text

bool is_name_or_ipv4(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// An IPv6 address with a scope is written [fe80::1%eth0].
bool is_ipv6(char c) { return is_name_or_ipv4(c) || c == ':' || c == '%'; }

[[noreturn]] void refuse(std::string_view text, const char* why) {
  std::string shown;
  for (const char c : text.substr(0, 100)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  throw Error("'" + shown + "' is not an address: " + why +
              "; expected host:port, for example node1:7001, 10.0.0.1:7001 or [fd00::1]:7001");
}

}  // namespace

Address Address::parse(std::string_view text) {
  std::string_view host;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) refuse(text, "'[' is not closed");
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.starts_with(':')) refuse(text, "the port is missing");
    port = rest.substr(1);
    if (host.find(':') == std::string_view::npos) refuse(text, "brackets are for IPv6 only");
    if (!std::all_of(host.begin(), host.end(), is_ipv6)) refuse(text, "the host is malformed");
  } else {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) refuse(text, "the port is missing");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.find(':') != std::string_view::npos) refuse(text, "an IPv6 host needs brackets");
    if (!std::all_of(host.begin(), host.end(), is_name_or_ipv4)) {
      refuse(text, "the host is malformed");
    }
  }
  if (host.empty()) refuse(text, "the host is missing");
  if (host.size() > kLongestHost) refuse(text, "the host is too long");
  Address address{std::string(host), 0};
  const auto [end, fault] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || fault != std::errc{} || end != port.data() + port.size()) {
    refuse(text, "the port is not a number from 0 to 65535");
  }
  return address;
}

std::vector<Address> Address::parse_list(std::string_view text) {
  std::vector<Address> addresses;
  if (text.empty()) return addresses;
  while (true) {
    const std::size_t comma = text.find(',');
    addresses.push_back(parse(text.substr(0, comma)));
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

std::string Address::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace pp
