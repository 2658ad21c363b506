// Address: where a node can be dialled, as people write it: host:port or [v6]:port.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

struct Address {
  std::string host;         // a name, an IPv4 or an IPv6 address (without brackets)
  std::uint16_t port = 0;   // 0 where a port may still be chosen

  // Reads "host:port", "[v6]:port". Throws pp::Error with the text and the expected form.
  static Address parse(std::string_view text);
  // Reads a comma-separated list; empty entries are refused. An empty text is an empty list.
  static std::vector<Address> parse_list(std::string_view text);

  // As parse() reads it.
  std::string to_string() const;

  friend auto operator<=>(const Address&, const Address&) = default;
};

}  // namespace pp

#pragma GCC visibility pop
