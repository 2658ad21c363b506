// Restraint: how often what strangers cause is worth a line.
#pragma once

#include <algorithm>

#include "farewell.hpp"

namespace pp::tools {

// So many at once, then one every few seconds: whoever sends us nonsense does not fill our log. A
// value that reads no clock.
class Restraint {
 public:
  // True: say it, and that `left_out()` like it were not said since the last time.
  bool may_say(Time now) {
    taken_ = std::max(Time::duration{0}, taken_ - (now - last_));
    last_ = now;
    if (taken_ > kMost * kEach) {
      ++silent_;
      return false;
    }
    taken_ += kEach;
    return true;
  }
  unsigned long left_out() {
    const unsigned long many = silent_;
    silent_ = 0;
    return many;
  }

 private:
  static constexpr int kMost = 9;  // and one more
  static constexpr std::chrono::seconds kEach{10};

  Time::duration taken_{0};
  Time last_{};
  unsigned long silent_ = 0;
};

}  // namespace pp::tools
