// Parker: where one thread sleeps until another one wakes it, with a limit.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace pp::runtime {

// A permit for one: unpark() leaves it, park() takes it or waits for it, so a wake-up before the
// sleep is not lost.
class Parker {
 public:
  using Clock = std::chrono::steady_clock;

  // True when woken, false when `deadline` came first.
  bool park_until(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (deadline == Clock::time_point::max()) {
      woken_.wait(lock, [this] { return permit_; });
    } else if (!woken_.wait_until(lock, deadline, [this] { return permit_; })) {
      return false;
    }
    permit_ = false;
    return true;
  }

  // Any thread. The parker must outlive the call: the notification is given under the lock.
  void unpark() {
    const std::lock_guard lock(mutex_);
    permit_ = true;
    woken_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  bool permit_ = false;
};

}  // namespace pp::runtime
