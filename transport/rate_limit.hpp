// RateLimit: so many at once, so many a second: what strangers can make us say is bounded.
#pragma once

#include <algorithm>
#include <chrono>
#include <pp/transport.hpp>

namespace pp::transport {

// A value: a bucket of `burst` tokens that fills at `per_second`.
class RateLimit {
 public:
  RateLimit(double burst, double per_second)
      : burst_(burst), per_second_(per_second), tokens_(burst) {}

  bool allow(Time now) {
    const std::chrono::duration<double> passed = now - std::max(last_, Time{});
    if (now > last_) {
      tokens_ = std::min(burst_, tokens_ + passed.count() * per_second_);
      last_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double burst_, per_second_, tokens_;
  Time last_{};
};

}  // namespace pp::transport
