// Subprocess: one measured program, from its start to its end or its limit.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace pp::bench {

struct Outcome {
  bool good = false;    // it ended by itself with code 0
  std::string printed;  // its standard output
  std::string why;      // of one that is not good: how it ended, and its last words on stderr
};

// What PP_BENCH_STARTED says to a program that measures its own start: this clock, in nanoseconds.
inline constexpr char kStarted[] = "PP_BENCH_STARTED";
long long monotonic_nanoseconds();

// Runs it with our environment without its PP_ variables, and `environment` (NAME=value) on top.
// One that has not ended at the limit is told to (SIGTERM), and 5 s later killed.
Outcome run_process(const std::vector<std::string>& words,
                    const std::vector<std::string>& environment, std::chrono::seconds limit);

}  // namespace pp::bench
