// BoxCopy: what a node on a host was running when it died, as its host's script has sent it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace pp::tools {

// A black box (pp/black_box.hpp) line by line, as `od -A x -t x1` prints it: "000010 61 62 ...",
// "*" for more of the same, and in the end where it ends. Whoever printed it: it is bounded, and
// what makes no sense says nothing.
class BoxCopy {
 public:
  void take(std::string_view line);
  // "h1 was running sum_primes of another node (attempt 1, for 340 ms)"; empty: nothing is known.
  // `now` by the steady clock of that host.
  std::string last_jobs(int pid, std::chrono::nanoseconds now) const;
  void clear() { bytes_.clear(); }

 private:
  std::string bytes_;
  bool repeats_ = false;
};

}  // namespace pp::tools
