// Chooses the way a hash is computed, and pads messages of any length.
#include "sha1.hpp"

#include <algorithm>

#include "sha1_ways.hpp"

namespace uts {
namespace {

void compress(Sha1 way, State& state, const Block& block) noexcept {
  switch (way) {
    case Sha1::kPortable:
      return portable::compress(state, block);
    case Sha1::kInstructions:
      return instructions::compress(state, block);
  }
}

// Block number `index` of the message with its padding: a one bit, zeros, and the length in bits as
// the last 8 bytes.
Block padded_block(std::string_view message, std::size_t index, bool last) {
  Block block{};
  for (std::size_t i = 0; i < 64; ++i) {
    const std::size_t at = index * 64 + i;
    std::uint32_t byte = 0;
    if (at < message.size()) byte = static_cast<unsigned char>(message[at]);
    if (at == message.size()) byte = 0x80;
    block[i / 4] |= byte << (24 - 8 * (i % 4));
  }
  if (last) {
    const std::uint64_t bits = std::uint64_t{message.size()} * 8;
    block[14] = static_cast<std::uint32_t>(bits >> 32);
    block[15] = static_cast<std::uint32_t>(bits);
  }
  return block;
}

}  // namespace

bool available(Sha1 way) noexcept { return way == Sha1::kPortable || instructions::available(); }

Sha1 fastest() noexcept {
  return instructions::available() ? Sha1::kInstructions : Sha1::kPortable;
}

std::string_view name(Sha1 way) noexcept {
  return way == Sha1::kPortable ? "portable C++" : "SHA instructions";
}

State digest(Sha1 way, std::string_view message) {
  State state = kInitialState;
  const std::size_t blocks = (message.size() + 8) / 64 + 1;
  for (std::size_t i = 0; i < blocks; ++i) {
    compress(way, state, padded_block(message, i, i + 1 == blocks));
  }
  return state;
}

void hash_children(Sha1 way, const State& parent, std::uint32_t first, std::span<State> children,
                   std::uint32_t repeat) {
  // The functions below live in other files, so that the compiler cannot see that repeating them is
  // in vain.
  for (std::uint32_t i = 0; i < std::max(repeat, 1u); ++i) {
    switch (way) {
      case Sha1::kPortable:
        portable::hash_children(parent, first, children.data(), children.size());
        break;
      case Sha1::kInstructions:
        instructions::hash_children(parent, first, children.data(), children.size());
        break;
    }
  }
}

}  // namespace uts
