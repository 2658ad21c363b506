// Executor: tickets in a oneTBB arena. Compiled without ThreadSanitizer, which does not see the
// synchronisation inside the packaged (uninstrumented) oneTBB: the annotations below tell it the
// one thing it must know about a ticket.
#include "executor.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>

#if defined(PP_THREAD_SANITIZER)
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#else
static inline void __tsan_acquire(void*) {}
static inline void __tsan_release(void*) {}
#endif

namespace pp::runtime {

namespace {

constexpr std::size_t kMostThreads = 1024;
constexpr unsigned kFirstSlots = 64;  // 3 us to make with one, 5 with 64, 20 with 1024

// oneTBB's limits belong to the process, and several controls combine by their minimum; so all
// executors of a process share one, replaced whenever the sum of their workers changes.
class ProcessLimits {
 public:
  static ProcessLimits& instance() {
    static ProcessLimits limits;
    return limits;
  }

  // Threads that outlive main() would take oneTBB apart beside the destructors of static objects.
  // Not while a job runs (it may be the one that calls exit), nor in a child that was forked
  // without them.
  ~ProcessLimits() {
    if (workers_ == 0 && process_ == getpid()) Executor::end_threads();
  }

  void change(unsigned from, unsigned to, std::size_t stack_bytes) {
    const std::lock_guard lock(mutex_);
    workers_ += to;
    workers_ -= from;
    if (stack_bytes > stack_bytes_) {
      stack_bytes_ = stack_bytes;
      stack_.emplace(oneapi::tbb::global_control::thread_stack_size, stack_bytes_);
    }
    renew();
  }

  // An arena made while the limit is lower than its slots would bring a warning on stderr; and the
  // first one fixes how many threads there can ever be while oneTBB is in use (256, or this limit).
  // Later ones raise the limit no further than they must: for that moment the arenas that are busy
  // are given as many threads as it and their slots allow, and threads once begun stay.
  void initialize(oneapi::tbb::task_arena& arena, std::size_t slots) {
    const std::lock_guard lock(mutex_);
    limit(arenas_++ == 0 ? kMostThreads : std::max(slots, workers_));
    arena.initialize();
    renew();
  }
  void terminate(oneapi::tbb::task_arena& arena) {
    const std::lock_guard lock(mutex_);
    arena.terminate();
    --arenas_;
  }

 private:
  // oneTBB counts a master thread, and ours only enqueue.
  void limit(std::size_t threads) {
    parallelism_.reset();  // first: two at once would mean the smaller one
    parallelism_.emplace(oneapi::tbb::global_control::max_allowed_parallelism, threads + 1);
  }

  void renew() {
    if (workers_ == 0) {
      parallelism_.reset();
    } else {
      limit(workers_);
    }
  }

  const pid_t process_ = getpid();
  std::mutex mutex_;
  std::size_t workers_ = 0;
  std::size_t arenas_ = 0;
  std::size_t stack_bytes_ = 0;
  std::optional<oneapi::tbb::global_control> stack_;
  std::optional<oneapi::tbb::global_control> parallelism_;
};

}  // namespace

struct Executor::Arena {
  explicit Arena(unsigned slots_) : slots(slots_), arena(static_cast<int>(slots_), 0) {
    ProcessLimits::instance().initialize(arena, slots);
  }
  ~Arena() { ProcessLimits::instance().terminate(arena); }

  const unsigned slots;
  oneapi::tbb::task_arena arena;
};

Executor::Executor(unsigned workers, std::size_t stack_bytes, TicketHolder& holder)
    : holder_(holder), workers_(workers) {
  ProcessLimits::instance().change(0, workers, stack_bytes);
  grow(std::max(workers, kFirstSlots));
}

Executor::~Executor() {
  arenas_.clear();
  ProcessLimits::instance().change(workers_, 0, 0);
}

void Executor::grow(unsigned slots) {
  arenas_.push_back(std::make_unique<Arena>(slots));
  arena_.store(arenas_.back().get(), std::memory_order_release);
}

void Executor::allow(unsigned workers) {
  if (workers == workers_) return;
  const unsigned slots = arenas_.back()->slots;
  if (workers > slots) grow(std::max(workers, 2 * slots));
  ProcessLimits::instance().change(workers_, workers, 0);
  workers_ = workers;
}

void Executor::draw_ticket() {
  Arena* arena = arena_.load(std::memory_order_acquire);
  __tsan_release(arena);
  arena->arena.enqueue([this, arena] {
    __tsan_acquire(arena);
    if (holder_.serve_ticket()) draw_ticket();
  });
}

void Executor::end_threads() noexcept {
  oneapi::tbb::task_scheduler_handle handle{oneapi::tbb::attach{}};
  oneapi::tbb::finalize(handle,
                        std::nothrow);  // refused while the program itself uses oneTBB: as well
}

unsigned Executor::allowed_workers() {
  return static_cast<unsigned>(oneapi::tbb::global_control::active_value(
             oneapi::tbb::global_control::max_allowed_parallelism)) -
         1;
}

}  // namespace pp::runtime
