// JobOptions: what a program may ask for one job beside its arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <pp/node_id.hpp>
#include <string>

#pragma GCC visibility push(default)

namespace pp {

// Which of the queued jobs are begun first. No job starves: now and then a worker takes one of a
// lower level although there are higher ones.
enum class Priority : std::uint8_t { kHigh, kNormal, kLow };

// Where a job may run. A value.
class Where {
 public:
  // What kind of place it is.
  enum class Kind : std::uint8_t {
    kAnywhere,  // any node
    kHere,      // the node that submits it: it never travels
    kNotHere,   // any node but that; it waits until there is one
    kNode,      // one node; it waits until that has joined, and fails with NodeLost when it goes
  };

  // See Kind; a node is named as by Runtime::id() and NodeView::id.
  static constexpr Where anywhere() { return Where(Kind::kAnywhere, {}); }
  static constexpr Where here() { return Where(Kind::kHere, {}); }
  static constexpr Where not_here() { return Where(Kind::kNotHere, {}); }
  static constexpr Where node(NodeId id) { return Where(Kind::kNode, id); }

  // Anywhere.
  constexpr Where() = default;
  // Which kind it is.
  constexpr Kind kind() const { return kind_; }
  // The node of Kind::kNode.
  constexpr const NodeId& target() const { return target_; }

 private:
  constexpr Where(Kind kind, NodeId target) : kind_(kind), target_(target) {}

  Kind kind_ = Kind::kAnywhere;
  NodeId target_{};
};

// Given as the first argument of submit, spawn or map:
//   rt.submit<render>(pp::JobOptions{.timeout = 2s, .label = "frame 7"}, scene, 7)
struct JobOptions {
  // How many nodes may die with this job as the only one that can have killed them before it fails
  // with NodeLost; absent: Options::retries. A job that was merely there when its node was lost is
  // run again however often that happens. 0: it runs at most once, and when that cannot be known
  // to be true it fails with NodeLost.
  std::optional<unsigned> retries{};

  // Of one execution; 0: none. When it is over, the future fails with Timeout at once, and the job
  // is told to stop (this_job().stop_token()); until it does, its worker stays busy. The clock
  // stands while the job waits for other jobs.
  std::chrono::nanoseconds timeout{0};

  Priority priority = Priority::kNormal;  // which queued jobs are begun first
  Where where = Where::anywhere();        // which nodes may run it

  // For people: appears in errors and in the log beside the function's name.
  std::string label{};
};

namespace runtime {
struct Job;
// Throws pp::Error for what makes no sense.
void check(const JobOptions& options);
// Before the job is submitted.
void set_options(Job& job, JobOptions&& options);
}  // namespace runtime

}  // namespace pp

#pragma GCC visibility pop
