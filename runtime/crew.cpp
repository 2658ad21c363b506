// Crew: tickets, helping while waiting, and the order in which a worker goes to sleep.
#include "crew.hpp"

#include <pthread.h>

#include <algorithm>
#include <cassert>

#include "relax.hpp"

namespace pp::runtime {

namespace {

// Some 20 us before a worker sleeps. It does not yield meanwhile: on a busy core that would cost a
// whole time slice, in which the others believe that somebody looks for work.
constexpr int kLooksBeforeSleep = 40;
constexpr int kRelaxed = 16;
constexpr std::chrono::milliseconds kTurn{
    10};  // after this long a ticket gives others in oneTBB their turn
constexpr std::uintptr_t kStackReserve =
    256 * 1024;  // below this nothing is run on top of a waiting job

thread_local constinit Worker* this_worker = nullptr;

// The lowest address that the stack of the calling thread may reach.
std::uintptr_t stack_limit() {
  static thread_local std::uintptr_t limit = 0;
  if (limit == 0) {
    pthread_attr_t attributes;
    void* lowest = nullptr;
    std::size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
      pthread_attr_getstack(&attributes, &lowest, &bytes);
      pthread_attr_destroy(&attributes);
    }
    limit = reinterpret_cast<std::uintptr_t>(lowest) + kStackReserve;
  }
  return limit;
}

bool stack_left(const Worker& worker) {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) > worker.stack_limit;
}

// Single writer: no read-modify-write needed.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace

// Not inlined: a job may go on in another function after a wait, and a compiler must not keep a
// thread-local address across it.
[[gnu::noinline]] Worker* Crew::current() noexcept { return this_worker; }

void Crew::Shift::check() const {
  assert(tickets <= allowed);
  assert(seekers + sleepers.size() <= tickets);
}

Crew::Crew(Node& node, unsigned workers, std::size_t stack_bytes, Queue& queue,
           WatchList& watch_list, Outside& outside)
    : queue_(queue),
      watch_list_(watch_list),
      outside_(outside),
      workers_count_(workers),
      executor_(workers, stack_bytes, *this) {
  auto shift = shift_.lock();
  shift->allowed = workers;
  for (unsigned i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->node = &node;
    workers_.back()->index = i;
    shift->free.push_back(workers_.back().get());
  }
  publish(*shift);
}

Crew::~Crew() { assert(shift_.lock()->tickets == 0); }

void Crew::publish(Shift& shift) {
  hungry_.store((shift.allowed - shift.tickets) + shift.seekers +
                    static_cast<std::uint32_t>(shift.sleepers.size()) +
                    (shift.waiting_thieves ? 1 : 0),
                std::memory_order_seq_cst);
}

void Crew::feed() {
  bool draw = false;
  bool call_outside = false;
  {
    auto shift = shift_.lock();
    if (shift->seekers > 0) {
      // A seeker will find it, and calls the next one if there is more (stop_seeking).
    } else if (!shift->sleepers.empty()) {
      Worker* worker = shift->sleepers.back();
      shift->sleepers.pop_back();
      ++shift->seekers;
      worker->parker.unpark();
    } else if (shift->tickets < shift->allowed && !stopping_.load(std::memory_order_relaxed)) {
      ++shift->tickets;
      ++shift->seekers;
      draw = true;
    }
    // What exceeds the need of our own idle workers may go away.
    const unsigned idle = shift->allowed - shift->tickets + shift->seekers +
                          static_cast<unsigned>(shift->sleepers.size());
    if (shift->waiting_thieves && queue_.own() + queue_.borrowed() > idle) {
      shift->waiting_thieves = false;  // once: the courier sets it again when it has served them
      call_outside = true;
    }
    publish(*shift);
  }
  if (draw) executor_.draw_ticket();
  if (call_outside) outside_.wake();
}

void Crew::set_waiting_thieves(bool waiting) {
  auto shift = shift_.lock();
  shift->waiting_thieves = waiting;
  publish(*shift);
}

