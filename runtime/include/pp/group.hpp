// Group: jobs that are waited for, counted and cancelled together.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <pp/runtime.hpp>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

// Jobs of one purpose. Any thread may call any member, and several at once. Dropping a group leaves
// its jobs alone: they run, as those of dropped futures do. It keeps no job that has ended well, so
// that it may be fed for ever.
//   pp::Group frames(rt);
//   for (int i = 0; i < 100; ++i) frames.submit<render>(scene, i);
//   frames.wait();
class Group {
 public:
  // Submits to this runtime, which must outlive the calls of submit(), not the group.
  explicit Group(Runtime& rt);
  // Inside a job: its jobs are children of the one that submits. Throws pp::Error elsewhere.
  Group();

  // As Runtime::submit, in all its forms; the future may be dropped.
  template <auto f, class... A>
  auto submit(A&&... arguments) {
    return submit_job(runtime::prepare<runtime::Constant<f>>(std::forward<A>(arguments)...));
  }
  template <runtime::Functor F, class... A>
  auto submit(F, A&&... arguments) {
    return submit_job(runtime::prepare<F>(std::forward<A>(arguments)...));
  }
  template <runtime::Functor F, class... A>
  auto submit(JobOptions options, F, A&&... arguments) {
    return submit_job(runtime::prepare<F>(std::move(options), std::forward<A>(arguments)...));
  }

  // Returns when all jobs submitted so far, and those submitted meanwhile, are done. Then throws
  // what the first that failed threw, if one did (each time it is called); jobs that were cancelled
  // do not count as failed. Inside a job it runs others meanwhile.
  void wait();
  // The same with a limit: false when it was over first, and then nothing is thrown.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> limit) {
    return wait_until(runtime::after(limit));
  }

  // Cancels every job that is not done: see Future::cancel. Jobs submitted later are not concerned.
  void cancel();

  // How many jobs there are, and how they ended.
  struct Counts {
    std::uint64_t total = 0;      // submitted so far
    std::uint64_t done = 0;       // ended in whatever way
    std::uint64_t failed = 0;     // they threw, were lost, took too long
    std::uint64_t cancelled = 0;  // never ran, or gave up when told to stop
  };
  // A moment ago.
  Counts counts() const;

  // What the failed ones threw, in the order in which they ended.
  std::vector<std::exception_ptr> errors() const;

 private:
  struct Members;
  class Member;

  template <class J>
  Future<typename J::Result> submit_job(J* job) {
    Future<typename J::Result> future(job);
    add(*job);
    submit_to(*job);
    return future;
  }
  void add(runtime::Job& job);
  void submit_to(runtime::Job& job);
  bool wait_until(runtime::Clock::time_point deadline);

  explicit Group(runtime::Node& node);

  runtime::Node& node_;        // for submit() alone
  runtime::Home* const home_;  // outlives it
  const std::shared_ptr<Members> members_;
};

}  // namespace pp

#pragma GCC visibility pop
