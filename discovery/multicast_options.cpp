// Reading and checking MulticastOptions.
#include "multicast_options.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <pp/error.hpp>

namespace pp::discovery {
namespace {

constexpr int kMostHops = 255, kLastPort = 65535;

[[noreturn]] void refuse(std::string_view part, std::string_view value, const char* expected) {
  std::string shown;
  for (const char c : value.substr(0, 100)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  throw Error("multicast: " + std::string(part) + " '" + shown + "': expected " + expected);
}

int number(std::string_view part, std::string_view text, int limit, const char* expected) {
  int number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size() || number < 1 || number > limit)
    refuse(part, text, expected);
  return number;
}

std::vector<std::string> names(std::string_view text) {
  std::vector<std::string> names;
  for (std::string_view rest = text;;) {
    const std::size_t plus = rest.find('+');
    names.emplace_back(rest.substr(0, plus));
    if (names.back().empty()) refuse("interfaces", text, "names with + between, as in eth0+eth1");
    if (plus == std::string_view::npos) return names;
    rest.remove_prefix(plus + 1);
  }
}

void read_part(std::string_view text, MulticastOptions& options) {
  const std::size_t equals = text.find('=');
  const std::string_view part = text.substr(0, equals);
  if (equals == std::string_view::npos)
    refuse("part", text, "on, or group=, group6=, port=, interfaces=, ttl= with commas between");
  const std::string_view value = text.substr(equals + 1);
  if (part == "group") {
    options.group = value;
  } else if (part == "group6") {
    options.group6 = value;
  } else if (part == "port") {
    options.port =
        static_cast<std::uint16_t>(number(part, value, kLastPort, "a port from 1 to 65535"));
  } else if (part == "interfaces") {
    options.interfaces = names(value);
  } else if (part == "ttl") {
    options.ttl = number(part, value, kMostHops, "a number of hops from 1 to 255");
  } else {
    refuse("part", text, "one of group=, group6=, port=, interfaces=, ttl=");
  }
}

}  // namespace

MulticastOptions MulticastOptions::parse(std::string_view text) {
  MulticastOptions options;
  if (text == "on") return options;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    read_part(rest.substr(0, comma), options);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  check(options);
  return options;
}

void check(const MulticastOptions& options) {
  in_addr v4{};
  if (!options.group.empty() &&
      (inet_pton(AF_INET, options.group.c_str(), &v4) != 1 || !IN_MULTICAST(ntohl(v4.s_addr))))
    refuse("group", options.group, "an IPv4 multicast group, as in 239.255.77.80, or nothing");
  in6_addr v6{};
  if (!options.group6.empty() &&
      (inet_pton(AF_INET6, options.group6.c_str(), &v6) != 1 || !IN6_IS_ADDR_MULTICAST(&v6)))
    refuse("group6", options.group6, "an IPv6 multicast group, as in ff02::7070, or nothing");
  if (options.group.empty() && options.group6.empty())
    refuse("group", "", "an IPv4 group, or an IPv6 group in group6");
  if (options.port == 0) refuse("port", "0", "a port from 1 to 65535");
  if (options.ttl < 1 || options.ttl > kMostHops)
    refuse("ttl", std::to_string(options.ttl), "a number of hops from 1 to 255");
}

}  // namespace pp::discovery
