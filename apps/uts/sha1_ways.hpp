// The two implementations of SHA-1 behind sha1.hpp, for the file that chooses between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sha1.hpp"

namespace uts {

// One 64-byte block of a message as sixteen big-endian numbers.
using Block = std::array<std::uint32_t, 16>;

inline constexpr State kInitialState{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

// parent || BE32(i) is 24 bytes: with its padding one block, of which only six numbers ever change.
// This is it for i = 0.
inline constexpr std::size_t kIndexOfChild = 5;
constexpr Block child_block(const State& parent) {
  return {parent[0], parent[1], parent[2], parent[3], parent[4], 0, 0x80000000, 0,
          0,         0,         0,         0,         0,         0, 0,          24 * 8};
}

namespace portable {
// Mixes one block into the state.
void compress(State& state, const Block& block) noexcept;
void hash_children(const State& parent, std::uint32_t first, State* children,
                   std::size_t count) noexcept;
}  // namespace portable

namespace instructions {
bool available() noexcept;
// REQUIRES (both): available().
void compress(State& state, const Block& block) noexcept;
void hash_children(const State& parent, std::uint32_t first, State* children,
                   std::size_t count) noexcept;
}  // namespace instructions

}  // namespace uts
