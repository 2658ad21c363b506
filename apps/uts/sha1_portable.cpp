// SHA-1's compression function in plain C++ (FIPS 180-4, section 6.1.2), unrolled.
#include <bit>
#include <cstddef>
#include <utility>

#include "sha1_ways.hpp"

namespace uts::portable {
namespace {

struct Registers {
  std::uint32_t a, b, c, d, e;
};

// Round T. The sixteen newest words of the message schedule live in `w`; T is a constant, so every
// index is one too and the compiler keeps words in registers and forgets those that are known to be
// zero.
template <std::size_t T>
[[gnu::always_inline]] inline void round(Registers& r, Block& w) {
  if constexpr (T >= 16) {
    w[T % 16] =
        std::rotl(w[(T - 3) % 16] ^ w[(T - 8) % 16] ^ w[(T - 14) % 16] ^ w[(T - 16) % 16], 1);
  }
  std::uint32_t mixed = w[T % 16] + r.e + std::rotl(r.a, 5);
  if constexpr (T < 20) {
    mixed += (r.d ^ (r.b & (r.c ^ r.d))) + 0x5a827999;
  } else if constexpr (T < 40) {
    mixed += (r.b ^ r.c ^ r.d) + 0x6ed9eba1;
  } else if constexpr (T < 60) {
    mixed += (r.b & r.c) + (r.d & (r.b ^ r.c)) + 0x8f1bbcdc;
  } else {
    mixed += (r.b ^ r.c ^ r.d) + 0xca62c1d6;
  }
  r = {mixed, r.a, std::rotl(r.b, 30), r.c, r.d};
}

template <std::size_t... T>
[[gnu::always_inline]] inline void rounds(Registers& r, Block& w, std::index_sequence<T...>) {
  (round<T>(r, w), ...);
}

[[gnu::always_inline]] inline void mix(State& state, Block w) {
  Registers r{state[0], state[1], state[2], state[3], state[4]};
  rounds(r, w, std::make_index_sequence<80>{});
  state = {state[0] + r.a, state[1] + r.b, state[2] + r.c, state[3] + r.d, state[4] + r.e};
}

}  // namespace

void compress(State& state, const Block& block) noexcept { mix(state, block); }

void hash_children(const State& parent, std::uint32_t first, State* children,
                   std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    Block block = child_block(parent);
    block[kIndexOfChild] = first + static_cast<std::uint32_t>(i);
    State state = kInitialState;
    mix(state, block);
    children[i] = state;
  }
}

}  // namespace uts::portable
