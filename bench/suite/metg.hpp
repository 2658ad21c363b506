// Metg: the minimum effective task granularity, from a curve of efficiency over grain.
//
// Slaughter et al., "Task Bench: A Parameterized Benchmark for Evaluating Parallel Runtime
// Performance", SC 2020.
#pragma once

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

namespace pp::bench {

// The smallest grain from which on the efficiency stays at `percent` or above, between two measured
// ones on a logarithmic scale. `curve` holds grain and percent in ascending grain. Nothing when
// even the largest grain stays below; the smallest grain when all are above.
inline std::optional<double> metg(const std::vector<std::pair<double, double>>& curve,
                                  double percent) {
  if (curve.empty() || curve.back().second < percent) return std::nullopt;
  std::size_t first = curve.size() - 1;
  while (first > 0 && curve[first - 1].second >= percent) --first;
  if (first == 0) return curve.front().first;
  const auto& [grain, above] = curve[first];
  const auto& [smaller, below] = curve[first - 1];
  const double share = (percent - below) / (above - below);
  return smaller * std::pow(grain / smaller, share);
}

}  // namespace pp::bench
