// Job: a function, its arguments and the place for its result; one atomic says who may run it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <pp/errors.hpp>
#include <pp/function_table.hpp>
#include <pp/job_options.hpp>
#include <span>

#pragma GCC visibility push(default)

namespace pp::runtime {

class Home;
class Node;
class Parker;
struct Job;
struct Particulars;

// How an execution ended.
enum class Ran : std::uint8_t {
  kSettled,  // its outcome is stored
  kTooLate,  // the job was settled otherwise meanwhile (its time was over): its outcome is dropped
  kSuspended,  // a coroutine that waits: somebody queues the job again and may have done so
               // already, so it is not to be touched any more
};

// What the runtime can do with a job whose type it does not know. One constant per kind of job.
struct JobKind {
  // Runs it where it stands and stores the value or the failure. Called once per claim, by its
  // holder. Throws nothing.
  Ran (*run)(Job& job) noexcept;
  // Appends the encoded arguments; null for a job that cannot be lent.
  void (*encode_arguments)(const Job& job, codec::Bytes& out);
  // Stores a result that came from another node, or a failure. Called once, by the holder of the
  // claim, on the courier: it runs no code of the user's. `memory`, if it is not null, is where the
  // result lies, and may be taken. True: the value was such that it is decoded already.
  bool (*store_encoded)(Job& job, std::span<const std::byte> result, codec::Bytes* memory);
  void (*store_failure)(Job& job, Failure&& failure);
  // Decodes what store_encoded() stored, for the first reader; null for a job that cannot be lent.
  void (*decode)(Job& job);
  // What it failed with, null for a value or a result not decoded yet. REQUIRES: done().
  const Failure* (*failure)(const Job& job);
  // Sends the outcome home when the job was run for another node; null for a job of this node.
  void (*deliver)(Job& job) noexcept;
  void (*destroy)(Job* job) noexcept;
};

// Somebody who is told when a job is done.
class Watcher {
 public:
  // Called once, by whoever finished the job and on that thread, with no lock held. Quick, runs no
  // user code. The watcher owns itself from here on.
  virtual void done(Job& job) noexcept = 0;

 protected:
  Watcher() = default;
  explicit Watcher(Parker* sleeper) : parker_(sleeper) {}
  ~Watcher() = default;

 private:
  friend bool watch(Job& job, Watcher& watcher);
  friend bool unwatch(Job& job, Watcher& watcher);
  friend void tell_watchers(Job& job);
  friend void nudge(Job& job);

  Watcher* next_ = nullptr;
  // Not null: a thread that sleeps; it is woken under the lock instead of done() being called,
  // since the watcher lies on its stack.
  Parker* parker_ = nullptr;
};

// REQUIRES: whoever changes `state` away from Queued (the claim) alone may run it, lend it or
// finish it.
struct Job {
  enum Phase : std::uint32_t {
    kQueued = 0,   // nobody has begun it
    kRunning = 1,  // a worker of this node runs it, or it is a coroutine that waits
    kLent = 2,     // another node has it
    kDone = 3,     // its outcome is stored
  };
  static constexpr std::uint32_t kPhaseMask = 3;
  static constexpr std::uint32_t kWatched = 4;  // somebody is in `watchers`
  static constexpr std::uint32_t kEncoded = 8;  // the value came from afar, not decoded yet
  static constexpr std::uint32_t kAwaited =
      16;                                     // a thread waits on the state: wake_outside_waiters()
  static constexpr std::uint32_t kStop = 32;  // it is told to stop, or not to begin
  static constexpr std::uint32_t kShared = 64;  // others read the value: it is not to be moved out
  static constexpr std::uint32_t kSeen = 128;   // somebody has looked at its failure
  static constexpr std::uint32_t kCoroutine = 256;  // what it waits for may be any other job
  static constexpr std::uint32_t kBegun = 512;  // a coroutine that has waited: it is resumed, not
                                                // refused, so that its variables end in order
  static constexpr std::uint32_t kOutside = 1024;  // no job has spawned it: when the program is
                                                   // asked to end it is not begun any more

