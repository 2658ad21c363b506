// Job: where its memory comes from, and what its future asks of the node.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>
#include <mutex>
#include <new>
#include <pp/future.hpp>
#include <pp/job.hpp>
#include <pp/runtime.hpp>

#include "node.hpp"

namespace pp::runtime {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(PP_THREAD_SANITIZER)
constexpr bool kPooled = false;  // the sanitizers want to see every allocation
#else
constexpr bool kPooled = true;
#endif

constexpr std::size_t kClass = 64;       // sizes are multiples of this
constexpr std::size_t kClasses = 8;      // larger jobs come from the heap
constexpr std::size_t kMostFree = 1024;  // per class and thread

// Blocks freed on this thread, for the next jobs made on it.
class FreeBlocks {
 public:
  ~FreeBlocks() {
    for (List& list : lists_) {
      while (list.first != nullptr) ::operator delete(pop(list));
    }
  }

  void* take(std::size_t size_class) {
    List& list = lists_[size_class];
    return list.first != nullptr ? pop(list) : ::operator new((size_class + 1) * kClass);
  }

  void give(void* memory, std::size_t size_class) noexcept {
    List& list = lists_[size_class];
    if (list.length == kMostFree) return ::operator delete(memory);
    list.first = new (memory) Block{list.first};
    ++list.length;
  }

 private:
  struct Block {
    Block* next;
  };
  struct List {
    Block* first = nullptr;
    std::size_t length = 0;
  };
  static void* pop(List& list) {
    Block* block = list.first;
    list.first = block->next;
    --list.length;
    return block;
  }
  List lists_[kClasses];
};

thread_local FreeBlocks free_blocks;

}  // namespace

void* allocate_job(std::size_t bytes) {
  const std::size_t size_class = (bytes - 1) / kClass;
  if (!kPooled || size_class >= kClasses) return ::operator new(bytes);
  return free_blocks.take(size_class);
}

void free_job(void* memory, std::size_t bytes) noexcept {
  const std::size_t size_class = (bytes - 1) / kClass;
  if (!kPooled || size_class >= kClasses) return ::operator delete(memory);
  free_blocks.give(memory, size_class);
}

Failure describe_current_exception(const Job& job) {
  Failure failure = describe_current_exception();
  // What a child threw and its parent passed on keeps the names it has.
  if (failure.node.empty()) failure.node = job.node->name();
  if (failure.function.empty()) failure.function = job.function->name;
  return failure;
}

void decode_once(Job& job, void (*decode)(Job& job)) {
  static std::mutex decoding[16];  // a few, so that large results do not wait for each other
  const std::lock_guard lock(
      decoding[reinterpret_cast<std::uintptr_t>(&job) / kClass % std::size(decoding)]);
  if (!(job.state.load(std::memory_order_relaxed) & Job::kEncoded)) return;  // somebody was faster
  try {
    decode(job);
  } catch (...) {
    const std::string what = describe_current_exception().message;
    job.kind->store_failure(
        job, Failure::of(Failure::Kind::kUndecodable,
                         "pp: the result of " + std::string(job.function->name) + ": " + what));
  }
  // Release: publishes the decoded value to the acquire in TypedJob::outcome().
  job.state.fetch_and(~Job::kEncoded, std::memory_order_release);
}

bool wait_until_done(Job& job, Clock::time_point deadline) {
  const Worker* worker = Crew::current();
  if (worker != nullptr && worker->node == job.node) return worker->node->wait(job, deadline);
  return wait_outside(job, deadline);
}

bool wait_outside(Job& job, Clock::time_point deadline) {
  static_assert(sizeof job.state == sizeof(std::uint32_t) &&
                std::atomic<std::uint32_t>::is_always_lock_free);
  const auto since_boot =
      deadline
          .time_since_epoch();  // steady_clock is CLOCK_MONOTONIC, which is what the futex waits by
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
  timespec until{};
  until.tv_sec = seconds.count();
  until.tv_nsec = std::chrono::nanoseconds(since_boot - seconds).count();
  for (;;) {
    // Whoever finishes the job changes its phase in the same word: either it sees the flag, or we
    // see the phase, or the kernel finds another value than we saw and does not let us sleep.
    const std::uint32_t seen =
        job.state.fetch_or(Job::kAwaited, std::memory_order_acq_rel) | Job::kAwaited;
    if ((seen & Job::kPhaseMask) == Job::kDone) return true;
    const long woken = syscall(SYS_futex, &job.state, FUTEX_WAIT_BITSET_PRIVATE, seen,
                               deadline == Clock::time_point::max() ? nullptr : &until, nullptr,
                               FUTEX_BITSET_MATCH_ANY);
    if (woken != 0 && errno == ETIMEDOUT) return job.done();
  }
}

void wake_outside_waiters(Job& job) noexcept {
  syscall(SYS_futex, &job.state, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void spawn(Job& job) {
  Worker* worker = Crew::current();
  if (worker == nullptr) {
    job.release();
    throw Error("pp::spawn works inside jobs; from outside use Runtime::submit");
  }
  worker->node->spawn(*worker, job);
}

void submit(Node& node, Job& job) { node.submit(job); }

}  // namespace pp::runtime

namespace pp {

bool work_wanted() noexcept {
  const runtime::Worker* worker = runtime::Crew::current();
  return worker != nullptr && worker->node->crew().wants_from(*worker);
}

}  // namespace pp
