// Medians, quartiles and ratios of readings.
#include "spread.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace pp::bench {
namespace {

std::map<unsigned, std::vector<double>> by_repetition(const std::vector<Reading>& readings) {
  std::map<unsigned, std::vector<double>> sorted;
  for (const Reading& reading : readings) sorted[reading.repetition].push_back(reading.value);
  for (auto& [repetition, values] : sorted) std::ranges::sort(values);
  return sorted;
}

}  // namespace

double quantile(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - std::floor(at)) * (sorted[above] - sorted[below]);
}

std::optional<Spread> spread_of(std::vector<double> readings) {
  if (readings.empty()) return std::nullopt;
  std::ranges::sort(readings);
  return Spread{quantile(readings, 0.5), quantile(readings, 0.25), quantile(readings, 0.75),
                readings.size()};
}

std::optional<Spread> spread_of(const std::vector<Reading>& readings) {
  std::vector<double> values;
  values.reserve(readings.size());
  for (const Reading& reading : readings) values.push_back(reading.value);
  return spread_of(std::move(values));
}

std::optional<double> ratio(const std::vector<Reading>& a, const std::vector<Reading>& b) {
  const auto ours = by_repetition(a);
  const auto theirs = by_repetition(b);
  std::vector<double> ratios;
  for (const auto& [repetition, values] : ours) {
    const auto other = theirs.find(repetition);
    if (other == theirs.end()) continue;
    const double divisor = quantile(other->second, 0.5);
    if (divisor != 0) ratios.push_back(quantile(values, 0.5) / divisor);
  }
  const std::optional<Spread> all = spread_of(std::move(ratios));
  return all ? std::optional(all->median) : std::nullopt;
}

}  // namespace pp::bench
