// Task: the loop that runs a job's coroutines, and how they leave their worker and come back.
#include <pp/task.hpp>

#include "node.hpp"
#include "particulars.hpp"

namespace pp::runtime {

void Strand::start(Coroutine& outermost) {
  Activation& activation = outermost.activation();
  activation.strand_ = this;
  activation.owner_ = &outermost;
  top_ = &activation;
  started_ = true;
}

void Strand::call(Coroutine& callee, Activation& caller) noexcept {
  Activation& activation = *callee.activation_;
  activation.strand_ = caller.strand_;
  activation.caller_ = &caller;
  activation.owner_ = &callee;
  caller.strand_->top_ = &activation;
}

void Strand::return_to_caller() noexcept { top_ = top_->caller_; }

bool Strand::run(Job& job) noexcept {
  Frame& frame = *Crew::current()->frame;
  if (job_ != nullptr) {
    frame.children = children_;
    frame.random = random_;
  }
  for (;;) {
    awaited_ = nullptr;
    top_->handle_.resume();
    if (top_ == nullptr) {
      if (job_ != nullptr) job.home->leave(*this);
      return true;
    }
    if (awaited_ != nullptr && !awaited_->done() && suspend(job)) return false;
  }
}

// False: what it waits for is done meanwhile.
bool Strand::suspend(Job& job) noexcept {
  const Worker& worker = *Crew::current();
  if (job_ == nullptr) {
    job_ = &job;
    job.state.fetch_or(Job::kBegun, std::memory_order_relaxed);  // for our own next execution
    job.home->enter(*this);
  }
  children_ = worker.frame->children;
  random_ = worker.frame->random;
  told_ = false;
  const bool timed = has_time_limit(job);
  if (timed) worker.node->deadlines().pause(job);
  Job& awaited = *awaited_;
  awaited.retain();
  // From here on another worker may run it: what follows knows nothing but what is on this stack.
  if (watch(awaited, *this)) return true;
  awaited.release();
  if (timed) worker.node->deadlines().resume(job);
  return false;
}

void Strand::done(Job& awaited) noexcept {
  job_->home->resume(*this);  // this may be destroyed when it returns
  awaited.release();
}

void Strand::abandon() noexcept {
  while (top_ != nullptr) {
    Activation& last = *top_;
    top_ = last.caller_;
    last.owner_->destroy();
  }
}

}  // namespace pp::runtime
