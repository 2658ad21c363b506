// Executor: tickets in a oneTBB arena. Compiled without ThreadSanitizer, which does not see the
// synchronisation inside the packaged (uninstrumented) oneTBB: the annotations below tell it the
// one thing it must know about a ticket.
#include "executor.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

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

// oneTBB's limits belong to the process, and several controls combine by their minimum; so all
// executors of a process share one, replaced whenever the sum of their workers changes.
class ProcessLimits {
 public:
  static ProcessLimits& instance() {
    static ProcessLimits limits;
    return limits;
  }

  void add(unsigned workers, std::size_t stack_bytes) {
    const std::lock_guard lock(mutex_);
    workers_ += workers;
    if (stack_bytes > stack_bytes_) {
      stack_bytes_ = stack_bytes;
      stack_.emplace(oneapi::tbb::global_control::thread_stack_size, stack_bytes_);
    }
    renew();
  }

  void remove(unsigned workers) {
    const std::lock_guard lock(mutex_);
    workers_ -= workers;
    renew();
  }

 private:
  void renew() {
    parallelism_.reset();  // first: two at once would mean the smaller one
    if (workers_ == 0) return;
    // One more than the workers: oneTBB counts a master thread, and ours only enqueue.
    parallelism_.emplace(oneapi::tbb::global_control::max_allowed_parallelism, workers_ + 1);
  }

  std::mutex mutex_;
  std::size_t workers_ = 0;
  std::size_t stack_bytes_ = 0;
  std::optional<oneapi::tbb::global_control> stack_;
  std::optional<oneapi::tbb::global_control> parallelism_;
};

}  // namespace

struct Executor::Arena {
  Arena(unsigned workers_, TicketHolder& holder_)
      : workers(workers_), holder(holder_), arena(static_cast<int>(workers_), 0) {}

  void draw() {
    __tsan_release(this);
    arena.enqueue([this] {
      __tsan_acquire(this);
      if (holder.serve_ticket()) draw();
    });
  }

  const unsigned workers;
  TicketHolder& holder;
  oneapi::tbb::task_arena arena;
};

Executor::Executor(unsigned workers, std::size_t stack_bytes, TicketHolder& holder) {
  ProcessLimits::instance().add(workers, stack_bytes);
  arena_ = std::make_unique<Arena>(workers, holder);
  arena_->arena.initialize();
}

Executor::~Executor() {
  const unsigned workers = arena_->workers;
  arena_.reset();
  ProcessLimits::instance().remove(workers);
}

void Executor::draw_ticket() { arena_->draw(); }

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
