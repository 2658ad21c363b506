// Recoveries: how long it takes until what a lost node had borrowed is queued again.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fault_plan.hpp"

namespace pp::test {

// The driver has queued again what a node had borrowed.
struct Requeued {
  std::string node;  // its name, or its number as in "joined 3f2a91c0 worker-3 ..."
  std::size_t jobs = 0;
  std::optional<std::chrono::microseconds> since_notice;  // if it says so
};

// Reads it from a line of the driver's; none if it says something else. Either of
//   requeued 3f2a91c0 5 812
//   pp driver warning: the session with worker-3 is over: ...; 5 jobs lent to it begin again
std::optional<Requeued> read_requeued(std::string_view line);

// Puts together what was done to nodes and what the driver says of it. It reads no clock.
class Recoveries {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Milliseconds = std::vector<std::chrono::milliseconds>;

  // A worker suffered something from which it does not come back by itself. A later fault of the
  // same worker takes the place of an earlier one.
  void suffered(const std::string& node, FaultKind kind, Time now);
  // It is well again: what it had borrowed was not lost, or has been queued again long since.
  void well(const std::string& node);
  // While the driver is stopped or cut off it does not notice what happens to others: recoveries
  // from then are kept apart.
  void driver_away(Time now);
  void driver_back(Time now);
  void requeued(const std::string& node, std::size_t jobs, Time now);

  // By what had happened; in the order in which they came.
  const Milliseconds& after(FaultKind kind) { return times_[kind]; }
  // Of those that met an absent driver.
  const Milliseconds& with_driver_away() const { return disturbed_; }
  // Jobs in all that were queued again.
  std::size_t jobs() const { return jobs_; }

 private:
  struct Open {
    FaultKind kind;
    Time since;
  };
  std::map<std::string, Open> open_;
  std::map<FaultKind, Milliseconds> times_;
  Milliseconds disturbed_;
  std::size_t jobs_ = 0;
  std::size_t away_ = 0;           // reasons why the driver is away
  Time away_until_ = Time::min();  // its last absence, when it is over
};

// The value that so many of 100 do not exceed (nearest rank); 0 of none.
std::chrono::milliseconds percentile(std::vector<std::chrono::milliseconds> values,
                                     unsigned of_100);

}  // namespace pp::test
