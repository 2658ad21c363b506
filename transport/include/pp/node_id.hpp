// NodeId: the name of one process life, 128 random bits.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#pragma GCC visibility push(default)

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

  friend bool operator==(const NodeId&, const NodeId&) = default;
  // As the bytes compare; two words at a time, because maps of thousands of nodes do little else.
  friend std::strong_ordering operator<=>(const NodeId& a, const NodeId& b) noexcept {
    const std::strong_ordering first = a.word(0) <=> b.word(0);
    return first != 0 ? first : a.word(8) <=> b.word(8);
  }

 private:
  std::uint64_t word(std::size_t from) const noexcept {
    std::uint64_t word = 0;
    for (std::size_t i = from; i < from + 8; ++i) word = word << 8 | bytes[i];
    return word;
  }
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

#pragma GCC visibility pop
