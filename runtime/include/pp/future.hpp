// Future: the promise of one job's result, delivered exactly once.
#pragma once

#include <chrono>
#include <pp/result_job.hpp>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace pp {

template <class T>
class Future;

// What became of a job that was to be cancelled.
enum class Cancellation : std::uint8_t {
  kNeverRan,    // nobody had begun it: it fails with Cancelled
  kToldToStop,  // it was begun, or another node has it: its stop token says so. It may still give
                // its value, if it does not look or was nearly done
  kFinished,    // it was done before
};

namespace runtime {

using Clock = std::chrono::steady_clock;

// Waits until the job is done or `deadline` has come (max: for ever); true when it is done. On a
// worker it runs other jobs meanwhile, the awaited one first.
bool wait_until_done(Job& job, Clock::time_point deadline);

Cancellation cancel(Job& job);

// Queues `next` on `job`'s node when `job` is done, or now if it is. Takes over one reference to
// `next`.
void continue_with(Job& job, Job& next);

// The instant, or never if it lies further away than the clock reaches.
template <class Rep, class Period>
Clock::time_point after(std::chrono::duration<Rep, Period> limit) {
  const Clock::time_point now = Clock::now();
  if (std::chrono::duration<double>(limit) > Clock::time_point::max() - now)
    return Clock::time_point::max();
  return now + std::chrono::ceil<Clock::duration>(limit);
}

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

// What then() makes of a callback: called with the value if it takes that (so a generic one is
// given the value), otherwise with the ready future.
template <class T, class F>
inline constexpr bool kTakesValue = std::is_invocable_v<F&, const T&>;
template <class F>
inline constexpr bool kTakesValue<void, F> = std::is_invocable_v<F&>;
template <class T, class F>
decltype(auto) call_with(F& callback, const Future<T>& ready) {
  if constexpr (!kTakesValue<T, F>) {
    static_assert(std::is_invocable_v<F&, const Future<T>&>,
                  "pp: the callback of then() takes neither the job's value (const T&, or nothing "
                  "for void) nor its future (const pp::Future<T>&)");
    return callback(ready);
  } else if constexpr (std::is_void_v<T>) {
    ready.get();
    return callback();
  } else {
    return callback(ready.get());
  }
}

}  // namespace runtime

// The promise of one job's result. Movable, not copyable; dropping it is fine, the job still runs.
// Every member may be called from any thread, inside and outside jobs, as often as you like.
//
// Inside a job, get() and wait() run other jobs on the same stack while they wait. So hold no lock
// across them, and let a job wait only for jobs that it submitted itself.
//
// A thread outside of jobs that waits for one future after the other, and submits nothing between,
// may get a result up to an eighth of the time that it has been doing so late, 10 ms at most, while
// all workers have jobs to run, and as long again if it comes from another node: to be woken for
// each would take them a core.
template <class T>
class Future {
  using Stored = typename runtime::ResultJob<T>::Stored;

 public:
  // What get() gives.
  using value_type = T;

  // An empty future: everything but ready(), valid() and assignment throws pp::Error.
  Future() = default;

  // The result, or the job's error: what the function threw (see JobError), NodeLost, Cancelled,
  // Timeout, or Closed when the runtime ended first. Repeatable. The reference lives as long as
  // this future; a temporary future gives the value away instead.
  decltype(auto) get() const& {
    wait();
    if constexpr (std::is_void_v<T>) {
      job_->outcome();
    } else {
      return static_cast<const T&>(job_->outcome());
    }
  }
  T get() && {
    wait();
    if constexpr (std::is_void_v<T>) {
      job_->outcome();
    } else {
      if constexpr (std::is_copy_constructible_v<T>) {
        // A callback of then() may be reading it.
        if (job_->state.load(std::memory_order_relaxed) & runtime::Job::kShared)
          return job_->outcome();
      }
      return std::move(job_->outcome());
    }
  }

  // Returns when the job is done, in whatever way; throws nothing of the job's.
  void wait() const { wait_until(runtime::Clock::time_point::max()); }

  // True when the job was done within `limit`. Runs other jobs meanwhile if called inside a job, so
  // it may return later than that.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> limit) const {
    return wait_until(runtime::after(limit));
  }

  // Whether get() would return at once. False for an empty future.
  bool ready() const { return job_ && job_->done(); }

  // False for a default-constructed or moved-from future.
  bool valid() const { return static_cast<bool>(job_); }

  // The job is not wanted any more. One that nobody has begun never runs; one that runs, here or on
  // another node, is told by its stop token (see this_job()). The callbacks registered on that
  // token run on this thread if the job runs on this node.
  Cancellation cancel() const { return runtime::cancel(job()); }

  // Calls `callback`, which may capture, on a worker of this node when the job is done; at once if
  // it is. It is given the value (a `const T&`, or nothing for void); then a failure of the job
  // passes to the future returned here, and the callback is not called. Or, if that is what it
  // takes, a `const Future<T>&` that is ready, whatever the job ended with. What it returns or
  // throws is the outcome of the future returned here. It may submit jobs and wait for them.
  //   rt.submit<render>(scene).then([&](const Image& image) { window.show(image); });
  template <class F>
  auto then(F callback) const {
    job().state.fetch_or(runtime::Job::kShared, std::memory_order_relaxed);
    auto next = [callback = std::move(callback), done = another()]() mutable -> decltype(auto) {
      return runtime::call_with<T>(callback, done);
    };
    auto* made = new runtime::CallbackJob<decltype(next)>(std::move(next));
    made->id = runtime::derive(job_->id, kThen);
    Future<typename runtime::CallbackJob<decltype(next)>::Result> future(made);
    runtime::continue_with(*job_, *made);
    return future;
  }

  // For the runtime: takes over one reference to the job.
  explicit Future(runtime::ResultJob<T>* job) : job_(job) {}
  // For the runtime: throws pp::Error if the future is empty.
  runtime::ResultJob<T>& job() const {
    if (!job_) throw Error("this future is empty: it was default-constructed or moved from");
    return *job_;
  }

 private:
  static constexpr std::uint64_t kThen = 0x7468656e;  // where the identities of callbacks begin

  Future another() const {
    job_->retain();
    return Future(&*job_);
  }

  bool wait_until(runtime::Clock::time_point deadline) const {
    runtime::ResultJob<T>& awaited = job();
    return awaited.done() || runtime::wait_until_done(awaited, deadline);
  }

  runtime::JobReference<runtime::ResultJob<T>> job_;
};

}  // namespace pp

#pragma GCC visibility pop
