// Random: numbers that are the same wherever and whenever a job runs.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#pragma GCC visibility push(default)

namespace pp {

// A generator of 64-bit numbers: xoshiro256++ (Blackman and Vigna, Scrambled linear pseudorandom
// number generators, ACM TOMS 2021), seeded by SplitMix64. Period 2^256 - 1; not for cryptography.
// A value: copies go on independently with the same numbers. Fits the distributions of <random>;
// their results differ between standard libraries, those of the members here do not.
class Random {
 public:
  // As the distributions of <random> want it.
  using result_type = std::uint64_t;

  // The same seed, the same numbers.
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      word = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
      word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
      word ^= word >> 31;
    }
  }

  // The least and the greatest number that may be drawn.
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  // The next number, each as likely as any other.
  result_type operator()() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // In [0, 1): one of the 2^53 multiples of 2^-53.
  double uniform() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

  // In [0, n), each equally likely. REQUIRES: n > 0.
  std::uint64_t below(std::uint64_t n) {
    // What exceeds the last whole multiple of n is drawn again.
    const std::uint64_t too_large = max() - max() % n;
    for (;;) {
      if (const std::uint64_t drawn = (*this)(); drawn < too_large) return drawn % n;
    }
  }

 private:
  static std::uint64_t rotate(std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

  std::array<std::uint64_t, 4> state_;
};

}  // namespace pp

#pragma GCC visibility pop
