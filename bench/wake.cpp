// wake: how long an idle cluster takes from a submit to the first stolen job's result.
//
//   pp-launch -n 8 --workers 1 -- build/release/bench/wake [ROUNDS]      default: 50
//
// Everybody sleeps between the rounds; the job may not run where it was submitted.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <pp/pp.hpp>
#include <thread>
#include <vector>

namespace {

int nothing(int n) { return n; }

double percentile(const std::vector<double>& sorted, double part) {
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 50;
  return pp::run(argc, argv, [rounds](pp::Runtime& rt) {
    using Clock = std::chrono::steady_clock;
    if (rounds < 1 || rt.nodes().empty()) {
      std::fprintf(stderr, "wake: needs a round and another node; see its first lines\n");
      return 2;
    }
    std::vector<double> microseconds;
    for (int i = 0; i < rounds; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      const Clock::time_point start = Clock::now();
      rt.submit<nothing>(pp::JobOptions{.where = pp::Where::not_here()}, i).get();
      microseconds.push_back(
          std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
    std::sort(microseconds.begin(), microseconds.end());
    std::printf("%zu nodes, %d rounds: median %.0f us, 90 %% %.0f us, largest %.0f us\n",
                rt.nodes().size() + 1, rounds, percentile(microseconds, 0.5),
                percentile(microseconds, 0.9), microseconds.back());
    return 0;
  });
}
