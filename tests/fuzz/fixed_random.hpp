// FixedRandom: libsodium's random numbers, the same in every run, so that an input is one story.
#pragma once

#include <sodium.h>

#include <cstddef>
#include <cstdint>

namespace pp::fuzz {

// Starts the sequence anew, for the whole program. For tests only: keys made from it are known.
inline void fix_random() {
  static std::uint64_t state;
  static randombytes_implementation fixed{
      [] { return "fixed"; },
      [] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<std::uint32_t>(state >> 32);
      },
      nullptr,
      nullptr,
      [](void* to, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i)
          static_cast<unsigned char*>(to)[i] = static_cast<unsigned char>(fixed.random());
      },
      nullptr};
  state = 1;
  randombytes_set_implementation(&fixed);
}

}  // namespace pp::fuzz
