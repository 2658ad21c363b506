// Bag: jobs that only take time, whoever runs them, and what is asked about them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "arguments.hpp"
#include "places.hpp"

namespace pp::bench {

struct Bag {
  std::vector<std::uint64_t> jobs;  // steps of burn(), or limits of sum_primes()
  bool primes = false;

  std::uint64_t run(std::uint64_t job) const;
  // One after the other by this thread, in seconds.
  double alone() const;
  // Throws pp::Error when a result is not the known one.
  void check(std::uint64_t job, std::uint64_t result) const;
};

// Seconds that a runtime takes for all jobs of a bag.
using Engine = std::function<double(const Bag&)>;

// A question: gives an engine bags and emits what came out.
using BagTest = void (*)(const Arguments&, const Place&, const Engine&);
void skew_test(const Arguments& arguments, const Place& place, const Engine& engine);
void primes_test(const Arguments& arguments, const Place& place, const Engine& engine);
void grain_test(const Arguments& arguments, const Place& place, const Engine& engine);

}  // namespace pp::bench
