// watched: maps over a cluster for some seconds, to be run with and without being watched.
//
//   pp-launch -n 2 --workers 1 -- build/release/bench/watched [SECONDS] [STEPS]
//
// An element takes some two nanoseconds a step. Prints elements per second; watched.sh makes pairs
// of such runs. Default: 3 seconds, 1000 steps.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <pp/pp.hpp>
#include <utility>
#include <vector>

namespace {

constexpr std::uint64_t kMostSteps = 0xfffff;

// Seed and steps in one number, so that an element is one argument.
std::uint64_t element(std::uint64_t packed) {
  std::uint64_t seed = packed >> 20;
  for (std::uint64_t i = packed & kMostSteps; i > 0; --i)
    seed = seed * 6364136223846793005u + (seed >> 33) + 1;
  return seed;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 3;
  const std::uint64_t steps = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000;
  return pp::run(argc, argv, [seconds, steps](pp::Runtime& rt) {
    using Clock = std::chrono::steady_clock;
    if (seconds <= 0 || steps == 0 || steps > kMostSteps) {
      std::fprintf(stderr, "watched: expected seconds, and 1 to 1048575 steps\n");
      return 2;
    }
    const std::uint64_t elements = 200'000'000 / steps;  // some tenths of a second
    const auto round = [&rt, elements, steps] {
      std::vector<std::uint64_t> packed(elements);
      for (std::uint64_t i = 0; i < elements; ++i) packed[i] = i << 20 | steps;
      rt.map<element>(std::move(packed)).get();
    };
    round();  // who is there has met everybody, and knows the pace
    std::uint64_t done = 0;
    const Clock::time_point start = Clock::now();
    double passed = 0;
    do {
      round();
      done += elements;
      passed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (passed < seconds);
    std::printf("%.0f\n", static_cast<double>(done) / passed);
    return 0;
  });
}
