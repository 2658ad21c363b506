// Prefetch: how little queued work is so little that a node asks for more before it is idle.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace pp::runtime {

// A node asks when the work it can see lasts less than about one round trip to a victim. Long jobs
// are not hoarded: for them the answer is 0, ask when idle. A state machine; it is told how long
// jobs and answers took. Used by the courier's thread.
class Prefetch {
 public:
  using Duration = std::chrono::nanoseconds;

  // One request was answered after `round_trip`.
  void answered(Duration round_trip) { blend(round_trip_, round_trip); }

  // So many jobs were run in all so far, in so much time; what was added since the last call
  // counts.
  void ran(std::uint64_t jobs, Duration busy) {
    if (jobs == jobs_) return;
    blend(job_, (busy - busy_) / static_cast<Duration::rep>(jobs - jobs_));
    jobs_ = jobs;
    busy_ = busy;
  }

  // Ask when fewer jobs than this are queued, for this number of workers.
  std::size_t low_water(unsigned workers) const {
    if (round_trip_ == Duration::zero() || job_ == Duration::zero()) return 0;
    const auto jobs = static_cast<std::size_t>(round_trip_.count() / job_.count()) * workers;
    return jobs < kMost ? jobs : kMost;
  }

 private:
  static constexpr std::size_t kMost = 1024;

  // Exponential smoothing: the last few count.
  static void blend(Duration& mean, Duration sample) {
    mean = mean == Duration::zero() ? sample : mean + (sample - mean) / 4;
    if (mean <= Duration::zero()) mean = Duration(1);
  }

  Duration round_trip_{0};
  Duration job_{0};
  std::uint64_t jobs_ = 0;
  Duration busy_{0};
};

}  // namespace pp::runtime
