// Turnstile: where threads that submit wait while the queue is full.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>

#include "guarded.hpp"

namespace pp::runtime {

// Stops at `limit` entries and lets everybody in once a quarter of them has gone, so that threads
// do not sleep and wake for each single job. Any thread.
class Turnstile {
 public:
  explicit Turnstile(std::size_t limit) : limit_(limit), enough_(limit - (limit + 3) / 4) {}

  bool stops(std::size_t entries) const { return entries >= limit_; }

  // Blocks until there is room, or until `pointless` is true, which is asked when it begins and
  // about once a second: nobody would ever make room. False: close() was called, and whatever owns
  // this may be gone.
  bool wait(const std::function<std::size_t()>& entries, const std::function<bool()>& pointless);

  // Somebody waits. Sequentially consistent: whoever takes an entry away has stored the smaller
  // count before it looks here; whoever waits has said so here before it looks at the count.
  bool anybody() const { return waiting_.load() != 0; }
  // There are so many entries now.
  void left(std::size_t entries);

  // Everybody out, and nobody in any more. Returns when nobody is left inside.
  void close();

 private:
  struct State {
    std::size_t inside = 0;
    bool closed = false;
  };

  const std::size_t limit_;
  const std::size_t enough_;  // so few let everybody in
  std::atomic<std::size_t> waiting_{0};
  Guarded<State> state_;
  std::condition_variable changed_;
};

}  // namespace pp::runtime
