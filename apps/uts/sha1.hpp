// SHA-1 as the tree search needs it: the hashes of a node's children, by the fastest way this
// processor has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace uts {

// The 20 bytes of a SHA-1 digest as five numbers: state[0] holds the first four bytes, big end
// first.
using State = std::array<std::uint32_t, 5>;

// How a hash is computed; both give the same digests.
enum class Sha1 : std::uint8_t {
  kPortable,      // plain C++, any processor
  kInstructions,  // the SHA instructions of x86 processors, two children at a time
};

// Whether this processor can compute hashes in that way.
bool available(Sha1 way) noexcept;

// The fastest way available on this processor.
Sha1 fastest() noexcept;

// "portable C++" or "SHA instructions".
std::string_view name(Sha1 way) noexcept;

// The digest of any message (FIPS 180-4).
// REQUIRES: available(way).
State digest(Sha1 way, std::string_view message);

// Writes child(i) = SHA1(parent || BE32(i)) for i = first .. first + children.size() - 1. `repeat`
// computes each hash that many times, which changes the cost and nothing else. REQUIRES:
// available(way).
void hash_children(Sha1 way, const State& parent, std::uint32_t first, std::span<State> children,
                   std::uint32_t repeat = 1);

}  // namespace uts
