// Farewell: when nodes that should end are left alone, asked and killed.
#pragma once

#include <chrono>

namespace pp::tools {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

// A ladder with four rungs: they may end by themselves for `grace`, are asked to (SIGTERM), have
// `asked` to obey, are killed (SIGKILL), and after `killed` are given up: a process that survives
// that long is stuck in the kernel and waiting for it helps nobody. It sends nothing and reads no
// clock.
class Farewell {
 public:
  enum class Step { kWait, kAsk, kKill, kGiveUp };

  struct Limits {
    std::chrono::milliseconds grace{5000};
    std::chrono::milliseconds asked{2000};
    std::chrono::milliseconds killed{5000};
  };

  Farewell(Time now, Limits limits) : limits_(limits), due_(now + limits.grace) {}

  // The step that has become due, each of them once; kWait when none has.
  Step step(Time now);
  // The next step becomes due at once: somebody is impatient, or nobody worth waiting for is left.
  void hurry(Time now) { due_ = now; }
  // When step() will next have something to say.
  Time due() const { return due_; }
  // The step taken last; kWait before the first.
  Step reached() const { return reached_; }

 private:
  Limits limits_;
  Step reached_ = Step::kWait;
  Time due_;
};

}  // namespace pp::tools