  Job(const JobKind& kind_, const Function* function_, std::uint32_t references_)
      : references(references_), kind(&kind_), function(function_) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() {
    // Relaxed: whoever destroys it has seen the last release().
    if (particulars.load(std::memory_order_relaxed) != nullptr) drop_particulars();
  }

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
  // of the claim, who keeps a reference; runtime::finish() is what to call. Release: publishes the
  // outcome to done(); acquire: pairs with watch() and wait_outside().
  [[nodiscard]] std::uint32_t mark_done() noexcept {
    const std::uint32_t phase = state.load(std::memory_order_relaxed) & kPhaseMask;
    return state.fetch_add(kDone - phase, std::memory_order_acq_rel);
  }

  // True for the one who may store the outcome. Only the outcome of a job with a limit of time can
  // be settled by two: its execution, and the end of its time.
  bool settle() noexcept {
    return particulars.load(std::memory_order_relaxed) == nullptr || settle_timed();
  }

  // Acquire: pairs with the release in mark_done(); after true the outcome may be read.
  bool done() const noexcept {
    return (state.load(std::memory_order_acquire) & kPhaseMask) == kDone;
  }
  bool queued() const noexcept {
    return (state.load(std::memory_order_relaxed) & kPhaseMask) == kQueued;
  }
  // Relaxed: a request; what is done because of it needs no more of the one who asked.
  bool told_to_stop() const noexcept {
    return (state.load(std::memory_order_relaxed) & kStop) != 0;
  }
  // Whether workers of its own node may run it.
  bool runs_here() const noexcept {
    return place == Where::Kind::kAnywhere || place == Where::Kind::kHere;
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
  bool stays = false;     // its arguments cannot travel; known once somebody tried. Only for the
                          // holder of the claim
  bool borrowed = false;  // another node's, lent to this one
  Priority priority = Priority::kNormal;  // these two: set before it is submitted
  Where::Kind place = Where::Kind::kAnywhere;
  const JobKind* kind;
  const Function* function;
  Home* home = nullptr;  // of the owner; set when it is submitted
  std::uint64_t id = 0;  // the same whenever the program is run with the same input; set likewise
  Watcher* watchers = nullptr;  // under the lock of watch()
  // What few jobs have; made when first needed, by anybody. Release/acquire: publishes its content.
  std::atomic<Particulars*> particulars{nullptr};

 private:
  bool settle_timed() noexcept;
  void drop_particulars() noexcept;
};

// The identity of the n-th child of a job, or of the n-th job of a node's program.
constexpr std::uint64_t derive(std::uint64_t parent, std::uint64_t n) {
  // SplitMix64's finisher: all bits of both count, so that trees of any shape do not meet.
  std::uint64_t x = parent + (n + 1) * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Asks to be told. False: the job is done already, and the watcher is not called.
bool watch(Job& job, Watcher& watcher);
// True: the watcher is out again and will not be called. False: it was called, or is about to be.
bool unwatch(Job& job, Watcher& watcher);
// For finish(): the job is done and somebody watches.
void tell_watchers(Job& job);
// The job is queued again: threads that sleep for it look at it anew.
void nudge(Job& job);

// Blocks a thread that is no worker until the job is done or `deadline` has come; true when it is
// done. It touches nothing but the job, so the node may end meanwhile.
bool wait_outside(Job& job, std::chrono::steady_clock::time_point deadline);
void wake_outside_waiters(Job& job) noexcept;

// The rest of finish(): wakes and tells who waits, as the flags say that mark_done() gave.
inline void tell_done(Job& job, std::uint32_t waiting) {
  if (waiting & Job::kAwaited) wake_outside_waiters(job);
  if (waiting & Job::kWatched) tell_watchers(job);
}

// The job's outcome is stored: marks it done, wakes and tells who waits. REQUIRES: as mark_done().
inline void finish(Job& job) { tell_done(job, job.mark_done()); }

// Memory for jobs: a few sizes, kept per thread. May be freed on another thread than it was taken
// on.
void* allocate_job(std::size_t bytes);
void free_job(void* memory, std::size_t bytes) noexcept;

// Calls the kind's decode for the first of all readers, under a lock; if it throws, stores the
// failure instead. Clears kEncoded.
void decode_once(Job& job);

// Describes the exception being handled, which the job threw on its own node. REQUIRES: called from
// a catch block.
Failure describe_current_exception(const Job& job);

// The last reference to a job that failed is gone, and nobody has asked how it ended.
void report_unseen(const Job& job, const Failure& failure) noexcept;

}  // namespace pp::runtime

#pragma GCC visibility pop
