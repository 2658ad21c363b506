// Home: where a job finds its node, or finds that it has ended.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <pp/job.hpp>
#include <string>

#include "patience.hpp"

namespace pp::runtime {

class Node;
class Strand;

// Futures outlive their node, and what hangs on them (a callback, a coroutine) still asks for it.
// So a home is never freed: some hundred bytes for each runtime that a process ever makes. Any
// thread.
class Home {
 public:
  // A new one for this node.
  static Home& open(Node& node, std::string name);

  // The node ends: from now on nothing reaches it. Waits for those who are with it now.
  void close();

  // Queues a job of pp's own making (a callback, a coroutine that goes on); where the node has
  // ended, it fails with Closed. Takes over one reference. Never blocks for long.
  void queue(Job& job);

  // A coroutine of this node waits for the first time; it has come to its end.
  void enter(Strand& strand);
  void leave(Strand& strand);
  // What a coroutine waits for is done. Never blocks for long.
  void resume(Strand& strand);
  // After close(): jobs that wait in a co_await fail with Closed, and their variables are destroyed
  // here. REQUIRES: no worker runs any more.
  void end_strands();

  // The job is lent, and not wanted any more: the courier tells the borrower.
  void recall(Job& job);

  // A thread that waits for the job moves the courier meanwhile. False: the job is not done yet.
  bool look_out_for(Job& job, std::chrono::steady_clock::time_point deadline);

  // Somebody has been waiting for the job for a while: the log says so if nobody could run it.
  void explain_wait(const Job& job);
  // Whether it is likely to have to: the node runs no jobs itself. Relaxed: a hint.
  bool without_workers() const { return without_workers_.load(std::memory_order_relaxed); }
  void set_without_workers(bool without) {
    without_workers_.store(without, std::memory_order_relaxed);
  }

  // For the threads that wait for its jobs.
  Patience& patience() { return patience_; }

  // Batches that the program's body has started, and what has become of their elements.
  struct Batches {
    std::uint64_t pieces = 0, elements = 0, done = 0;
  };
  void batch_begun(std::uint64_t pieces, std::uint64_t elements) {
    pieces_.fetch_add(pieces, std::memory_order_relaxed);
    elements_.fetch_add(elements, std::memory_order_relaxed);
  }
  void batch_done(std::uint64_t elements) {
    elements_done_.fetch_add(elements, std::memory_order_relaxed);
  }
  Batches batches() const {
    return {pieces_.load(std::memory_order_relaxed), elements_.load(std::memory_order_relaxed),
            elements_done_.load(std::memory_order_relaxed)};
  }

  // For the log: one sentence.
  void warn(const std::string& sentence);

  // Of the node, also after its end.
  const std::string& name() const { return name_; }

  explicit Home(Node& node, std::string name) : name_(std::move(name)), node_(&node) {}
  // Of a node that has ended, or is simulated.
  explicit Home(std::string name) : name_(std::move(name)), node_(nullptr) {}

 private:
  template <class F>
  bool with_node(F act);
  void unlink(Strand& strand);

  const std::string name_;
  std::atomic<bool> without_workers_{false};
  // Relaxed: statistics.
  std::atomic<std::uint64_t> pieces_{0}, elements_{0}, elements_done_{0};
  Patience patience_;
  std::mutex mutex_;
  Node* node_;                       // null after close()
  Strand* strands_ = nullptr;        // those that have waited and are not at their end
  std::condition_variable resumed_;  // after close()
  unsigned guests_ = 0;              // threads in look_out_for()
  std::condition_variable left_;     // the last of them has gone
};

// The outcome of a job that nobody will run. REQUIRES: the caller holds the claim.
void fail_and_finish(Job& job, Failure failure);

}  // namespace pp::runtime
