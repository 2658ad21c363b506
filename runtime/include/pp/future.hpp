// Future: the promise of one job's result, delivered exactly once.
#pragma once

#include <chrono>
#include <pp/job.hpp>
#include <utility>

namespace pp {

namespace runtime {

using Clock = std::chrono::steady_clock;

// Waits until the job is done or `deadline` has come (max: for ever); true when it is done. On a
// worker it runs other jobs meanwhile, the awaited one first.
bool wait_until_done(Job& job, Clock::time_point deadline);

// One reference to a job; the job outlives it. Movable.
template <class J>
class JobReference {
 public:
  JobReference() = default;
  explicit JobReference(J* job) : job_(job) {}  // takes over one reference
  JobReference(JobReference&& other) noexcept : job_(std::exchange(other.job_, nullptr)) {}
  JobReference& operator=(JobReference&& other) noexcept {
    JobReference taken(std::move(other));
    std::swap(job_, taken.job_);
    return *this;
  }
  ~JobReference() {
    if (job_ != nullptr) job_->release();
  }
  J* operator->() const { return job_; }
  J& operator*() const { return *job_; }
  explicit operator bool() const { return job_ != nullptr; }

 private:
  J* job_ = nullptr;
};

}  // namespace runtime

// The promise of one job's result. Movable, not copyable; dropping it is fine, the job still runs.
// Every member may be called from any thread, inside and outside jobs, as often as you like.
//
// Inside a job, get() and wait() run other jobs on the same stack while they wait. So hold no lock
// across them, and let a job wait only for jobs that it submitted itself.
template <class T>
class Future {
  using Stored = std::conditional_t<std::is_void_v<T>, runtime::Nothing, T>;

 public:
  Future() = default;

  // The result, or the job's error: what the function threw (see JobError), NodeLost, or Closed
  // when the runtime ended first. Repeatable. The reference lives as long as this future; a
  // temporary future gives the value away instead.
  decltype(auto) get() const& {
    wait();
    if constexpr (std::is_void_v<T>) {
      outcome_(*job_);
    } else {
      return static_cast<const T&>(outcome_(*job_));
    }
  }
  T get() && {
    wait();
    if constexpr (std::is_void_v<T>) {
      outcome_(*job_);
    } else {
      return std::move(outcome_(*job_));
    }
  }

  // Returns when the job is done, in whatever way; throws nothing of the job's.
  void wait() const { wait_until(runtime::Clock::time_point::max()); }

  // True when the job was done within `limit`. Runs other jobs meanwhile if called inside a job, so
  // it may return later than that.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> limit) const {
    return wait_until(runtime::Clock::now() + std::chrono::ceil<runtime::Clock::duration>(limit));
  }

  // Whether get() would return at once. False for an empty future.
  bool ready() const { return job_ && job_->done(); }

  // False for a default-constructed or moved-from future; everything but ready() throws pp::Error
  // then.
  bool valid() const { return static_cast<bool>(job_); }

  // For the runtime: takes over one reference to the job.
  template <class Typed>
  explicit Future(Typed* job)
      : job_(job), outcome_([](runtime::Job& held) -> Stored& {
          return static_cast<Typed&>(held).outcome();
        }) {}

 private:
  bool wait_until(runtime::Clock::time_point deadline) const {
    if (!job_) throw Error("this future is empty: it was default-constructed or moved from");
    return job_->done() || runtime::wait_until_done(*job_, deadline);
  }

  runtime::JobReference<runtime::Job> job_;
  Stored& (*outcome_)(runtime::Job&) = nullptr;
};

}  // namespace pp
