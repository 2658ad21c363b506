// prepared: the sums of primes once more, by a call that was prepared: the function and its options
// are said once, and then it is called like any other. Parallel Python's Template.
//
//   prepared                      alone, on every core of this machine
//   pp-launch -n 2 -- ./prepared  two nodes
//
// It prints "Sum of primes below 100 is 1060" and eight more such lines.
#include <cstdint>
#include <iostream>
#include <map>
#include <pp/pp.hpp>

// Looks for a divisor of n among the odd numbers.
bool is_prime(std::uint64_t n) {
  std::uint64_t divisor = 3;
  while (divisor * divisor <= n && n % divisor != 0) divisor += 2;
  return n == 2 || (n > 2 && n % 2 != 0 && divisor * divisor > n);
}

std::uint64_t sum_primes(std::uint64_t limit) {
  std::uint64_t sum = 0;
  for (std::uint64_t n = 2; n < limit; ++n) sum += is_prime(n) ? n : 0;
  return sum;
}

int main(int argc, char** argv) {
  if (argc > 1) return std::cerr << argv[0] << ": takes no arguments\n", 2;
  return pp::run(argc, argv, [](pp::Runtime& rt) {
    const auto sum = rt.prepared<sum_primes>({.timeout = std::chrono::minutes(1), .label = "sum"});
    std::map<int, pp::Future<std::uint64_t>> sums;
    for (int n = 100; n <= 100700; n += n < 1000 ? 99900 : 100) sums[n] = sum(n);
    for (auto& [n, s] : sums) std::cout << "Sum of primes below " << n << " is " << s.get() << '\n';
  });
}
