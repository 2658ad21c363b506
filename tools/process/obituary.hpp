// Obituary: the sentence about a node whose process has ended.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <pp/black_box.hpp>
#include <string>
#include <vector>

#include "exit_status.hpp"

namespace pp::tools {

// What is known about it. It reads no clock and no memory file.
struct Obituary {
  struct Job {
    std::string function;  // empty: not known
    std::string owner;     // the node that lent it; empty: its own
    unsigned attempt = 1;
    std::chrono::nanoseconds running{0};
  };

  unsigned node = 0;
  pid_t pid = 0;
  ExitStatus status;
  std::chrono::nanoseconds lived{0};
  std::uint64_t peak_bytes = 0;
  std::optional<std::string> name;  // what it calls itself; nothing: it has not come so far, and
                                    // what follows is not known
  std::vector<Job> jobs;            // that it was running
  bool complete = true;             // these are all

  // "node 2 (pid 4711) was killed by SIGKILL (9: killed) after 12.3 s, peak memory 34 MiB;
  // host:4711 was running sum_primes of host:4700 (attempt 1, for 340 ms)"
  std::string sentence() const;
  // "host:4711 was running ..."; empty if that is not known.
  std::string last_jobs() const;
};

// What its process noted last; `now` by the steady clock.
void add_last_jobs(Obituary& obituary, const runtime::BlackBox& box,
                   const runtime::BlackBox::Sighting& sighting, std::chrono::nanoseconds now);

// "34 MiB", "340 ms": three digits at most, but for the largest units.
std::string memory_in_words(std::uint64_t bytes);
std::string time_in_words(std::chrono::nanoseconds time);

}  // namespace pp::tools
