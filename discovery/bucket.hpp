// Bucket: so many at once, so many a second.
#pragma once

#include <algorithm>
#include <chrono>
#include <pp/discovery.hpp>

namespace pp::discovery {

// A value: full at first, and empties by one for each allow() that says yes.
struct Bucket {
  // Holds at most `size`, and fills at `per_second`.
  bool allow(Time now, double size, double per_second) {
    const double filled =
        last > now ? 0 : std::chrono::duration<double>(now - last).count() * per_second;
    taken = std::max(0.0, taken - filled);
    last = std::max(last, now);
    if (taken + 1 > size) return false;
    taken += 1;
    return true;
  }

  double taken = 0;
  Time last{};
};

}  // namespace pp::discovery
