// NodeId: the name of one process life, 128 random bits.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace pp {

// A value: compares, copies, prints. A process draws one when its runtime starts and keeps it until it
// ends; the same machine restarted is another NodeId, so an old rumour never names a new process.
struct NodeId {
  std::array<std::uint8_t, 16> bytes{};  // random; all zero: no node

  // Draws a fresh id from the system's random source.
  static NodeId random();

  // The first 8 hexadecimal digits: enough for people.
  std::string short_name() const;
  // All 32 hexadecimal digits.
  std::string to_string() const;

  friend auto operator<=>(const NodeId&, const NodeId&) = default;
};

}  // namespace pp

template <>
struct std::hash<pp::NodeId> {
  std::size_t operator()(const pp::NodeId& id) const noexcept {
    std::size_t h = 0;  // the bits are random already: any eight bytes of them are a hash
    for (std::size_t i = 0; i < sizeof h; ++i) h = h << 8 | id.bytes[i];
    return h;
  }
};
