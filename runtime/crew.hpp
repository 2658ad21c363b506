// Crew: the workers of this node: who works, who looks for work, who sleeps.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <pp/future.hpp>
#include <pp/job.hpp>
#include <vector>

#include "executor.hpp"
#include "guarded.hpp"
#include "parker.hpp"
#include "queue.hpp"
#include "watch_list.hpp"

namespace pp::runtime {

// One place to work at. Used by the thread that occupies it; the atomics are read by others.
struct Worker {
  Node* node = nullptr;
  std::size_t index = 0;
  std::int64_t base = 0;  // entries of the deque from here on were pushed by the job that runs now
  bool seeking = false;   // counted in Shift::seekers
  std::uintptr_t stack_limit = 0;
  Clock::duration parked{0};  // asleep inside the outermost job, to be taken off its time
  Parker parker;
  // Relaxed: statistics; written by the occupant only.
  std::atomic<std::uint64_t> jobs{0};
  std::atomic<std::uint64_t> busy_nanoseconds{0};
  std::atomic<std::uint64_t> outermost{0};
};

// Runs the queue's jobs on the executor's tickets. A ticket is the right to look for the best job
// still to be claimed; there are never more tickets out than workers are allowed. All members may
// be called from any thread unless they say otherwise.
class Crew final : public TicketHolder {
 public:
  // Where the crew asks for help when it has more than it can use.
  class Outside {
   public:
    virtual ~Outside() = default;
    // There is something for the thieves that wait.
    virtual void wake() noexcept = 0;
    // A worker has found nothing to do here.
    virtual void hungry() noexcept = 0;
  };

  // All must outlive this.
  Crew(Node& node, unsigned workers, std::size_t stack_bytes, Queue& queue, WatchList& watch_list,
       Outside& outside);
  // Waits for running jobs; jobs not begun stay in the queue. REQUIRES: stop() was called.
  ~Crew() override;

  // New work was pushed: sees that somebody takes it. Cheap when nobody is hungry: one load.
  void announce() {
    // Sequentially consistent: the push comes before this load. Partner: whoever goes to sleep says
    // so in hungry_ first and looks at the queue afterwards, so one of the two sees the other.
    if (hungry_.load(std::memory_order_seq_cst) != 0) feed();
  }

  // Whether anybody, here or far away, would take a job that this worker exposed now: more are
  // hungry than jobs of its lie exposed already. REQUIRES: called by the worker itself.
  bool wants_from(const Worker& worker) const {
    const std::uint32_t hungry = hungry_.load(std::memory_order_relaxed);
    return hungry != 0 && queue_.deque(worker.index).size() <= hungry;
  }

  // Waits on a worker of this crew, running other jobs meanwhile. False: the deadline came first.
  // REQUIRES: current() is one of this crew's.
  bool wait(Job& job, Clock::time_point deadline);

  // The job's outcome is stored: marks it done and wakes who waits. The caller keeps its reference.
  void finish(Job& job) {
    const std::uint32_t waiting = job.finish();
    if (waiting & Job::kAwaited) wake_outside_waiters(job);
    if (waiting & Job::kWatched) watch_list_.done(&job);
  }

  // A lent job is queued again, by the courier: its claim is given back, and a worker that waits
  // for it looks at it anew.
  void give_back(Job& job) {
    if (job.unclaim() & Job::kWatched) watch_list_.done(&job);
  }

  // Other nodes' refused requests wait here: Outside::wake() is called when there is something for
  // them. Set anew each time they were served. The caller looks at the queue afterwards.
  void set_waiting_thieves(bool waiting);

  unsigned workers() const { return workers_count_; }
  // Workers without a job now.
  unsigned idle() const;
  struct Totals {
    std::uint64_t jobs = 0, outermost = 0;
    std::chrono::nanoseconds busy{0};
  };
  Totals totals() const;

  // No further job is begun, but the children that running jobs wait for; returns when none runs
  // any more.
  void stop();

  // The worker that runs on this thread, or null.
  static Worker* current() noexcept;

  bool serve_ticket() noexcept override;

 private:
  struct Shift {
    unsigned allowed = 0;
    unsigned tickets = 0;  // out: working or seeking
    unsigned seekers = 0;  // tickets and woken sleepers that have no job yet
    bool waiting_thieves = false;
    std::vector<Worker*> sleepers;  // waiting inside a job, with nothing to run
    std::vector<Worker*> free;      // places nobody occupies
    void check() const;
  };

  void feed();
  void publish(Shift& shift);
  Worker* occupy();
  void begin_seeking(Worker& worker);
  void stop_seeking(Worker& worker);
  bool end_ticket(Worker& worker);
  void leave_place(Shift& shift, Worker& worker);
  Job* look(Worker& worker, Queue::Taker taker);
  void run(Worker& worker, Job& job) noexcept;
  void execute(Worker& worker, Job& job) noexcept;
  void end(Job& job) noexcept;
  Clock::time_point run_outermost(Worker& worker, Job& job) noexcept;
  bool help(Worker& worker, Job& job, Clock::time_point deadline);
  void sleep(Worker& worker, Job& job, Clock::time_point deadline);

  Queue& queue_;
  WatchList& watch_list_;
  Outside& outside_;
  const unsigned workers_count_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Guarded<Shift> shift_;
  // Somebody is hungry: derived from Shift and stored under its lock, read without. Sequentially
  // consistent stores: see announce().
  std::atomic<std::uint32_t> hungry_{0};
  // Relaxed: a worker that sees it late begins one more job, as if stop() had been called a moment
  // later.
  std::atomic<bool> stopping_{false};
  std::condition_variable ended_;  // with shift_: the last ticket is back
  Executor executor_;
};

}  // namespace pp::runtime
