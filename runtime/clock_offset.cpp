// Clock offset: which answers count, and what lies between them.
#include "clock_offset.hpp"

#include <algorithm>
#include <cstdlib>

namespace pp::runtime {

namespace {

// One a second for more than a day; past them every other is left out.
constexpr std::size_t kMostPoints = 100'000;

}  // namespace

// What one answer says of another time.
std::int64_t ClockOffset::error_at(const Point& point, std::int64_t theirs) {
  return point.error + std::abs(theirs - point.theirs) / kDriftDivisor;
}

void ClockOffset::add(std::int64_t asked, std::int64_t heard, std::int64_t said,
                      std::int64_t answered) {
  const std::int64_t under_way = (answered - asked) - (said - heard);
  if (answered < asked || said < heard || under_way < 0) return;
  // The middles: the sums of two times may be larger than what holds one.
  const std::int64_t ours = asked + (answered - asked) / 2;
  const std::int64_t theirs = heard + (said - heard) / 2;
  const Point point{theirs, theirs - ours, under_way / 2 + 1};
  if (!points_.empty()) {
    if (point.theirs < points_.back().theirs) return;
    if (error_at(points_.back(), point.theirs) <= point.error) return;
    while (!points_.empty() && error_at(point, points_.back().theirs) <= points_.back().error)
      points_.pop_back();
  }
  points_.push_back(point);
  if (points_.size() < kMostPoints) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < points_.size(); i += 2) points_[kept++] = points_[i];
  points_.resize(kept);
}

ClockOffset::Estimate ClockOffset::at(std::int64_t theirs) const {
  if (same_) return {};
  const auto next =
      std::lower_bound(points_.begin(), points_.end(), theirs,
                       [](const Point& point, std::int64_t time) { return point.theirs < time; });
  if (next == points_.begin()) return {next->ahead, error_at(*next, theirs)};
  const Point& last = *(next - 1);
  if (next == points_.end()) return {last.ahead, error_at(last, theirs)};
  const double share = static_cast<double>(theirs - last.theirs) /
                       static_cast<double>(std::max<std::int64_t>(next->theirs - last.theirs, 1));
  const std::int64_t ahead =
      last.ahead + static_cast<std::int64_t>(share * static_cast<double>(next->ahead - last.ahead));
  // What either end allows, and how far the line has gone from it.
  const std::int64_t from_last = error_at(last, theirs) + std::abs(ahead - last.ahead);
  const std::int64_t from_next = error_at(*next, theirs) + std::abs(ahead - next->ahead);
  return {ahead, std::min(from_last, from_next)};
}

std::int64_t ClockOffset::largest_error() const {
  if (same_) return 0;
  std::int64_t error = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    error = std::max(error, points_[i].error);
    if (i + 1 == points_.size()) break;
    // (Between two points it is largest somewhere in the middle.)
    const std::int64_t middle = points_[i].theirs + (points_[i + 1].theirs - points_[i].theirs) / 2;
    error = std::max(error, at(middle).error);
  }
  return error;
}

}  // namespace pp::runtime
