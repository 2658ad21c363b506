// FakeJobs: jobs that do nothing, for the tests of parts that only pass jobs on.
#pragma once

#include <cstddef>
#include <memory>
#include <pp/codec.hpp>
#include <pp/job.hpp>
#include <span>
#include <vector>

namespace pp::runtime {

// The world that a test's jobs live in: it keeps one reference to each, so that jobs can be looked
// at whatever the tested part does with its own.
class FakeJobs {
 public:
  FakeJobs() = default;
  FakeJobs(const FakeJobs&) = delete;
  FakeJobs& operator=(const FakeJobs&) = delete;
  ~FakeJobs() {
    for (Job* job : kept_) job->release();
  }

  // May be lent. The caller has one reference to give away.
  Job* travelling() { return make(kTravelling); }
  // Runs on this node only.
  Job* staying() { return make(kStaying); }

  // Lent to this node by another one.
  Job* borrowed() {
    Job* job = travelling();
    job->borrowed = true;
    return job;
  }

  // Jobs that nobody refers to but this world.
  std::size_t released() const {
    std::size_t count = 0;
    for (const Job* job : kept_) count += job->references.load() == 1 ? 1u : 0u;
    return count;
  }

  static Job::Phase phase(const Job& job) {
    return static_cast<Job::Phase>(job.state.load() & Job::kPhaseMask);
  }

 private:
  static Ran run(Job&) noexcept { return Ran::kSettled; }
  static void encode(const Job&, codec::Bytes&) {}
  static bool take_result(Job&, std::span<const std::byte>, codec::Bytes*) { return false; }
  static void take_failure(Job&, Failure&&) {}
  static void destroy(Job* job) noexcept { delete job; }

  Job* make(const Function& function) {
    Job* job = new Job(kKind, &function, 2);
    kept_.push_back(job);
    return job;
  }

  static constexpr JobKind kKind{.run = &run,
                                 .encode_arguments = &encode,
                                 .store_encoded = &take_result,
                                 .store_failure = &take_failure,
                                 .decode = nullptr,
                                 .failure = nullptr,
                                 .deliver = nullptr,
                                 .destroy = &destroy};
  static constexpr Function function(bool travels) {
    return {"fake",
            "fake",
            1,
            1,
            nullptr,
            travels,
            travels ? Function::Standing::kTravels : Function::Standing::kAmbiguous,
            nullptr};
  }
  static const Function kTravelling;
  static const Function kStaying;

  std::vector<Job*> kept_;
};

inline constinit const Function FakeJobs::kTravelling = FakeJobs::function(true);
inline constinit const Function FakeJobs::kStaying = FakeJobs::function(false);

}  // namespace pp::runtime