unsigned Crew::idle() const {
  auto shift = const_cast<Guarded<Shift>&>(shift_).lock();
  return shift->allowed - shift->tickets + shift->seekers +
         static_cast<unsigned>(shift->sleepers.size());
}

Crew::Totals Crew::totals() const {
  Totals sum;
  for (const auto& worker : workers_) {
    sum.jobs += worker->jobs.load(std::memory_order_relaxed);
    sum.outermost += worker->outermost.load(std::memory_order_relaxed);
    sum.busy += std::chrono::nanoseconds(worker->busy_nanoseconds.load(std::memory_order_relaxed));
  }
  return sum;
}

void Crew::stop() {
  auto shift = shift_.lock();
  stopping_.store(true, std::memory_order_relaxed);  // under the lock: no ticket is drawn any more
  shift.wait(ended_, [&] { return shift->tickets == 0; });
}

Worker* Crew::occupy() {
  auto shift = shift_.lock();
  assert(!shift->free.empty());  // there are as many places as tickets may be out
  Worker* worker = shift->free.back();
  shift->free.pop_back();
  return worker;
}

void Crew::leave_place(Shift& shift, Worker& worker) {
  this_worker = nullptr;
  shift.free.push_back(&worker);
}

bool Crew::serve_ticket() noexcept {
  Worker& worker = *occupy();
  worker.stack_limit = stack_limit();
  worker.seeking = true;  // counted when the ticket was drawn
  this_worker = &worker;
  const Clock::time_point turn_ends = Clock::now() + kTurn;
  for (;;) {
    Job* job =
        stopping_.load(std::memory_order_relaxed) ? nullptr : look(worker, Queue::Taker::kFree);
    if (job == nullptr) {
      if (end_ticket(worker)) return false;
      continue;
    }
    stop_seeking(worker);
    if (run_outermost(worker, *job) < turn_ends) continue;
    begin_seeking(worker);  // the ticket that follows begins as a seeker
    auto shift = shift_.lock();
    leave_place(*shift, worker);
    return true;
  }
}

Job* Crew::look(Worker& worker, Queue::Taker taker) {
  if (Job* job = queue_.take(worker.index, taker)) return job;
  begin_seeking(worker);
  for (int looks = 0; looks < kLooksBeforeSleep; ++looks) {
    if (Job* job = queue_.take(worker.index, taker)) return job;
    for (int i = 0; i < kRelaxed; ++i) relax();
  }
  return nullptr;
}

void Crew::begin_seeking(Worker& worker) {
  if (worker.seeking) return;
  worker.seeking = true;
  {
    auto shift = shift_.lock();
    ++shift->seekers;
    publish(*shift);
  }
  outside_.hungry();
}

void Crew::stop_seeking(Worker& worker) {
  if (!worker.seeking) return;
  worker.seeking = false;
  bool last = false;
  {
    auto shift = shift_.lock();
    last = --shift->seekers == 0;
    publish(*shift);
  }
  // Pushes that saw a seeker woke nobody: the last one to find something passes the word on.
  if (last && !queue_.empty()) announce();
}

// True: the ticket has been given back. False: there is work again.
bool Crew::end_ticket(Worker& worker) {
  begin_seeking(worker);
  auto shift = shift_.lock();
  --shift->seekers;
  --shift->tickets;
  publish(*shift);
  // A look after we have said that we are hungry: who pushes from now on sees it (announce).
  if (!stopping_.load(std::memory_order_relaxed) && !queue_.empty()) {
    ++shift->seekers;
    ++shift->tickets;
    publish(*shift);
    return false;
  }
  worker.seeking = false;
  leave_place(*shift, worker);
  if (shift->tickets == 0) ended_.notify_all();
  return true;
}

void Crew::run(Worker& worker, Job& job) noexcept {
  execute(worker, job);
  end(job);
}

