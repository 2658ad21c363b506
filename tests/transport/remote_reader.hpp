// Reading what a Pair's right side exposes, from its left, piece by piece.
#pragma once

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "fabric_pair.hpp"

namespace pp::transport::testing {

inline std::vector<std::byte> some_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::mt19937_64 random(count);
  for (std::byte& each : bytes) each = static_cast<std::byte>(random());
  return bytes;
}

// All of it; fewer bytes when something failed. `meanwhile` is called in between.
inline std::vector<std::byte> read_all(
    Pair& pair, const RemoteMemory& from, std::size_t piece,
    const std::function<void()>& meanwhile = [] {}) {
  std::vector<std::byte> all(from.bytes);
  std::size_t asked = 0, got = 0;
  pair.at_left.piece = [&](std::uint64_t at, std::span<std::byte> bytes) {
    std::copy(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(at));
    got += bytes.size();
  };
  const bool done = pair.until([&] {
    meanwhile();
    while (asked < all.size()) {
      const std::size_t size = std::min(piece, all.size() - asked);
      if (pair.left.read(pair.to_right, from.piece(asked, size), asked) != Fabric::Sent::kSent)
        break;
      asked += size;
    }
    return got == all.size() || !pair.at_left.failed_reads.empty();
  });
  pair.at_left.piece = [](auto, auto) {};
  if (!done || got != all.size()) {
    ADD_FAILURE() << got << " of " << all.size() << " bytes; "
                  << (pair.at_left.failed_reads.empty() ? "nothing failed"
                                                        : pair.at_left.failed_reads[0].second);
    all.resize(got);
  }
  return all;
}

}  // namespace pp::transport::testing
