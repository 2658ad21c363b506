// Coalescing: how long results of borrowed jobs are kept so that several go home together.
#pragma once

#include <chrono>
#include <utility>

#include "patience.hpp"

namespace pp::runtime {

// Each result that is sent by itself wakes this node's courier, its owner's, and who waits: 10 to
// 20 us each of cores that have jobs to run. So while everybody has, those that follow on others
// are kept for a part of the time that this has been so, as network cards coalesce their
// interrupts. A state machine; one thread, the time is handed in.
class Coalescing {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Some have been sent.
  void sent() { sent_ = true; }
  // There is nothing left to do. `everybody_works`: no worker of this node is idle, and no other
  // node waits for work of it, as far as anybody knows.
  void plan(Time now, bool everybody_works) {
    const bool sent = std::exchange(sent_, false);
    if (!everybody_works) {
      working_since_ = due_ = now;
    } else if (sent) {
      due_ = now + Patience::part_of(now - working_since_, kLongest);
    }
  }

  // Whether those that are there may wait.
  bool keeps(Time now) const { return now < due_; }
  // Until when. REQUIRES: keeps(now).
  Time due() const { return due_; }

 private:
  static constexpr std::chrono::milliseconds kLongest{10};

  bool sent_ = false;
  Time due_{}, working_since_{};
};

}  // namespace pp::runtime
