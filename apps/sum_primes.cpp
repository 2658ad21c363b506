// sum_primes: the sums of all primes below nine numbers, each a job, in order. Parallel Python's
// first example.
//
//   sum_primes                      alone, on every core of this machine
//   pp-launch -n 2 -- ./sum_primes  two nodes; the second one steals
//
// It prints "Sum of primes below 100 is 1060", eight more such lines, and who has run how many of
// the jobs.
#include <iostream>
#include <map>
#include <pp/pp.hpp>

// A job is any function that takes and returns values.
std::uint64_t sum_primes(std::uint64_t limit) {
  std::uint64_t sum = 0;
  for (std::uint64_t n = 2, divisor = 2; n < limit; ++n, divisor = 2) {
    while (divisor * divisor <= n && n % divisor != 0) ++divisor;
    if (divisor * divisor > n) sum += n;
  }
  return sum;
}

int main(int argc, char** argv) {
  if (argc > 1) return std::cerr << argv[0] << ": takes no arguments\n", 2;
  return pp::run(argc, argv, [](pp::Runtime& rt) {
    std::map<int, pp::Future<std::uint64_t>> sums;
    for (int n = 100; n <= 100700; n += n < 1000 ? 99900 : 100) sums[n] = rt.submit<sum_primes>(n);
    for (auto& [n, s] : sums) std::cout << "Sum of primes below " << n << " is " << s.get() << '\n';
    rt.print_stats(std::cout);
  });
}
