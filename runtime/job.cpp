// Job: where its memory comes from, and what its future asks of the node.
#include <mutex>
#include <new>
#include <pp/future.hpp>
#include <pp/job.hpp>
#include <pp/runtime.hpp>

#include "futex.hpp"
#include "home.hpp"
#include "node.hpp"
#include "particulars.hpp"
#include "patience.hpp"
#include "status_line.hpp"

namespace pp::runtime {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(PP_THREAD_SANITIZER)
constexpr bool kPooled = false;  // the sanitizers want to see every allocation
#else
constexpr bool kPooled = true;
#endif

constexpr std::size_t kClass = 32;       // sizes are multiples of this
constexpr std::size_t kClasses = 16;     // larger jobs come from the heap
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
  if (failure.node.empty()) failure.node = job.home->name();
  if (failure.function.empty()) {
    failure.function = title_of(job);
    failure.attempt = job.attempt;
  }
  return failure;
}

void decode_once(Job& job) {
  static std::mutex decoding[16];  // a few, so that large results do not wait for each other
  const std::lock_guard lock(
      decoding[reinterpret_cast<std::uintptr_t>(&job) / kClass % std::size(decoding)]);
  if (!(job.state.load(std::memory_order_relaxed) & Job::kEncoded)) return;  // somebody was faster
  Luggage luggage;
  if (const Particulars* particulars = find_particulars(job))
    luggage = Luggage(Luggage::kEager, particulars->blobs);
  const Luggage::Scope scope(&luggage);
  try {
    job.kind->decode(job);
  } catch (...) {
    const std::string what = describe_current_exception().message;
    job.kind->store_failure(job, Failure::of(Failure::Kind::kUndecodable,
                                             "pp: the result of " + title_of(job) + ": " + what));
  }
  // Release: publishes the decoded value to the acquire in ResultJob::outcome().
  job.state.fetch_and(~Job::kEncoded, std::memory_order_release);
}

void report_unseen(const Job& job, const Failure& failure) noexcept {
  if (failure.kind == Failure::Kind::kCancelled || failure.kind == Failure::Kind::kClosed) return;
  if (job.home == nullptr) return;  // never submitted
  try {
    std::string what;
    try {
      raise(failure);
    } catch (const std::exception& error) {
      what = error.what();
    }
    job.home->warn("nobody asked for the result of the job " + title_of(job) +
                   ", which failed: " + what);
  } catch (...) {  // no memory for a sentence: nobody asked for it
  }
}

namespace {

// A thread that is no worker waits.
bool wait_from_outside(Job& job, Clock::time_point deadline, bool collects) {
  // What runs here already is nothing to look out for; and who collects results leaves the core to
  // the workers as long as they have use for it.
  const std::uint32_t phase = job.state.load(std::memory_order_relaxed) & Job::kPhaseMask;
  if (job.home != nullptr && phase != Job::kRunning && !(collects && job.home->patience().busy()) &&
      job.home->look_out_for(job, deadline))
    return true;
  // A wait with a limit costs a timer, so only where there is something to explain.
  if (job.home == nullptr || (job.runs_here() && !job.home->without_workers()))
    return wait_outside(job, deadline);
  // Now and then, ever more seldom: why is it not done?
  for (Clock::duration patience = std::chrono::seconds(1);; patience *= 2) {
    const Clock::time_point look = after(patience);
    if (deadline <= look) return wait_outside(job, deadline);
    if (wait_outside(job, look)) return true;
    job.home->explain_wait(job);
  }
}

}  // namespace

bool wait_until_done(Job& job, Clock::time_point deadline) {
  const Worker* worker = Crew::current();
  if (worker != nullptr && job.home == &worker->node->home())
    return worker->node->wait(job, deadline);
  const StatusLine::Wait wait;
  if (job.home == nullptr) return wait_from_outside(job, deadline, false);
  Collecting& collecting = Collecting::of_this_thread();
  const Clock::time_point now = Clock::now();
  const Clock::duration part = collecting.begin_wait(now);
  const bool collects = part > Clock::duration::zero();
  if (collects) job.home->patience().sleep_for(job, part, deadline);
  const bool done = job.done() || wait_from_outside(job, deadline, collects);
  collecting.end_wait(Clock::now());
  return done;
}

Cancellation cancel(Job& job) {
  for (;;) {
    if (job.claim(Job::kRunning)) {
      if (job.settle()) fail_and_finish(job, cancelled(job));
      return Cancellation::kNeverRan;
    }
    // The flag first: whoever lends it or gives its claim back looks at it afterwards.
    const std::uint32_t seen = job.state.fetch_or(Job::kStop, std::memory_order_acq_rel);
    switch (seen & Job::kPhaseMask) {
      case Job::kQueued:  // given back this moment
        continue;
      case Job::kRunning:
        tell_to_stop(job);
        return Cancellation::kToldToStop;
      case Job::kLent:
        job.home->recall(job);
        return Cancellation::kToldToStop;
      default:
        return Cancellation::kFinished;
    }
  }
}

namespace {

// Queues a job when another one is done.
class Continuation final : public Watcher {
 public:
  explicit Continuation(Job& next) : next_(next) {}
  void done(Job& job) noexcept override {
    job.home->queue(next_);
    delete this;
  }

 private:
  Job& next_;
};

}  // namespace

void continue_with(Job& job, Job& next) {
  next.home = job.home;
  auto* continuation = new Continuation(next);
  if (!watch(job, *continuation)) continuation->done(job);
}

bool wait_outside(Job& job, Clock::time_point deadline) {
  for (;;) {
    // Whoever finishes the job changes its phase in the same word: either it sees the flag, or we
    // see the phase, or the kernel finds another value than we saw and does not let us sleep.
    const std::uint32_t seen =
        job.state.fetch_or(Job::kAwaited, std::memory_order_acq_rel) | Job::kAwaited;
    if ((seen & Job::kPhaseMask) == Job::kDone) return true;
    if (!futex_wait(job.state, seen, deadline)) return job.done();
  }
}

void wake_outside_waiters(Job& job) noexcept { futex_wake(job.state); }

void spawn(Job& job) {
  Worker* worker = Crew::current();
  if (worker == nullptr) {
    job.release();
    throw Error("pp::spawn works inside jobs; from outside use Runtime::submit");
  }
  Node& node = *worker->node;
  const auto at_most_once = [&](const Job& one) {
    const Particulars* particulars = find_particulars(one);
    const unsigned usual = node.options().retries;
    return (particulars == nullptr ? usual : particulars->options.retries.value_or(usual)) == 0;
  };
  if (at_most_once(job) && !at_most_once(*worker->frame->job)) {
    job.release();
    throw Error(
        "pp: a job with retries = 0 (at most once) was spawned by one that may be run again: give "
        "the "
        "parent JobOptions{.retries = 0} too, or submit it from outside");
  }
  node.spawn(*worker, job);
}

void submit(Node& node, Job& job) { node.submit(job); }

void check(const JobOptions& options) {
  if (options.timeout.count() < 0)
    throw Error("pp: JobOptions::timeout is negative; 0 means no limit");
}

void set_options(Job& job, JobOptions&& options) {
  job.priority = options.priority;
  job.place = options.where.kind();
  if (!options.retries && options.timeout.count() == 0 && options.label.empty() &&
      job.place != Where::Kind::kNode)
    return;
  particulars_of(job).options = std::move(options);
}

}  // namespace pp::runtime

namespace pp {

bool work_wanted() noexcept {
  const runtime::Worker* worker = runtime::Crew::current();
  return worker != nullptr && worker->node->crew().wants_from(*worker);
}

}  // namespace pp
