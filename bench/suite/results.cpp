// What results say about the figures to reach.
#include "results.hpp"

#include <algorithm>
#include <regex>

#include "unit.hpp"

namespace pp::bench {

const Measured* Row::by(const std::string& who) const {
  const auto found = std::ranges::find(measured, who, &Measured::who);
  return found == measured.end() ? nullptr : &*found;
}

bool Results::any_failed() const {
  return std::ranges::any_of(cases, [](const CaseResult& each) { return !each.failed.empty(); });
}

const Reach* reach_for(const CaseResult& result, const Row& row) {
  const auto found = std::ranges::find_if(result.reach, [&row](const Reach& reach) {
    return reach.rows.empty() || std::regex_search(row.name, std::regex(reach.rows));
  });
  return found == result.reach.end() ? nullptr : &*found;
}

std::optional<double> reached(const Row& row, const Reach& reach) {
  const Measured* const ours = row.by(bench::kOurs);
  if (ours == nullptr) return std::nullopt;
  if (reach.against.empty()) {
    const auto spread = spread_of(ours->readings);
    return spread ? std::optional(spread->median) : std::nullopt;
  }
  const Measured* const theirs = row.by(reach.against);
  return theirs ? ratio(ours->readings, theirs->readings) : std::nullopt;
}

bool met(const Row& row, const Reach& reach, double value) {
  return less_is_better(row.unit) ? value <= reach.bound : value >= reach.bound;
}

}  // namespace pp::bench
