// Runtimes: one runtime, or several in this process that know each other, as a test's parameter.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <pp/loopback.hpp>
#include <pp/pp.hpp>
#include <string>
#include <thread>
#include <vector>

#include "node.hpp"

namespace pp::test {

// Nodes with one worker each (unless said otherwise) over the loopback world; the first is the one
// that submits, and has the job log if the options name one.
class Runtimes {
 public:
  explicit Runtimes(std::size_t nodes, unsigned workers = 1, Options common = {})
      : workers_(workers), common_(std::move(common)) {
    if (nodes == 1) {
      runtimes_.push_back(std::make_unique<Runtime>(options()));
      return;
    }
    while (runtimes_.size() < nodes) start();
    meet();
  }

  // One more; returns when everybody has met it.
  Runtime& add() {
    start();
    meet();
    return *runtimes_.back();
  }

  Runtime& operator[](std::size_t i) { return *runtimes_[i]; }
  Runtime& first() { return *runtimes_.front(); }
  transport::LoopbackWorld& world() { return world_; }
  std::size_t size() const { return runtimes_.size(); }
  void end(std::size_t i) { runtimes_[i].reset(); }
  void end_all() {
    while (!runtimes_.empty()) runtimes_.pop_back();
  }

 private:
  Options options() const {
    Options options = common_;
    options.workers = workers_;
    options.name = "node" + std::to_string(runtimes_.size());
    return options;
  }

  void start() {
    Options own = options();
    if (!runtimes_.empty()) {  // a file for one
      own.joblog.clear();
      own.resume = false;
    }
    auto transport = world_.open(runtime::introduction(own, runtime::FunctionTable::seal()));
    if (runtimes_.empty()) {
      first_ = transport->self().addresses.front();
    } else {
      own.peers = {first_};
    }
    runtimes_.push_back(
        std::make_unique<Runtime>(std::make_unique<runtime::Node>(own, std::move(transport))));
  }

  void meet() {
    using namespace std::chrono_literals;
    for (const auto& rt : runtimes_) {
      EXPECT_TRUE(rt->wait_for_nodes(static_cast<unsigned>(runtimes_.size()), 20s)) << rt->name();
    }
  }

  const unsigned workers_;
  const Options common_;
  transport::LoopbackWorld world_;
  Address first_;
  std::vector<std::unique_ptr<Runtime>> runtimes_;
};

// Tests of this kind run on one node and across three: INSTANTIATE with on_one_and_on_three().
class OnNodes : public testing::TestWithParam<std::size_t> {
 protected:
  OnNodes() : nodes_(GetParam()), rt_(nodes_.first()) {}

  // Where a job goes that must not run on the node that submits it, if there is another.
  Where away() const { return nodes_.size() > 1 ? Where::not_here() : Where::anywhere(); }

  Runtimes nodes_;
  Runtime& rt_;
};

inline auto on_one_and_on_three() { return testing::Values(std::size_t{1}, std::size_t{3}); }
inline std::string nodes_name(const testing::TestParamInfo<std::size_t>& info) {
  return info.param == 1 ? "one_node" : std::to_string(info.param) + "_nodes";
}

// Opened by a test when the jobs behind it may go on. All nodes of a test are in one process.
class Gate {
 public:
  void open() {
    open_ = true;
    open_.notify_all();
  }
  // Says that it is there, and waits.
  void pass() {
    ++waiting_;
    while (!open_) std::this_thread::yield();
  }
  void wait_until_reached(int by = 1) const {
    while (waiting_ < by) std::this_thread::yield();
  }
  int reached() const { return waiting_; }
  void close() {
    open_ = false;
    waiting_ = 0;
  }

 private:
  std::atomic<bool> open_{false};
  std::atomic<int> waiting_{0};
};

}  // namespace pp::test
