// Home: the node is reached under a lock, so that it cannot end meanwhile.
#include "home.hpp"

#include <deque>
#include <pp/task.hpp>
#include <vector>

#include "log.hpp"
#include "node.hpp"
#include "particulars.hpp"

namespace pp::runtime {

Home& Home::open(Node& node, std::string name) {
  static std::mutex opening;
  static std::deque<Home> homes;  // a deque: what it holds does not move
  const std::lock_guard lock(opening);
  return homes.emplace_back(node, std::move(name));
}

void Home::close() {
  std::unique_lock lock(mutex_);
  node_ = nullptr;
  left_.wait(lock, [this] { return guests_ == 0; });
}

bool Home::look_out_for(Job& job, std::chrono::steady_clock::time_point deadline) {
  Courier* courier = nullptr;
  const bool open = with_node([&](Node& node) {
    courier = node.courier();
    if (courier != nullptr) ++guests_;  // it stays until we have gone
  });
  if (!open || courier == nullptr) return job.done();
  const bool done = courier->look_out_for(job, deadline);
  const std::lock_guard lock(mutex_);
  if (--guests_ == 0) left_.notify_all();
  return done;
}

template <class F>
bool Home::with_node(F act) {
  const std::lock_guard lock(mutex_);
  if (node_ == nullptr) return false;
  act(*node_);
  return true;
}

void Home::queue(Job& job) {
  if (with_node([&](Node& node) { node.queue(job); })) return;
  if (job.claim(Job::kRunning)) {
    fail_and_finish(job, Failure::of(Failure::Kind::kClosed,
                                     "pp: the runtime ended before this job was begun"));
  }
  job.release();
}

void Home::enter(Strand& strand) {
  const std::lock_guard lock(mutex_);
  strand.next_strand_ = strands_;
  if (strands_ != nullptr) strands_->previous_strand_ = &strand;
  strands_ = &strand;
}

void Home::leave(Strand& strand) {
  const std::lock_guard lock(mutex_);
  unlink(strand);
}

void Home::unlink(Strand& strand) {
  Strand* const previous = strand.previous_strand_;
  (previous != nullptr ? previous->next_strand_ : strands_) = strand.next_strand_;
  if (strand.next_strand_ != nullptr) strand.next_strand_->previous_strand_ = previous;
}

void Home::resume(Strand& strand) {
  const std::lock_guard lock(mutex_);
  strand.told_ = true;
  if (node_ != nullptr) {
    node_->resume(*strand.job_);
  } else {
    resumed_.notify_all();  // to end_strands()
  }
}

void Home::end_strands() {
  std::vector<Strand*> ended;
  {
    std::unique_lock lock(mutex_);
    for (;;) {
      for (Strand* strand = strands_; strand != nullptr; strand = strand->next_strand_) {
        // Neither: some thread is about to come to resume().
        if (!strand->told_ && !unwatch(*strand->awaited_, *strand)) continue;
        unlink(*strand);
        ended.push_back(strand);
      }
      if (strands_ == nullptr) break;
      resumed_.wait(lock);
    }
  }
  // All fail before the first variable is destroyed: its destructor may wait for any of them.
  for (Strand* strand : ended) {
    Job& job = *strand->job_;
    if (!job.settle()) continue;  // its time was over, and its future knows
    fail_and_finish(
        job, Failure::of(Failure::Kind::kClosed, "pp: the runtime ended while the job " +
                                                     title_of(job) + " waited in a co_await"));
  }
  for (Strand* strand : ended) {
    if (!strand->told_) strand->awaited_->release();
    strand->abandon();
    strand->job_->release();
  }
}

void Home::recall(Job& job) {
  with_node([&](Node& node) { node.recall(job); });
}

void Home::explain_wait(const Job& job) {
  with_node([&](Node& node) { node.explain_wait(job); });
}

void Home::warn(const std::string& sentence) {
  if (with_node([&](Node& node) { node.log().warn(sentence); })) return;
  Log(name_, -1).warn(sentence);
}

void fail_and_finish(Job& job, Failure failure) {
  job.kind->store_failure(job, std::move(failure));
  if (job.kind->deliver != nullptr) job.kind->deliver(job);
  finish(job);
}

}  // namespace pp::runtime
