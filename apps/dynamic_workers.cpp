// dynamic_workers: the same 64 jobs with 1, 2, 4, 8, 16 workers and with 1 again, in one run.
//
//   dynamic_workers                      alone, on every core of this machine
//   pp-launch -n 2 -- ./dynamic_workers  two nodes; it is the first one's workers that change
//
// It prints a line for each number of workers, with the time it took:
//   " 1 workers: partial sum 0.693147205559988, 22 ms"
// The sum is the same to its last digit, since the parts are added in order. More workers than
// cores gain nothing; where an idle second node steals, even the first line is fast.
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <pp/pp.hpp>
#include <vector>

// A job: 1 - 1/2 + 1/3 - 1/4 ..., from the first number to the one before the last.
double part_sum(int first, int last) {
  double sum = 0;
  for (int n = first; n < last; ++n) sum += (n % 2 == 0 ? -1.0 : 1.0) / n;
  return sum;
}

double logarithm_of_2(pp::Runtime& rt) {
  constexpr int kEnd = 20'000'000;
  constexpr int kStep = kEnd / 64;
  std::vector<pp::Future<double>> parts;
  for (int first = 1; first < kEnd; first += kStep) {
    parts.push_back(rt.submit<part_sum>(first, std::min(first + kStep, kEnd)));
  }
  double sum = 0;
  for (auto& part : parts) sum += part.get();
  return sum;
}

int main(int argc, char** argv) {
  if (argc > 1) return std::cerr << argv[0] << ": takes no arguments\n", 2;
  return pp::run(argc, argv, [](pp::Runtime& rt) {
    for (const unsigned workers : {1u, 2u, 4u, 8u, 16u, 1u}) {
      rt.set_workers(workers);
      const auto begin = std::chrono::steady_clock::now();
      const double sum = logarithm_of_2(rt);
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - begin;
      std::cout << std::setw(2) << rt.workers() << " workers: partial sum " << std::setprecision(16)
                << sum << ", " << std::setprecision(3) << took.count() << " ms\n";
    }
  });
}
