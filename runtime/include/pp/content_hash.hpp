// ContentHash: the name of a string of bytes: who has one of this name has the same bytes.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::runtime {

// 256 bits of BLAKE2b over a tree of two levels, so that several leaves can be hashed side by side:
// the bytes are cut into leaves of kLeafBytes (the last may be shorter; no bytes have no leaf), and
// the hash is that of all the leaves' hashes, under a key of its own and with the number of bytes
// in front.
struct ContentHash {
  std::array<std::uint8_t, 32> bytes{};

  friend auto operator<=>(const ContentHash&, const ContentHash&) = default;
};

// Takes bytes a part at a time. One thread.
class ContentHasher {
 public:
  static constexpr std::size_t kLeafBytes = 8 * 1024;

  // Parts of a multiple of 8 * kLeafBytes are taken without a copy, and fastest.
  void add(std::span<const std::byte> part);
  // So much will be added: no memory is asked for meanwhile, if that comes in whole leaves.
  void expect(std::size_t bytes);
  // Takes over what `next` was given, as if it had been added here. REQUIRES: only whole leaves
  // were added here.
  void append(ContentHasher&& next);
  // Of all that was added. Nothing is added afterwards.
  ContentHash finish();

 private:
  void leaf(std::span<const std::byte> bytes);

  std::uint64_t size_ = 0;
  std::vector<std::byte> begun_;      // of a leaf that is not complete
  std::vector<std::uint8_t> leaves_;  // 32 bytes each
};

// Of much, by a few threads for the moment: whoever asks waits, and the courier does.
ContentHash content_hash(std::span<const std::byte> bytes);

}  // namespace pp::runtime

#pragma GCC visibility pop
