// Stall: decides when it is to be said that nothing moves.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace pp::runtime {

// Told now and then how much has been done so far and whether anything is waited for. It reads no
// clock. What does not move is said once per `limit` at first, then ever more rarely: after twice
// the time each time.
class Stall {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  // 0: nothing is ever said.
  explicit Stall(Duration limit) : limit_(limit) {}

  // Since when nothing has moved, if it is to be said now.
  std::optional<Time> look(Time now, std::uint64_t done, bool waiting) {
    if (limit_ <= Duration::zero()) return std::nullopt;
    if (!since_ || done != done_ || !waiting) {
      done_ = done;
      since_ = now;
      say_at_ = limit_;
      return std::nullopt;
    }
    if (now - *since_ < say_at_) return std::nullopt;
    say_at_ = 2 * (now - *since_);
    return since_;
  }

 private:
  const Duration limit_;
  Duration say_at_{};
  std::optional<Time> since_;
  std::uint64_t done_ = 0;
};

}  // namespace pp::runtime
