// Events: the latency of many single events, as rows and as a distribution.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "sample.hpp"
#include "spread.hpp"

namespace pp::bench {

// In microseconds. For each lane the median and the p99 of "<state>, <lane>".
inline void emit_events(const std::vector<std::string>& lanes, const std::string& state,
                        std::vector<double> microseconds) {
  std::ranges::sort(microseconds);
  for (const std::string& lane : lanes) {
    emit(Sample{"median, " + state + ", " + lane, "us", quantile(microseconds, 0.5), {}, {}});
    emit(Sample{"p99, " + state + ", " + lane, "us", quantile(microseconds, 0.99), {}, {}});
  }
  // Yardsticks are drawn once.
  emit(distribution_of(lanes.size() == 1 ? state + ", " + lanes.front() : state, "us",
                       std::move(microseconds)));
}

}  // namespace pp::bench
