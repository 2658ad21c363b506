// in_seconds: a duration for people.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace pp::runtime {

// "0.25 s", "12.3 s", "600 s".
inline std::string in_seconds(std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  char text[32];
  std::snprintf(text, sizeof text,
                seconds < 1     ? "%.2f s"
                : seconds < 100 ? "%.1f s"
                                : "%.0f s",
                seconds);
  return text;
}

}  // namespace pp::runtime
