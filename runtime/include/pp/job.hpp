// Job: a function, its arguments and the place for its result; one atomic says who may run it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pp/codec.hpp>
#include <pp/errors.hpp>
#include <pp/function_table.hpp>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

namespace pp::runtime {

class Node;
struct Job;

// What the runtime can do with a job whose type it does not know. One constant per kind of job.
struct JobKind {
  // Runs it where it stands and stores the value or the failure. Called once, by the holder of the
  // claim. Throws nothing.
  void (*run)(Job& job) noexcept;
  // Appends the encoded arguments; null for a job that cannot be lent.
  void (*encode_arguments)(const Job& job, codec::Bytes& out);
  // Stores a result that came from another node (still encoded) or a failure. Called once, by the
  // holder of the claim.
  void (*store_encoded)(Job& job, codec::Bytes&& result);
  void (*store_failure)(Job& job, Failure&& failure);
  // Sends the outcome home when the job was run for another node; null for a job of this node.
  void (*deliver)(Job& job) noexcept;
  void (*destroy)(Job* job) noexcept;
};

// REQUIRES: whoever changes `state` away from Queued (the claim) alone may run it, lend it or
// finish it.
struct Job {
  enum Phase : std::uint32_t {
    kQueued = 0,   // nobody has begun it
    kRunning = 1,  // a worker of this node runs it
    kLent = 2,     // another node has it
    kDone = 3,     // its outcome is stored
  };
  static constexpr std::uint32_t kPhaseMask = 3;
  static constexpr std::uint32_t kWatched = 4;  // a worker waits: WatchList::done() is to be told
  static constexpr std::uint32_t kAwaited =
      16;  // another thread waits on the state itself: wake_outside_waiters()
  static constexpr std::uint32_t kEncoded =
      8;  // the value came from afar and nobody has decoded it yet

