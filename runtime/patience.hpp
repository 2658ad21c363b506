// Patience: who collects results one after the other is not woken for each of them.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <pp/job.hpp>

#include "futex.hpp"

namespace pp::runtime {

// To wake a thread takes some 20 us from a busy machine: who wakes it calls the kernel, a worker
// that runs a job is interrupted, another one comes in its place and goes again. A program that
// submits ten thousand jobs and asks for their results in order would be woken for nearly each of
// them; with jobs of 50 us that is a quarter of the machine. So such a thread sleeps a while
// although its result may have come, as long as all workers have something to do anyway. What is
// lost by it is bounded twice: a thread never sleeps longer than a small part of the time it has
// been collecting, and as soon as a worker, here or on another node, runs out of work it is woken.
//
// One for each node, which is never freed (Home).
class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  // Whether every worker has something to do and no other node waits for work. By one thread at a
  // time (Crew, under its lock).
  void set_busy(bool busy) {
    if ((busy_.load(std::memory_order_relaxed) != 0) == busy) return;
    // Sequentially consistent: who sleeps counts itself in sleepers_ first and looks at busy_
    // afterwards (in the kernel too), so one of the two sees the other.
    busy_.store(busy ? 1 : 0, std::memory_order_seq_cst);
    if (!busy && sleepers_.load(std::memory_order_seq_cst) > 0) futex_wake(busy_);
  }
  // Relaxed: a hint.
  bool busy() const { return busy_.load(std::memory_order_relaxed) != 0; }

  // How long a word may be kept back where everybody has been busy for so long: nothing at first, a
  // small part of that time later. Less than kShortest costs what it saves.
  static Clock::duration part_of(Clock::duration going_on, Clock::duration longest) {
    const Clock::duration part = std::min(going_on / kPart, longest);
    return part < kShortest ? Clock::duration::zero() : part;
  }

  // Sleeps, and looks at the job so often: until it is done, somebody runs out of work, or it seems
  // to be a long one, whose end is worth a wake-up.
  void sleep_for(const Job& job, Clock::duration part, Clock::time_point deadline) {
    for (int looks = 0; looks < kLooks && busy() && !job.done(); ++looks) {
      const Clock::time_point now = Clock::now();
      if (now >= deadline) return;
      sleep_until(std::min(now + part, deadline));
    }
  }

 private:
  static constexpr int kPart = 8;
  static constexpr std::chrono::microseconds kShortest{20};
  static constexpr int kLooks = 4;

  void sleep_until(Clock::time_point until) {
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    if (busy_.load(std::memory_order_seq_cst) != 0) futex_wait(busy_, 1, until);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> busy_{0};
  std::atomic<std::uint32_t> sleepers_{0};
};

// What a thread that is no worker has been doing with futures: one for each thread.
class Collecting {
 public:
  using Clock = std::chrono::steady_clock;

  // It is about to wait: so long it may sleep without looking, nothing for a first wait.
  Clock::duration begin_wait(Clock::time_point now) {
    if (now - last_ > kPause) since_ = now;
    return Patience::part_of(now - since_, kLongest);
  }
  void end_wait(Clock::time_point now) { last_ = now; }
  // It has submitted something: who waits after that may do so for the next step of its program.
  void submitted() { last_ = {}; }

  static Collecting& of_this_thread() {
    static thread_local constinit Collecting collecting;
    return collecting;
  }

 private:
  // With more to do than that between two waits a thread is seldom woken.
  static constexpr std::chrono::microseconds kPause{200};
  static constexpr std::chrono::milliseconds kLongest{10};

  Clock::time_point since_{}, last_{};
};

}  // namespace pp::runtime
