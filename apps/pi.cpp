// pi: Monte Carlo with reproducible digits. Jobs throw darts at a square and count those within the
// circle. Each has a random generator of its own, seeded by what the job is and not by who runs it.
//
//   pi                      alone, on every core of this machine
//   pi 1000000000           with a thousand million darts instead of fifty million
//   pp-launch -n 4 -- ./pi  four nodes: the same digits
//   PP_SEED=1 pi            other darts
//
// It prints "pi is about 3.14... after 50000000 darts", the same digits on any number of cores and
// nodes; 2 is the exit code after a mistake on the command line.
#include <charconv>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iostream>
#include <optional>
#include <pp/pp.hpp>
#include <ranges>

constexpr std::uint64_t kDartsOfOneJob = 100'000;

// A job: how many of its darts hit. What it is told, its number, it does not need: that the numbers
// it draws differ from those of its neighbours is the runtime's business.
std::uint64_t hits(std::uint64_t) {
  pp::Random& random = pp::this_job().random();
  std::uint64_t within = 0;
  for (std::uint64_t dart = 0; dart < kDartsOfOneJob; ++dart) {
    const double x = random.uniform();
    const double y = random.uniform();
    within += x * x + y * y < 1;
  }
  return within;
}

std::optional<std::uint64_t> read_darts(int argc, char** argv) {
  if (argc == 1) return 50'000'000;
  const char* end = argv[1] + std::strlen(argv[1]);
  std::uint64_t darts = 0;
  const auto [stopped, error] = std::from_chars(argv[1], end, darts);
  if (argc > 2 || error != std::errc{} || stopped != end) return std::nullopt;
  if (darts == 0 || darts % kDartsOfOneJob != 0) return std::nullopt;
  return darts;
}

int main(int argc, char** argv) {
  const std::optional<std::uint64_t> darts = read_darts(argc, argv);
  if (!darts) {
    std::cerr << "pi: how many darts? A multiple of " << kDartsOfOneJob
              << ", for example: pi 1000000\n";
    return 2;
  }
  return pp::run(argc, argv, [darts = *darts](pp::Runtime& rt) {
    const auto jobs = std::views::iota(std::uint64_t{0}, darts / kDartsOfOneJob);
    const auto within = rt.map_reduce<hits, std::plus<>{}>(jobs, std::uint64_t{0}).get();
    std::cout.precision(10);
    std::cout << "pi is about " << 4.0 * static_cast<double>(within) / static_cast<double>(darts)
              << " after " << darts << " darts\n";
  });
}
