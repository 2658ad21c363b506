// callback: the logarithm of 2 from 128 parts of its series, which callbacks add up as they come.
//
//   callback                      alone, on every core of this machine
//   pp-launch -n 2 -- ./callback  two nodes; the callbacks run on the first one, where the sum is
//
// It prints "Partial sum of 128 parts is 0.69314720556", and how far that is from the logarithm.
// In which order the parts are added changes the digits after these from run to run.
#include <atomic>
#include <cmath>
#include <iostream>
#include <pp/pp.hpp>
#include <vector>

// A job: 1 - 1/2 + 1/3 - 1/4 ..., from the first number to the one before the last.
double part_sum(int first, int last) {
  double sum = 0;
  for (int n = first; n < last; ++n) sum += (n % 2 == 0 ? -1.0 : 1.0) / n;
  return sum;
}

int main(int argc, char** argv) {
  if (argc > 1) return std::cerr << argv[0] << ": takes no arguments\n", 2;
  return pp::run(argc, argv, [](pp::Runtime& rt) {
    constexpr int kEnd = 20'000'000;
    constexpr int kStep = kEnd / 128;
    std::atomic<double> sum = 0;  // callbacks run on every worker of this node
    std::atomic<int> parts = 0;
    std::vector<pp::Future<void>> added;
    for (int first = 1; first < kEnd; first += kStep) {
      const int last = std::min(first + kStep, kEnd);
      added.push_back(rt.submit<part_sum>(first, last).then([&](double part) {
        sum += part;
        ++parts;
      }));
    }
    pp::wait_all(added);
    std::cout.precision(12);
    std::cout << "Partial sum of " << parts << " parts is " << sum;
    std::cout.precision(3);
    std::cout << ", off by " << sum - std::log(2.0) << '\n';
  });
}
