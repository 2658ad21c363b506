// Cluster: several nodes in one process over the loopback world.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <pp/loopback.hpp>
#include <pp/pp.hpp>
#include <string>
#include <utility>
#include <vector>

#include "node.hpp"

namespace pp::runtime {

// Nodes with one worker each (unless said otherwise), all connected to the first.
class Cluster {
 public:
  explicit Cluster(std::size_t nodes, std::vector<unsigned> workers = {}, Options common = {})
      : common_(std::move(common)) {
    for (std::size_t i = 0; i < nodes; ++i) add(i < workers.size() ? workers[i] : 1);
  }

  // One more; returns when everybody has met it.
  Node& add(unsigned workers = 1) {
    Options options = common_;
    options.workers = workers;
    options.name = "node" + std::to_string(nodes_.size());
    auto transport = world_.open(introduction(options, FunctionTable::seal()));
    return join(options, std::move(transport));
  }
  // The same with an identity that was known before.
  Node& join(Options options, std::unique_ptr<transport::Transport> transport) {
    if (nodes_.empty()) {
      first_ = transport->self().addresses.front();
    } else {
      options.peers = {first_};
    }
    nodes_.push_back(std::make_unique<Node>(options, std::move(transport)));
    std::size_t there = 0;
    for (const auto& node : nodes_) there += node ? 1u : 0u;
    for (const auto& node : nodes_) {
      if (!node) continue;
      EXPECT_TRUE(
          node->courier()->wait_for_nodes(there - 1, Clock::now() + std::chrono::seconds(20)))
          << node->name();
    }
    return *nodes_.back();
  }

  Node& operator[](std::size_t i) { return *nodes_[i]; }
  transport::LoopbackWorld& world() { return world_; }
  void end(std::size_t i) { nodes_[i].reset(); }

  template <auto f, class... A>
  auto submit(std::size_t node, A&&... arguments) {
    return submit_job(node, make_job<Constant<f>>(std::forward<A>(arguments)...));
  }
  template <auto f, class... A>
  auto submit_with(std::size_t node, JobOptions options, A&&... arguments) {
    return submit_job(
        node, make_job_with<Constant<f>>(std::move(options), std::forward<A>(arguments)...));
  }

 private:
  template <class J>
  auto submit_job(std::size_t node, J* job) {
    Future<typename J::Result> future(job);
    nodes_[node]->submit(*job);
    return future;
  }

  const Options common_;
  transport::LoopbackWorld world_;
  Address first_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace pp::runtime
