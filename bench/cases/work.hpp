// Work: jobs that only take time, and a bag of them with a few that take a thousand times longer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pp::bench {

// So many steps, each of which needs the one before. It counts steps and not time: who shares a
// core needs longer for the same work. One function, at one place, for all who are compared: in a
// copy of it that lies otherwise each step takes up to a twentieth longer.
[[gnu::noinline, gnu::aligned(64)]] inline std::uint64_t burn(std::uint64_t steps) {
  std::uint64_t state = steps | 1;
  for (std::uint64_t i = 0; i < steps; ++i) {
    state ^= state >> 29;
    state *= 0xbf58476d1ce4e5b9u;
  }
  return state;
}

// Steps in a microsecond on a core that does nothing else: the fastest of many tries.
inline double steps_per_microsecond() {
  constexpr std::uint64_t kSteps = 20'000;
  [[maybe_unused]] static volatile std::uint64_t sink;
  double best = 0;
  for (int i = 0; i < 200; ++i) {
    const auto start = std::chrono::steady_clock::now();
    sink = burn(kSteps);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(kSteps) / took.count());
  }
  return best;
}

// Lengths in microseconds, Pareto-distributed from 10 us to 10 ms with a mean of about 58 us: the
// same bag every time.
inline std::vector<double> skewed_bag(std::size_t count) {
  constexpr double kLow = 10, kHigh = 10'000, kAlpha = 1.08;
  std::vector<double> bag;
  std::uint64_t state = 12345;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double u = static_cast<double>(state >> 11) / 9007199254740992.0;
    const double tail = 1 - u * (1 - std::pow(kLow / kHigh, kAlpha));
    bag.push_back(kLow * std::pow(tail, -1 / kAlpha));
  }
  return bag;
}

// The jobs of Parallel Python's first example.
inline constexpr std::uint64_t kPrimeLimits[] = {100'000, 100'100, 100'200, 100'300,
                                                 100'400, 100'500, 100'600, 100'700};
inline constexpr std::uint64_t kPrimeSums[] = {454396537, 454996777, 455898156, 456700218,
                                               457603451, 458407033, 459412387, 460217613};

// The sum of the primes below a limit.
inline std::uint64_t sum_primes(std::uint64_t limit) {
  std::uint64_t sum = 0;
  for (std::uint64_t n = 2, divisor = 2; n < limit; ++n, divisor = 2) {
    while (divisor * divisor <= n && n % divisor != 0) ++divisor;
    if (divisor * divisor > n) sum += n;
  }
  return sum;
}

}  // namespace pp::bench
