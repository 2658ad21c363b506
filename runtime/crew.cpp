// Crew: tickets, helping while waiting, and the order in which a worker goes to sleep.
#include "crew.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <thread>

#include "borrowed_job.hpp"
#include "in_seconds.hpp"
#include "relax.hpp"

namespace pp::runtime {

namespace {

// Some 20 us before a worker sleeps. It does not yield meanwhile: on a busy core that would cost a
// whole time slice, in which the others believe that somebody looks for work.
constexpr int kLooksBeforeSleep = 40;
constexpr int kRelaxed = 16;
// Before it sleeps where there are other nodes: more than a lone job takes from here to here when
// everybody has to be woken. With less the nodes stay asleep once they are (62 us for each job over
// the fabric instead of 17), since the first one to stay awake looks out in vain.
constexpr std::chrono::microseconds kLookOut{120};
// Looks are a microsecond apart: past this somebody else has run on this core.
constexpr std::chrono::microseconds kInterrupted{200};
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

// Whether the job's end may depend on any other job of this node: while the node ends, or no job is
// to be begun, who waits for it goes on running whatever there is.
bool hangs_on_others(const Job& job) {
  return job.kind->run == nullptr ||
         (job.state.load(std::memory_order_relaxed) & Job::kCoroutine) != 0;
}

// A worker that waits inside a job.
class Sleeper final : public Watcher {
 public:
  explicit Sleeper(Parker& parker) : Watcher(&parker) {}
  void done(Job&) noexcept override {}
};

// Single writer: no read-modify-write needed.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace

// Not inlined: a job may go on in another function after a wait, and a compiler must not keep a
// thread-local address across it.
[[gnu::noinline]] Worker* Crew::current() noexcept { return this_worker; }

void Crew::Shift::check() const {
  assert(seekers + turning + sleepers.size() <= tickets);
  assert(bound == std::count_if(sleepers.begin(), sleepers.end(),
                                [](const Worker* worker) { return worker->bound; }));
}

// Workers that could begin a job: those that seek, those that wait inside a job, and tickets not
// drawn; but no more than are missing of what is allowed.
unsigned Crew::Shift::idle() const {
  const unsigned working = awake() - seekers;
  return allowed > working ? allowed - working : 0;
}

// One who waits inside a job and may look for another one now, or null.
Worker* Crew::Shift::wake_sleeper() {
  const bool any = awake() < allowed;
  const auto found = std::find_if(sleepers.rbegin(), sleepers.rend(),
                                  [&](const Worker* worker) { return any || worker->bound; });
  if (found == sleepers.rend()) return nullptr;
  Worker* const worker = *found;
  remove_sleeper(*worker);
  ++seekers;
  return worker;
}

bool Crew::Shift::remove_sleeper(Worker& worker) {
  if (std::erase(sleepers, &worker) == 0) return false;
  if (worker.bound) --bound;
  return true;
}

Crew::Crew(Node& node, unsigned workers, std::size_t stack_bytes, Queue& queue,
           Deadlines& deadlines, Outside& outside, Patience& patience, Trace& trace,
           BlackBox* black_box, Chronicle& chronicle)
    : queue_(queue),
      deadlines_(deadlines),
      outside_(outside),
      patience_(patience),
      node_(node),
      trace_(trace),
      black_box_(black_box),
      chronicle_(chronicle),
      allowed_(workers),
      executor_(workers, stack_bytes, *this) {
  auto shift = shift_.lock();
  shift->allowed = workers;
  publish(*shift);
}

Crew::~Crew() { assert(shift_.lock()->tickets == 0); }

void Crew::publish(Shift& shift) {
  restrained_.store(stopping_.load(std::memory_order_relaxed) || shift.awake() > shift.allowed,
                    std::memory_order_relaxed);
  hungry_.store(std::max(shift.idle(), shift.bound) + (shift.waiting_thieves ? 1 : 0),
                std::memory_order_seq_cst);
  patience_.set_busy(shift.allowed > 0 && hungry_.load(std::memory_order_relaxed) == 0 &&
                     !stopping_.load(std::memory_order_relaxed));
}

void Crew::feed() {
  bool draw = false;
  bool call_outside = false;
  {
    auto shift = shift_.lock();
    if (shift->seekers > 0 && !restrained_.load(std::memory_order_relaxed)) {
      // A seeker will find it, and calls the next one if there is more (stop_seeking). (While no
      // more are to begin anything, one that seeks may not take it.)
    } else if (Worker* worker = shift->wake_sleeper()) {
      worker->parker.unpark();
    } else if (shift->tickets < shift->allowed && !stopping_.load(std::memory_order_relaxed)) {
      ++shift->tickets;
      ++shift->seekers;
      draw = true;
    }
    // What exceeds the need of our own idle workers may go away, and so may what they cannot run.
    const std::size_t movable = queue_.own() + queue_.borrowed();
    if (shift->waiting_thieves &&
        (queue_.elsewhere() > 0 || (movable > 0 && movable + queue_.pinned() > shift->idle()))) {
      shift->waiting_thieves = false;  // once: the courier sets it again when it has served them
      call_outside = true;
    }
    publish(*shift);
  }
  if (draw) executor_.draw_ticket();
  if (call_outside) outside_.wake();
}

void Crew::set_workers(unsigned workers) {
  {
    auto shift = shift_.lock();
    shift->allowed = workers;
    allowed_.store(workers, std::memory_order_relaxed);
    // Never fewer than are out: others in this process would be counted for them.
    executor_.allow(std::max(workers, shift->tickets));
    publish(*shift);
  }
  if (!queue_.empty()) announce();
  outside_.wake();  // the others are told; they may have work for us, or get ours back
}

void Crew::set_waiting_thieves(bool waiting) {
  auto shift = shift_.lock();
  shift->waiting_thieves = waiting;
  publish(*shift);
}

unsigned Crew::idle() const { return const_cast<Guarded<Shift>&>(shift_).lock()->idle(); }

Crew::Totals Crew::totals() const {
  Totals sum;
  const std::size_t count = queue_.places();
  for (std::size_t i = 0; i < count; ++i) {
    const Worker& worker = *workers_[i];
    sum.jobs += worker.jobs.load(std::memory_order_relaxed);
    sum.outermost += worker.outermost.load(std::memory_order_relaxed);
    sum.busy += std::chrono::nanoseconds(worker.busy_nanoseconds.load(std::memory_order_relaxed));
  }
  return sum;
}

unsigned Crew::busy() const {
  unsigned busy = 0;
  const std::size_t count = queue_.places();
  for (std::size_t i = 0; i < count; ++i)
    busy += workers_[i]->running_since.load(std::memory_order_relaxed) != 0 ? 1u : 0u;
  return busy;
}

namespace {

std::string_view name_of(const Function* function) {
  return function == nullptr ? "a callback" : function->name;
}

}  // namespace

std::vector<Crew::Running> Crew::running() const {
  std::vector<Running> all;
  const std::size_t count = queue_.places();
  for (std::size_t i = 0; i < count; ++i) {
    const Worker& worker = *workers_[i];
    const Clock::rep since = worker.running_since.load(std::memory_order_relaxed);
    if (since == 0) continue;
    all.push_back({i, name_of(worker.running.load(std::memory_order_relaxed)),
                   Clock::time_point(Clock::duration(since))});
  }
  return all;
}

std::string Crew::describe(Clock::time_point now) const {
  std::string lines;
  for (const Running& one : running()) {
    lines += "  worker " + std::to_string(one.worker) + " runs " + std::string(one.function) +
             " since " + in_seconds(std::max(now - one.since, Clock::duration::zero())) + '\n';
  }
  return lines;
}

std::map<std::string_view, FunctionFigures> Crew::functions_by_name() const {
  std::map<std::string_view, FunctionFigures> all;
  const std::size_t count = queue_.places();
  for (std::size_t i = 0; i < count; ++i) {
    const Worker& worker = *workers_[i];
    worker.tally.each([&](const Function& function, const FunctionFigures& figures) {
      FunctionFigures& sum = all[function.name];
      sum.function = figures.function;
      sum.add(figures);
    });
    const Function* now = worker.running.load(std::memory_order_relaxed);
    if (now == nullptr || worker.running_since.load(std::memory_order_relaxed) == 0) continue;
    FunctionFigures& sum = all[now->name];
    sum.function = now->travels ? now->id : 0;
    ++sum.running;
  }
  return all;
}

std::vector<FunctionFigures> Crew::functions() const {
  constexpr std::size_t kMost = 256;  // in one message
  std::vector<FunctionFigures> all;
  for (const auto& [name, figures] : functions_by_name())
    if (figures.function != 0) all.push_back(figures);
  if (all.size() > kMost) {
    std::nth_element(all.begin(), all.begin() + kMost, all.end(),
                     [](const FunctionFigures& a, const FunctionFigures& b) {
                       return a.nanoseconds > b.nanoseconds;
                     });
    all.resize(kMost);
  }
  return all;
}

std::uint64_t Crew::memory() const {
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[128] = {};
  const ssize_t count = ::read(file, text, sizeof text - 1);
  ::close(file);
  unsigned long long whole = 0;
  unsigned long long resident = 0;
  if (count <= 0 || std::sscanf(text, "%llu %llu", &whole, &resident) != 2) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void Crew::stop() {
  auto shift = shift_.lock();
  stopping_.store(true, std::memory_order_relaxed);  // under the lock: no ticket is drawn any more
  publish(*shift);
  // What was pushed for a seeker, who may not take it any more, is for those who wait inside jobs.
  while (Worker* worker = shift->wake_sleeper()) worker->parker.unpark();
  shift.wait(ended_, [&] { return shift->tickets == 0; });
}

Worker* Crew::occupy() {
  auto shift = shift_.lock();
  const bool works_on = shift->turning > 0;
  if (works_on) --shift->turning;
  Worker* const worker = free_place(*shift);
  worker->seeking = !works_on;  // counted when the ticket was drawn
  return worker;
}

Worker* Crew::free_place(Shift& shift) {
  if (!shift.free.empty()) {
    Worker* worker = shift.free.back();
    shift.free.pop_back();
    return worker;
  }
  const std::size_t index = queue_.places();
  auto worker = std::make_unique<Worker>();
  worker->node = &node_;
  worker->index = index;
  if (black_box_ != nullptr) worker->recorder = black_box_->recorder(index);
  workers_[index] = std::move(worker);
  queue_.add_place();
  workers_[index]->deque = &queue_.deque(index);
  return workers_[index].get();
}

void Crew::leave_place(Shift& shift, Worker& worker) {
  this_worker = nullptr;
  shift.free.push_back(&worker);
}

bool Crew::serve_ticket() noexcept {
  Worker& worker = *occupy();
  worker.stack_limit = stack_limit();
  this_worker = &worker;
  Clock::time_point now = Clock::now();
  const Clock::time_point turn_ends = now + kTurn;
  for (;;) {
    Job* job = look(worker, Queue::Taker::kFree);
    if (job == nullptr) {
      if (end_ticket(worker)) return false;
      continue;
    }
    // Found at once: it begins when the one before it ended. (A look at the clock is not cheap
    // everywhere.)
    if (worker.seeking) now = Clock::now();
    stop_seeking(worker);
    now = run_outermost(worker, *job, now);
    if (now < turn_ends) continue;
    auto shift = shift_.lock();
    ++shift->turning;
    leave_place(*shift, worker);
    return true;
  }
}

Job* Crew::take(Worker& worker, Queue::Taker taker) {
  const bool helping = taker == Queue::Taker::kHelping;
  if (helping && worker.bound) return queue_.take(worker.index, taker);
  if (restrained_.load(std::memory_order_relaxed)) {
    if (!helping) return nullptr;
    return queue_.take(worker.index, Queue::Taker::kEnding);
  }
  Job* job = queue_.take(worker.index, taker);
  if (job == nullptr || !restrained_.load(std::memory_order_relaxed)) return job;
  if (job->state.load(std::memory_order_relaxed) & Job::kBegun) return job;  // it goes on
  // It was pushed after the number of workers had sunk.
  job->retain();  // once its claim is given back, somebody may run and release it
  release_claim(*job);
  queue_.push_oldest(job);
  job->release();
  feed();  // somebody who waits inside a job may have looked while we held it
  return nullptr;
}

Job* Crew::look(Worker& worker, Queue::Taker taker) {
  if (Job* job = take(worker, taker)) return job;
  begin_seeking(worker);
  if (taker == Queue::Taker::kFree && outside_.wants_help()) {
    // At least once: the last job's result may wait to be sent.
    const bool patient = worker.hope.again();
    if (Job* job = look_out(worker, patient ? kLookOut : Clock::duration::zero())) return job;
    if (patient) return nullptr;
  }
  for (int looks = 0; looks < kLooksBeforeSleep; ++looks) {
    if (Job* job = take(worker, taker)) return job;
    if (taker == Queue::Taker::kFree && restrained_.load(std::memory_order_relaxed)) break;
    for (int i = 0; i < kRelaxed; ++i) relax();
  }
  return nullptr;
}

// Looks for a job here, and moves the courier meanwhile: the next job may come from another node,
// and the result of the last one has to go there. Like look() it does not yield for its own sake.
Job* Crew::look_out(Worker& worker, Clock::duration patience) {
  outside_.offer_help();
  const Clock::time_point begun = Clock::now();
  Clock::time_point last = begun;
  Job* job = nullptr;
  for (;;) {
    job = take(worker, Queue::Taker::kFree);
    if (job != nullptr || restrained_.load(std::memory_order_relaxed)) break;
    // (Who does the courier's work may have been interrupted by this very thread.)
    if (outside_.help()) std::this_thread::yield();
    const Clock::time_point now = Clock::now();
    const bool interrupted = now - last > kInterrupted;
    last = now;
    if (!interrupted && now - begun < patience) continue;
    job = take(worker, Queue::Taker::kFree);
    if (job == nullptr && patience > Clock::duration::zero())
      interrupted ? worker.hope.give_up() : worker.hope.disappointed();
    break;
  }
  if (job != nullptr) worker.hope.fulfilled();
  outside_.withdraw_help(job == nullptr);
  return job;
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
  const bool work = !stopping_.load(std::memory_order_relaxed) && !queue_.empty();
  if (work && shift->awake() < shift->allowed) {
    ++shift->seekers;
    ++shift->tickets;
    publish(*shift);
    return false;
  }
  worker.seeking = false;
  leave_place(*shift, worker);
  if (shift->tickets >= shift->allowed) executor_.allow(shift->tickets);  // one too many was out
  if (shift->tickets == 0) ended_.notify_all();
  return true;
}

// On top of another one, which waits for it: a part of that, unless it is another node's.
void Crew::run(Worker& worker, Job& job) noexcept {
  if (job.borrowed || trace_.on()) [[unlikely]]
    return run_otherwise(worker, job);
  end(job, execute(worker, job));
}

// Apart: it must not cost the own jobs a register.
[[gnu::noinline]] void Crew::run_otherwise(Worker& worker, Job& job) noexcept {
  if (trace_.on()) return run_traced(worker, job);
  if (job.borrowed) return run_borrowed(worker, job);
  end(job, execute(worker, job));  // the trace has just ended
}

namespace {

TraceRecord record_of(const Worker& worker, const Job& job) {
  TraceRecord record;
  record.kind = TraceRecord::Kind::kJob;
  record.worker = static_cast<std::uint16_t>(worker.index);
  record.what = job.function == nullptr ? 0 : job.function->id;
  record.job = job.id;
  record.attempt = static_cast<std::uint8_t>(std::min<std::uint32_t>(job.attempt, 255));
  if (job.borrowed) record.other = brief(static_cast<const BorrowedJob&>(job).owner);
  return record;
}

}  // namespace

// On top of another one, while somebody observes.
void Crew::run_traced(Worker& worker, Job& job) noexcept {
  TraceTrack& track = trace_.track(worker.index);
  if (track.passes_over()) {
    track.pass();
    job.borrowed ? run_borrowed(worker, job) : end(job, execute(worker, job));
    return track.go_on();
  }
  TraceRecord record = record_of(worker, job);  // it may be gone afterwards
  const Clock::time_point begun = Clock::now();
  const bool noted = job.borrowed && worker.recorder.on();
  if (noted) note(worker, job, begun);
  ++track.depth;
  const Ran ran = execute(worker, job);
  const unsigned depth = track.depth--;
  if (noted) worker.recorder.end();
  record.begin = Trace::nanoseconds(begun);
  const Clock::time_point ended = Clock::now();
  if (job.borrowed) worker.tally.count(job.function, ended - begun, failed(job, ran));
  record.end = Trace::nanoseconds(ended);
  track.took(record.end - record.begin);
  trace_.write(track, record, depth);
  end(job, ran);
}

void Crew::run_borrowed(Worker& worker, Job& job) noexcept {
  const bool noted = worker.recorder.on();
  const Clock::time_point begun = Clock::now();
  if (noted) note(worker, job, begun);
  const Ran ran = execute(worker, job);
  if (noted) worker.recorder.end();
  worker.tally.count(job.function, Clock::now() - begun, failed(job, ran));
  end(job, ran);
}

void Crew::note(Worker& worker, const Job& job, Clock::time_point since) noexcept {
  JobNote note{.owner = black_box_->self(),
               .job = job.id,
               .function = job.function != nullptr ? job.function->id : 0,
               .attempt = job.attempt,
               .since = since.time_since_epoch()};
  if (job.borrowed) {
    const auto& borrowed = static_cast<const BorrowedJob&>(job);
    note.owner = borrowed.owner;
    note.loan = borrowed.number;
  }
  worker.recorder.begin(note);
}

// REQUIRES: the execution has just ended so, and nobody was told.
bool Crew::failed(const Job& job, Ran ran) noexcept {
  if (ran != Ran::kSettled || job.kind->failure == nullptr) return false;
  const Failure* failure = job.kind->failure(job);
  if (failure == nullptr) return false;
  try {
    chronicle_.note_failure([&] {
      return std::string(name_of(job.function)) + " (attempt " + std::to_string(job.attempt) +
             "): " + failure->message;
    });
  } catch (...) {  // no memory for a sentence
  }
  return true;
}

// Returns when it ended.
Clock::time_point Crew::run_outermost(Worker& worker, Job& job, Clock::time_point begun) noexcept {
  if (trace_.on()) [[unlikely]]
    return run_outermost_traced(worker, job, begun);
  const Counted ran = run_counted(worker, job, begun);
  end(job, ran.how);
  return ran.ended;
}

Clock::time_point Crew::run_outermost_traced(Worker& worker, Job& job,
                                             Clock::time_point begun) noexcept {
  TraceTrack& track = trace_.track(worker.index);
  TraceRecord record = record_of(worker, job);
  // `begun` is when the job before it ended. Its result has been handed over since, and this one
  // may have come from its owner meanwhile. Among the shortest jobs nobody sees that, and a look at
  // the clock costs.
  record.begin = Trace::nanoseconds(
      track.may_grow_by(record, trace_.grain()) ? begun : std::max(begun, Clock::now()));
  // (A worker's place may have been another thread's before, whose job has ended a moment ago.)
  if (const std::int64_t last = track.last_end();
      last != 0 && record.begin - last >= trace_.grain()) {
    trace_.write(track,
                 {.begin = last,
                  .end = record.begin,
                  .worker = record.worker,
                  .kind = TraceRecord::Kind::kIdle},
                 0);
  }
  const Counted ran = run_counted(worker, job, begun);
  record.end = Trace::nanoseconds(ran.ended);
  track.ended(record.end);
  trace_.write(track, record, 0);
  end(job, ran.how);
  return ran.ended;
}

// All but the job's end.
inline Crew::Counted Crew::run_counted(Worker& worker, Job& job, Clock::time_point begun) noexcept {
  worker.parked = Clock::duration::zero();
  if (worker.recorder.on()) note(worker, job, begun);
  worker.running.store(job.function, std::memory_order_relaxed);
  worker.running_since.store(begun.time_since_epoch().count(), std::memory_order_relaxed);
  const Ran ran = execute(worker, job);
  if (worker.recorder.on()) worker.recorder.end();
  const Clock::time_point ended = Clock::now();
  worker.running_since.store(0, std::memory_order_relaxed);
  const Clock::duration took = ended - begun - worker.parked;
  add(worker.busy_nanoseconds, static_cast<std::uint64_t>(took.count()));
  add(worker.outermost, 1);
  worker.tally.count(job.function, took, failed(job, ran));
  return {ran, ended};
}

Ran Crew::execute(Worker& worker, Job& job) noexcept {
  Frame frame{&job, worker.frame, worker.deque->bottom(), job.id};
  const std::uint32_t seen = job.state.load(std::memory_order_relaxed);
  const bool begun = (seen & Job::kBegun) != 0;
  if ((seen & (Job::kStop | Job::kOutside)) != 0 && !begun &&
      ((seen & Job::kStop) != 0 || queue_.turns_away(job)))
    return refuse(job);
  worker.frame = &frame;
  const bool timed = has_time_limit(job);
  if (timed) begun ? deadlines_.resume(job) : deadlines_.begin(job);
  const Ran ran = job.kind->run(job);
  worker.frame = frame.below;
  if (ran == Ran::kSuspended) return ran;
  if (timed) deadlines_.end(job);
  add(worker.jobs, frame.counts);
  return ran;
}

// It was told to stop before it began, or the program was asked to end.
Ran Crew::refuse(Job& job) noexcept {
  if (!job.settle()) return Ran::kTooLate;
  job.kind->store_failure(job, job.told_to_stop() ? cancelled(job) : turned_away());
  return Ran::kSettled;
}

// After it was counted: who sees the result finds it in the statistics.
void Crew::end(Job& job, Ran ran) noexcept {
  if (ran == Ran::kSuspended) return;
  if (ran == Ran::kSettled) {
    if (job.kind->deliver != nullptr) job.kind->deliver(job);
    finish(job);
  }
  job.release();
}

template <class Act>
bool Crew::with_clock_stopped(Worker& worker, Act act) {
  Job* waits = worker.frame == nullptr ? nullptr : worker.frame->job;
  const bool timed = waits != nullptr && has_time_limit(*waits);
  if (timed) deadlines_.pause(*waits);
  const bool answer = act();
  if (timed) deadlines_.resume(*waits);
  return answer;
}

bool Crew::wait(Job& job, Clock::time_point deadline) {
  Worker& worker = *current();
  return with_clock_stopped(worker, [&] { return help(worker, job, deadline); });
}

bool Crew::run_now(Worker& worker, Job& job) {
  if (!stack_left(worker)) return false;
  return with_clock_stopped(worker, [&] {
    if (job.claim(Job::kRunning)) {
      run(worker, job);
    } else {
      job.release();
    }
    return true;
  });
}

bool Crew::help(Worker& worker, Job& job, Clock::time_point deadline) {
  Deque& own = *worker.deque;
  const std::int64_t base = worker.frame == nullptr ? 0 : worker.frame->base;
  // What the waiting job spawned itself, the newest first: nearly always the awaited job is the
  // first of them.
  while (!job.done() && own.bottom() > base && stack_left(worker)) {
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
      if (job.queued() || (job.state.load(std::memory_order_relaxed) & Job::kCoroutine)) {
        throw Error(
            "pp: jobs that wait are nested too deeply for the worker's stack; raise "
            "Options::stack_bytes");
      }
      sleep(worker, job, deadline);  // somebody else runs it
      continue;
    }
    if (job.runs_here() && job.claim(Job::kRunning)) {
      job.retain();  // the queue's entry, wherever it is, keeps the other reference
      stop_seeking(worker);
      run(worker, job);
      continue;  // a coroutine may have begun to wait
    }
    worker.bound = hangs_on_others(job);
    if (Job* other = look(worker, Queue::Taker::kHelping)) {
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
  const bool takes_work =
      (!stopping_.load(std::memory_order_relaxed) || worker.bound) && stack_left(worker);
  {
    auto shift = shift_.lock();
    if (takes_work) {
      shift->sleepers.push_back(&worker);
      if (worker.bound) ++shift->bound;
    }
    --shift->seekers;
    worker.seeking = false;
    publish(*shift);
  }
  const Clock::time_point begun = Clock::now();
  // Both looks come after we have said that we are hungry, so that neither a result nor a push is
  // missed.
  Sleeper sleeper(worker.parker);
  if (watch(job, sleeper)) {
    if (!queue_.empty()) announce();  // wakes us, unless somebody else is to take it
    worker.parker.park_until(deadline);
    unwatch(job, sleeper);
  }
  const Clock::time_point ended = Clock::now();
  worker.parked += ended - begun;
  if (trace_.on() && ended - begun >= std::chrono::nanoseconds(trace_.grain())) {
    TraceTrack& track = trace_.track(worker.index);
    if (!track.passing()) {
      trace_.write(track,
                   {.begin = Trace::nanoseconds(begun),
                    .end = Trace::nanoseconds(ended),
                    .worker = static_cast<std::uint16_t>(worker.index),
                    .kind = TraceRecord::Kind::kWait},
                   track.depth + 1);
    }
  }
  auto shift = shift_.lock();
  // A seeker again, counted by feed() already if that woke us: pushes while we were one woke
  // nobody, and stop_seeking() passes the word on.
  if (!takes_work || shift->remove_sleeper(worker)) ++shift->seekers;
  worker.seeking = true;
  publish(*shift);
}

}  // namespace pp::runtime