// Returns when it ended.
Clock::time_point Crew::run_outermost(Worker& worker, Job& job) noexcept {
  const Clock::time_point begun = Clock::now();
  worker.parked = Clock::duration::zero();
  execute(worker, job);
  const Clock::time_point ended = Clock::now();
  add(worker.busy_nanoseconds, static_cast<std::uint64_t>((ended - begun - worker.parked).count()));
  add(worker.outermost, 1);
  end(job);
  return ended;
}

void Crew::execute(Worker& worker, Job& job) noexcept {
  const std::int64_t base = worker.base;
  worker.base = queue_.deque(worker.index).bottom();
  job.kind->run(job);
  worker.base = base;
  add(worker.jobs, 1);
}

// After it was counted: who sees the result finds it in the statistics.
void Crew::end(Job& job) noexcept {
  if (job.kind->deliver != nullptr) job.kind->deliver(job);
  finish(job);
  job.release();
}

bool Crew::wait(Job& job, Clock::time_point deadline) {
  assert(current() != nullptr);
  return help(*current(), job, deadline);
}

bool Crew::help(Worker& worker, Job& job, Clock::time_point deadline) {
  Deque& own = queue_.deque(worker.index);
  // What the waiting job spawned itself, the newest first: nearly always the awaited job is the
  // first of them.
  while (!job.done() && own.bottom() > worker.base && stack_left(worker)) {
    Job* child = own.pop();
    if (child == nullptr) break;
    if (!child->claim(Job::kRunning)) {
      child->release();
    } else {
      run(worker, *child);
    }
    if (deadline != Clock::time_point::max() && Clock::now() >= deadline) return job.done();
  }
  while (!job.done()) {
    if (deadline != Clock::time_point::max() && Clock::now() >= deadline) break;
    if (!stack_left(worker)) {
      if (job.queued()) {
        throw Error(
            "pp: jobs that wait are nested too deeply for the worker's stack; raise "
            "Options::stack_bytes");
      }
      sleep(worker, job, deadline);  // somebody else runs it
      continue;
    }
    if (job.claim(Job::kRunning)) {
      job.retain();  // the queue's entry, wherever it is, keeps the other reference
      stop_seeking(worker);
      run(worker, job);
      break;
    }
    const bool ending = stopping_.load(std::memory_order_relaxed);
    if (Job* other = look(worker, ending ? Queue::Taker::kEnding : Queue::Taker::kHelping)) {
      stop_seeking(worker);
      run(worker, *other);
      continue;
    }
    sleep(worker, job, deadline);
  }
  stop_seeking(worker);
  return job.done();
}

// Until the job is done, there is something to run, or the deadline. The worker is a seeker
// afterwards.
void Crew::sleep(Worker& worker, Job& job, Clock::time_point deadline) {
  begin_seeking(worker);
  // While the node ends, and where no stack is left, the queue has nothing for us: only the job
  // wakes us.
  const bool takes_work = !stopping_.load(std::memory_order_relaxed) && stack_left(worker);
  {
    auto shift = shift_.lock();
    if (takes_work) shift->sleepers.push_back(&worker);
    --shift->seekers;
    worker.seeking = false;
    publish(*shift);
  }
  const Clock::time_point begun = Clock::now();
  // Both looks come after we have said that we are hungry, so that neither a result nor a push is
  // missed.
  if (watch_list_.watch(job, worker.parker)) {
    if (!takes_work || queue_.empty()) worker.parker.park_until(deadline);
    watch_list_.unwatch(job, worker.parker);
  }
  worker.parked += Clock::now() - begun;
  auto shift = shift_.lock();
  // A seeker again, counted by feed() already if that woke us: pushes while we were one woke
  // nobody, and stop_seeking() passes the word on.
  if (!takes_work || std::erase(shift->sleepers, &worker) != 0) ++shift->seekers;
  worker.seeking = true;
  publish(*shift);
}

}  // namespace pp::runtime