  Job(const JobKind& kind_, const Function* function_, std::uint32_t references_)
      : references(references_), kind(&kind_), function(function_) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // The claim: true for exactly one caller. Acquire: pairs with the release in unclaim(), so that a
  // second execution sees what the first attempt left; the job's own content is published by the
  // queue that hands the pointer over.
  bool claim(Phase next) noexcept {
    std::uint32_t seen = state.load(std::memory_order_relaxed);
    while ((seen & kPhaseMask) == kQueued) {
      if (state.compare_exchange_weak(seen, seen | next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Gives the claim back. REQUIRES: called by its holder. Release: pairs with the acquire in
  // claim().
  // Returns the flags: see kWatched.
  std::uint32_t unclaim() noexcept {
    return state.fetch_sub(state.load(std::memory_order_relaxed) & kPhaseMask,
                           std::memory_order_acq_rel);
  }

  // The outcome is stored. Returns the flags, which say who waits. REQUIRES: called by the holder
  // of the claim, who keeps a reference. Release: publishes the outcome to done(); acquire: pairs
  // with WatchList::watch() and wait_outside().
  [[nodiscard]] std::uint32_t finish() noexcept {
    const std::uint32_t phase = state.load(std::memory_order_relaxed) & kPhaseMask;
    return state.fetch_add(kDone - phase, std::memory_order_acq_rel);
  }

  // Acquire: pairs with the release in finish(); after true the outcome may be read.
  bool done() const noexcept {
    return (state.load(std::memory_order_acquire) & kPhaseMask) == kDone;
  }
  bool queued() const noexcept {
    return (state.load(std::memory_order_relaxed) & kPhaseMask) == kQueued;
  }

  // Relaxed: a new reference is only ever made from one that is held.
  void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  // Acquire-release: what every holder did to the job happens before its destruction.
  void release() noexcept {
    // The last holder needs no atomic subtraction: nobody else is left who could change the count.
    if (references.load(std::memory_order_acquire) == 1 ||
        references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      kind->destroy(this);
    }
  }

  std::atomic<std::uint32_t> state{kQueued};
  std::atomic<std::uint32_t> references;
  std::uint32_t attempt =
      1;  // the execution that is next or under way; changed by the courier between claims
  bool stays = false;  // its arguments cannot travel; known once somebody tried. Only for the
                       // holder of the claim
  const JobKind* kind;
  const Function* function;
  Node* node = nullptr;  // the owner; set when it is submitted
  std::unique_ptr<std::string>
      losses;  // how earlier attempts ended, if any did; the courier's alone
};

// Blocks a thread that is no worker until the job is done or `deadline` has come; true when it is
// done. It touches nothing but the job, so the node may end meanwhile.
bool wait_outside(Job& job, std::chrono::steady_clock::time_point deadline);
void wake_outside_waiters(Job& job) noexcept;

// Memory for jobs: a few sizes, kept per thread. May be freed on another thread than it was taken
// on.
void* allocate_job(std::size_t bytes);
void free_job(void* memory, std::size_t bytes) noexcept;

// Calls `decode` for the first of all readers, under a lock; if it throws, stores the failure
// instead. Clears kEncoded.
void decode_once(Job& job, void (*decode)(Job& job));

// Describes the exception being handled, which the job threw on its own node. REQUIRES: called from
// a catch block.
Failure describe_current_exception(const Job& job);

// Nothing, as a value: the result of a void function.
struct Nothing {};

// A job in memory, typed: nothing is encoded unless it is lent. `Callable` is Constant<f> or a
// stateless functor.
template <class Callable>
class TypedJob final : public Job {
 public:
  using Arguments = arguments_of<Callable>;
  using Result = result_of<Callable>;
  using Stored = std::conditional_t<std::is_void_v<Result>, Nothing, Result>;

  template <class... A>
  explicit TypedJob(A&&... arguments)
      : Job(kKind, &function_of<Callable>(), 2), arguments_(std::forward<A>(arguments)...) {}

  static void* operator new(std::size_t bytes) { return allocate_job(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_job(memory, bytes); }

  // The value, or throws what the failure stands for. REQUIRES: done(). The first reader of a
  // result from afar decodes it; any number of threads may ask at once.
  Stored& outcome() {
    // Acquire: pairs with the release in decode_once(), for readers that come after the one who
    // decoded.
    if (state.load(std::memory_order_acquire) & kEncoded)
      decode_once(*this, &TypedJob::decode_outcome);
    if (outcome_.index() == kFailed) raise(*std::get<kFailed>(outcome_));
    return std::get<kValue>(outcome_);
  }

 private:
  enum : std::size_t { kNone, kValue, kFailed, kEncodedValue };

  static TypedJob& typed(Job& job) { return static_cast<TypedJob&>(job); }

  static void run_here(Job& job) noexcept {
    TypedJob& self = typed(job);
    try {
      if constexpr (std::is_void_v<Result>) {
        std::apply(Callable{}, std::move(self.arguments_));
        self.outcome_.template emplace<kValue>();
      } else {
        self.outcome_.template emplace<kValue>(std::apply(Callable{}, std::move(self.arguments_)));
      }
    } catch (...) {
      self.fail(describe_current_exception(job));
    }
  }

  void fail(Failure&& failure) {
    outcome_.template emplace<kFailed>(std::make_unique<Failure>(std::move(failure)));
  }

  static void decode_outcome(Job& job) {
    TypedJob& self = typed(job);
    const codec::Bytes encoded = std::get<kEncodedValue>(std::move(self.outcome_));
    if constexpr (std::is_void_v<Result>) {
      codec::decode_whole<std::tuple<>>(encoded);
      self.outcome_.template emplace<kValue>();
    } else {
      self.outcome_.template emplace<kValue>(codec::decode_whole<Result>(encoded));
    }
  }

  Arguments arguments_;
  std::variant<std::monostate, Stored, std::unique_ptr<Failure>, codec::Bytes> outcome_;

  static constexpr JobKind kKind{
      &TypedJob::run_here,
      [](const Job& job, codec::Bytes& out) {
        codec::encode(out, static_cast<const TypedJob&>(job).arguments_);
      },
      [](Job& job, codec::Bytes&& result) {
        typed(job).outcome_.template emplace<kEncodedValue>(std::move(result));
      },
      [](Job& job, Failure&& failure) { typed(job).fail(std::move(failure)); },
      nullptr,
      [](Job* job) noexcept { delete static_cast<TypedJob*>(job); },
  };
};

}  // namespace pp::runtime
