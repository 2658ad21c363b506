// Prefetch: how little queued work is so little that a node asks for more before it is idle.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace pp::runtime {

// A node asks when the work it can see lasts less than about one round trip to a victim. Of jobs
// that last longer than that, one is kept waiting; of very long ones none, they are not hoarded:
// for them the answer is 0, ask when idle. A state machine; it is told how long
// jobs and answers took, and what time it is. Used by the courier's thread.
class Prefetch {
 public:
  using Duration = std::chrono::nanoseconds;
  using Time = std::chrono::steady_clock::time_point;

  // One request was answered after `round_trip`.
  void answered(Duration round_trip) { blend(round_trip_, round_trip); }

  // So many jobs were run in all so far, in so much time; what was added since the last call
  // counts.
  void ran(std::uint64_t jobs, Duration busy, Time now) {
    if (jobs == jobs_) return;
    last_ = now;
    blend(job_, (busy - busy_) / static_cast<Duration::rep>(jobs - jobs_));
    jobs_ = jobs;
    busy_ = busy;
  }

  // Ask when fewer jobs than this are queued, for this number of workers.
  std::size_t low_water(unsigned workers, Time now) const {
    if (round_trip_ == Duration::zero() || job_ == Duration::zero()) return 0;
    // None has ended for longer than that: those that run now are long, whatever came before them.
    // Believing the old ones, nodes would ask each other without end for what none of them begins.
    if (now > until()) return 0;
    if (round_trip_ < job_ / kLong) return 0;
    return std::min(static_cast<std::size_t>((round_trip_ * workers + job_ - Duration(1)) / job_),
                    kMost);
  }

  // The answer is 0 after that, if no more jobs have ended.
  Time until() const { return last_ + std::max<Duration>(2 * round_trip_, kPause); }

 private:
  static constexpr std::size_t kMost = 1024;
  static constexpr int kLong = 32;  // round trips; to be idle for one of so many costs little
  static constexpr Duration kPause = std::chrono::milliseconds(1);  // that a scheduler may make

  // Exponential smoothing: the last few count.
  static void blend(Duration& mean, Duration sample) {
    mean = mean == Duration::zero() ? sample : mean + (sample - mean) / 4;
    if (mean <= Duration::zero()) mean = Duration(1);
  }

  Duration round_trip_{0};
  Duration job_{0};
  std::uint64_t jobs_ = 0;
  Time last_{};  // when the last of them was told of
  Duration busy_{0};
};

}  // namespace pp::runtime
