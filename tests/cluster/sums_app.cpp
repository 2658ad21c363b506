// sums_app: a program that takes its time, and writes down what it computes.
//
//   sums_app N MS FILE    the squares of 0 ... N-1, once by a map and once by a reduction
//
// Each takes MS milliseconds and adds a byte to FILE. It prints "sums A B", which are equal.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <pp/pp.hpp>
#include <ranges>
#include <string>
#include <thread>

namespace sums {

// A job. Files that are opened to append grow by whole writes, whoever else writes.
std::uint64_t square(std::uint64_t n, int milliseconds, const std::string& file) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const bool written = ::write(descriptor, "x", 1) == 1;
  ::close(descriptor);
  return written ? n * n : 0;
}

void both(pp::Runtime& rt, std::uint64_t count, int milliseconds, const std::string& file) {
  const auto numbers = std::views::iota(std::uint64_t{0}, count);
  std::uint64_t sum = 0;
  for (const std::uint64_t one : rt.map<square>(numbers, milliseconds, file).get()) sum += one;
  const std::uint64_t again =
      rt.map_reduce<square, std::plus<>{}>(numbers, std::uint64_t{0}, milliseconds, file).get();
  std::cout << "sums " << sum << ' ' << again << '\n';
  rt.print_stats(std::cout);
}

}  // namespace sums

int main(int argc, char** argv) {
  return pp::run(argc, argv, [&](pp::Runtime& rt) {
    if (argc != 4) {
      std::cerr << "sums_app: N MS FILE\n";
      return 2;
    }
    sums::both(rt, std::strtoull(argv[1], nullptr, 10), std::atoi(argv[2]), argv[3]);
    return 0;
  });
}
