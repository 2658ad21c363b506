// Recoveries: how long it takes until what a lost node had borrowed is queued again.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fault_plan.hpp"

namespace pp::test {

// Somebody has queued again what a node had borrowed from it.
struct Requeued {
  std::string node;  // its name, or its number as in "joined 3f2a91c0 worker-3 ..."
  std::size_t jobs = 0;
};

// Reads it from a line of a driver's report or of a node's log; none if it says something else:
//   requeued 3f2a91c0 5
//   pp worker-2 warning: the link with worker-3 is over: ...; 5 jobs lent to it begin again
std::optional<Requeued> read_requeued(std::string_view line);

// How long a job that may have ended its node has waited for another node to be tried on alone:
//   pp driver info: the job fib was running when its node was lost: tried at worker-2 after 12 ms
std::optional<std::chrono::milliseconds> read_tried(std::string_view line);

// Puts together what was done to nodes and what those say who had lent them something. It reads no
// clock.
class Recoveries {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Milliseconds = std::vector<std::chrono::milliseconds>;

  // A node suffered something from which it does not come back by itself. A later fault of the same
  // node takes the place of an earlier one.
  void suffered(const std::string& node, FaultKind kind, Time now);
  // It is well again: what it had borrowed was not lost, or has been queued again long since.
  void well(const std::string& node);
  // While a node is stopped or cut off it does not notice what happens to others: its recoveries
  // from then are kept apart.
  void away(const std::string& owner, Time now);
  void back(const std::string& owner, Time now);
  // Each owner is timed once for each fault.
  void requeued(const std::string& owner, const std::string& node, std::size_t jobs, Time now);

  // By what had happened; in the order in which they came.
  const Milliseconds& after(FaultKind kind) { return times_[kind]; }
  // Of those that met an absent owner.
  const Milliseconds& with_owner_away() const { return disturbed_; }
  // Jobs in all that were queued again.
  std::size_t jobs() const { return jobs_; }

 private:
  struct Open {
    FaultKind kind;
    Time since;
    std::set<std::string> timed;  // owners
  };
  struct Absence {
    std::size_t reasons = 0;
    Time until = Time::min();  // the last one, when it is over
  };
  std::map<std::string, Open> open_;
  std::map<std::string, Absence> absences_;
  std::map<FaultKind, Milliseconds> times_;
  Milliseconds disturbed_;
  std::size_t jobs_ = 0;
};

// The value that so many of 100 do not exceed (nearest rank); 0 of none.
std::chrono::milliseconds percentile(std::vector<std::chrono::milliseconds> values,
                                     unsigned of_100);

}  // namespace pp::test
