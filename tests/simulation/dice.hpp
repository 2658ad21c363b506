// Dice: the random numbers of a simulation; one seed, one sequence, the same everywhere.
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <pp/node_id.hpp>

namespace pp::simulation {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = std::chrono::nanoseconds;

// A bijection that mixes all bits (the finisher of SplitMix64).
constexpr std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// A value: a copy goes on with the same numbers.
class Dice {
 public:
  explicit constexpr Dice(std::uint64_t seed) : state_(mixed(seed ^ 0x5851f42d4c957f2d)) {}

  constexpr std::uint64_t roll() { return mixed(state_ += 0x9e3779b97f4a7c15); }
  // 0 to n - 1. REQUIRES: n > 0.
  constexpr std::uint64_t below(std::uint64_t n) { return roll() % n; }
  constexpr std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + below(most - least + 1);
  }
  constexpr Duration between(Duration least, Duration most) {
    return Duration(static_cast<Duration::rep>(between(static_cast<std::uint64_t>(least.count()),
                                                       static_cast<std::uint64_t>(most.count()))));
  }
  constexpr double unit() { return static_cast<double>(roll() >> 11) * 0x1.0p-53; }
  constexpr bool chance(double probability) { return unit() < probability; }
  Duration exponential(Duration mean) {
    const double drawn = -std::log(1 - unit()) * static_cast<double>(mean.count());
    return Duration(static_cast<Duration::rep>(drawn) + 1);
  }
  // Every order of magnitude is as likely.
  Duration any_scale(Duration least, Duration most) {
    const double ratio = static_cast<double>(most.count()) / static_cast<double>(least.count());
    return Duration(
        static_cast<Duration::rep>(static_cast<double>(least.count()) * std::pow(ratio, unit())));
  }
  NodeId node_id() {
    NodeId id;
    for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(roll());
    return id;
  }

 private:
  std::uint64_t state_;
};

}  // namespace pp::simulation
