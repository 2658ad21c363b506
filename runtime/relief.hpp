// Relief: threads that have to wait anyway do the courier's work, while its own thread rests.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <utility>

#include "parker.hpp"

namespace pp::runtime {

// To wake a thread costs 5 to 25 us, more than a message takes to another process and back. A lone
// job wakes four threads on its way: the courier here, the one there, a worker, and who asked for
// the result. But who asked has nothing else to do, and a worker without work has not either; where
// such a thread moves the courier itself, its message is handled by the thread that waits for it.
//
// The watch is a lock: who holds it moves the courier. Its own thread holds it also while it sleeps
// in the network; so it is woken by what comes as ever, and only when it would go to sleep while
// others look out does it leave the watch to them and rest().
//
//   own thread    step, step, nothing left ... expected()? rest() : sleep, holding the watch
//   who waits     offer(), then again and again: the watch if it is free, a look; withdraw()
//
// Nobody depends on them: they may leave at any time, without a word. A rest ends after kRest
// unless somebody has looked meanwhile; that long may what comes lie unseen when the last one
// leaves because it has got what it waited for (kLongestRest, once, after a time in which somebody
// has always looked). One that leaves in order to sleep itself ends the rest at once.
class Relief {
 public:
  using Clock = std::chrono::steady_clock;

  // A rest that is over costs who looks out 20 us where it has the same core. So where somebody has
  // looked all the time the next one is twice as long.
  static constexpr std::chrono::microseconds kRest{50}, kLongestRest{400};
  // In all: what only the own thread sees waits no longer.
  static constexpr std::chrono::milliseconds kMostRest{10};
  static constexpr std::chrono::microseconds kLookEvery{16};  // on the average: all the time

  // ---- those who wait

  void offer() { helpers_.fetch_add(1, std::memory_order_seq_cst); }
  // `sleeps`: it goes to sleep.
  void withdraw(bool sleeps) {
    returns_.store(!sleeps, std::memory_order_relaxed);
    helpers_.fetch_sub(1, std::memory_order_seq_cst);
    if (sleeps) end_rest();
  }
  // Null: somebody else has it.
  std::unique_lock<std::mutex> try_watch() {
    std::unique_lock watch(watch_, std::try_to_lock);
    if (watch) looks_.store(looks_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return watch;
  }

  // Somebody has the watch who is not asleep: when try_watch() was refused.
  bool at_work() const { return !sleeps_.load(std::memory_order_relaxed); }

  // ---- the courier's own thread

  std::unique_lock<std::mutex> watch() { return std::unique_lock(watch_); }
  // Around a sleep in the network.
  void sleeps(bool sleeps) { sleeps_.store(sleeps, std::memory_order_relaxed); }
  // Somebody looks out, or will soon: who got what it waited for usually waits for the next in a
  // moment.
  bool expected() { return returns_.exchange(false, std::memory_order_relaxed) || anybody(); }
  // Somebody has just been given what he will have done in a moment.
  void expect() { returns_.store(true, std::memory_order_relaxed); }
  // Until nobody has looked for a while, at `due` or after kMostRest at the latest. REQUIRES: it
  // does not hold the watch.
  void rest(Clock::time_point due) {
    resting_.store(true, std::memory_order_seq_cst);
    std::uint64_t looks = looks_.load(std::memory_order_relaxed);
    due = std::min(due, Clock::now() + kMostRest);
    for (auto length = kRest;;) {
      const Clock::time_point now = Clock::now();
      if (now >= due || parker_.park_until(std::min(due, now + length))) break;
      const std::uint64_t seen = std::exchange(looks, looks_.load(std::memory_order_relaxed));
      if (looks == seen) break;
      const bool always = (looks - seen) * kLookEvery >= length;
      length = always ? std::min(2 * length, kLongestRest) : kRest;
    }
    returns_.store(false, std::memory_order_relaxed);
    resting_.store(false, std::memory_order_seq_cst);
  }

  // ---- any thread

  // There is something to do that may not wait for kRest.
  void end_rest() {
    if (resting_.load(std::memory_order_seq_cst)) parker_.unpark();
  }
  bool anybody() const { return helpers_.load(std::memory_order_seq_cst) > 0; }
  bool resting() const { return resting_.load(std::memory_order_relaxed); }

 private:
  std::mutex watch_;
  // Who looks out now. It orders nothing: the watch does. A number that is read too late costs a
  // rest more or less, that is kRest.
  std::atomic<unsigned> helpers_{0};
  // The own thread is in rest(), or about to. A call of end_rest() that comes too early for it is
  // made good by the end of kRest; one that comes too late leaves a permit, which ends the next.
  std::atomic<bool> resting_{false};
  // The last one has left with what it waited for, or expect() was called, since expected() was
  // asked or a rest ended. Relaxed: as helpers_.
  std::atomic<bool> returns_{false};
  // The own thread sleeps, with the watch. Relaxed: a hint for who would yield its core to it.
  std::atomic<bool> sleeps_{false};
  // How often somebody had the watch. Written under it. Relaxed: only that it changes counts.
  std::atomic<std::uint64_t> looks_{0};
  Parker parker_;
};

// Whether it is worth while to look out once more, by how that went before: where nothing came of
// it, it is left out once, then 3, 7 ... times.
class Hope {
 public:
  bool again() {
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }
  void fulfilled() { vain_ = 0; }
  void disappointed() { skip_ = vain_ = std::min(2 * vain_ + 1, kMostSkipped); }
  // The core is wanted by others.
  void give_up() { skip_ = vain_ = kMostSkipped; }

 private:
  static constexpr unsigned kMostSkipped = 63;
  unsigned vain_ = 0, skip_ = 0;
};

}  // namespace pp::runtime
