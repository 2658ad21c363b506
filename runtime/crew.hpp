// Crew: the workers of this node: who works, who looks for work, who sleeps.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <pp/black_box.hpp>
#include <pp/future.hpp>
#include <pp/job.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chronicle.hpp"
#include "deadlines.hpp"
#include "executor.hpp"
#include "frame.hpp"
#include "guarded.hpp"
#include "parker.hpp"
#include "patience.hpp"
#include "queue.hpp"
#include "relief.hpp"
#include "tally.hpp"
#include "trace.hpp"
#include "workforce.hpp"

namespace pp::runtime {

// One place to work at. Used by the thread that occupies it; the atomics are read by others.
struct Worker {
  Node* node = nullptr;
  std::size_t index = 0;
  Deque* deque = nullptr;  // the queue's, of this place
  Frame* frame = nullptr;  // of what runs on top of the stack now; null between jobs
  bool seeking = false;    // counted in Shift::seekers
  bool bound = false;  // what it waits for may depend on any job of this node: it begins whatever
                       // there is, also when more work than are allowed
  std::uintptr_t stack_limit = 0;
  Clock::duration parked{0};  // asleep inside the outermost job, to be taken off its time
  Recorder recorder;          // writes down what runs here, if anybody wants to know
  Parker parker;
  Hope hope;  // that looking out for other nodes' jobs is worth while
  // Relaxed: statistics; written by the occupant only.
  std::atomic<std::uint64_t> jobs{0};
  std::atomic<std::uint64_t> busy_nanoseconds{0};
  std::atomic<std::uint64_t> outermost{0};
  Tally tally;
  // What it runs, for whoever asks; the latter 0 while it runs nothing. Relaxed: likewise.
  std::atomic<const Function*> running{nullptr};
  std::atomic<Clock::rep> running_since{0};
};

// Runs the queue's jobs on the executor's tickets. A ticket is the right to look for the best job
// still to be claimed; no more are drawn than workers are allowed. When fewer are allowed than work
// already, those go on to their end, run what they wait for, and begin nothing else. All members
// may be called from any thread unless they say otherwise.
class Crew final : public TicketHolder, public Workforce {
 public:
  // Where the crew asks for help when it has more than it can use.
  class Outside {
   public:
    virtual ~Outside() = default;
    // There is something for the thieves that wait.
    virtual void wake() noexcept = 0;
    // A worker has found nothing to do here.
    virtual void hungry() noexcept = 0;

    // A worker that has found nothing looks out for what comes from outside, instead of being woken
    // for it: between the first and the last of these it calls help() again and again. `sleeps`: it
    // found nothing then either.
    virtual void offer_help() noexcept {}
    // True: another thread is about the same, and may need this core.
    virtual bool help() noexcept { return false; }
    virtual void withdraw_help(bool) noexcept {}
    // Whether there is any outside.
    virtual bool wants_help() const noexcept { return false; }
  };

  // All must outlive this. `trace`: where the workers write down what they did, when somebody
  // wants to know; `black_box`: where they note what they run, or null;
  // `chronicle`: where a job that failed is noted.
  Crew(Node& node, unsigned workers, std::size_t stack_bytes, Queue& queue, Deadlines& deadlines,
       Outside& outside, Patience& patience, Trace& trace, BlackBox* black_box,
       Chronicle& chronicle);
  // Waits for running jobs; jobs not begun stay in the queue. REQUIRES: stop() was called.
  ~Crew() override;

  // New work was pushed: sees that somebody takes it. Cheap when nobody is hungry: one load.
  void announce() override {
    // Sequentially consistent: the push comes before this load. Partner: whoever goes to sleep says
    // so in hungry_ first and looks at the queue afterwards, so one of the two sees the other.
    if (hungry_.load(std::memory_order_seq_cst) != 0) feed();
  }

  // As announce(), for jobs that only other nodes may run.
  void announce_elsewhere() { outside_.wake(); }

  // So many at a time from now on, up to Queue::kMostWorkers: more begin what is queued at once.
  void set_workers(unsigned workers);

  // Runs a new job on top of the one that the calling worker runs; the clock of that one stands.
  // Takes over one reference. False: there is too little stack, and nothing was done. REQUIRES:
  // called by the worker itself, inside a job.
  bool run_now(Worker& worker, Job& job);

  // Whether anybody, here or far away, would take a job that this worker exposed now: more are
  // hungry than jobs of its lie exposed already. REQUIRES: called by the worker itself.
  bool wants_from(const Worker& worker) const {
    const std::uint32_t hungry = hungry_.load(std::memory_order_relaxed);
    return hungry != 0 && worker.deque->size() <= hungry;
  }

  // Waits on a worker of this crew, running other jobs meanwhile; the clock of the job that waits
  // stands. False: the deadline came first.
  // REQUIRES: current() is one of this crew's.
  bool wait(Job& job, Clock::time_point deadline);

  // Outside::wake() is called when there is something for them.
  void set_waiting_thieves(bool waiting) override;
  void tell_to_stop_soon(Job& job) override { deadlines_.tell_to_stop_soon(job); }

  // Relaxed: the last number that was set; who needs more asks the one who set it.
  unsigned workers() const override { return allowed_.load(std::memory_order_relaxed); }
  // Workers that could begin a job now.
  unsigned idle() const override;
  Totals totals() const override;
  std::vector<FunctionFigures> functions() const override;
  std::uint64_t memory() const override;

  // All that ran here, also what does not travel, by name.
  std::map<std::string_view, FunctionFigures> functions_by_name() const;
  // What a worker runs, and since when.
  struct Running {
    std::size_t worker;
    std::string_view function;
    Clock::time_point since;
  };
  std::vector<Running> running() const;

  // What the workers run, a line each; how many run something.
  std::string describe(Clock::time_point now) const;
  unsigned busy() const;

  // No further job is begun, but the children that running jobs wait for; returns when none runs
  // any more.
  void stop();

  // The worker that runs on this thread, or null.
  static Worker* current() noexcept;

  bool serve_ticket() noexcept override;

 private:
  struct Shift {
    unsigned allowed = 0;
    unsigned tickets = 0;  // out: working or seeking; more than allowed for a while after that sank
    unsigned seekers = 0;  // tickets and woken sleepers that have no job yet
    unsigned turning = 0;  // tickets between two turns: they count as working
    bool waiting_thieves = false;
    std::vector<Worker*> sleepers;  // waiting inside a job, with nothing to run
    std::vector<Worker*> free;      // places nobody occupies
    unsigned bound = 0;             // of the sleepers: see Worker::bound
    Worker* wake_sleeper();
    bool remove_sleeper(Worker& worker);
    // Tickets that work or look for work.
    unsigned awake() const { return tickets - static_cast<unsigned>(sleepers.size()); }
    unsigned idle() const;
    void check() const;
  };

  void feed();
  void publish(Shift& shift);
  Worker* occupy();
  Worker* free_place(Shift& shift);
  void begin_seeking(Worker& worker);
  void stop_seeking(Worker& worker);
  bool end_ticket(Worker& worker);
  void leave_place(Shift& shift, Worker& worker);
  Job* take(Worker& worker, Queue::Taker taker);
  Job* look(Worker& worker, Queue::Taker taker);
  Job* look_out(Worker& worker, Clock::duration patience);
  void run(Worker& worker, Job& job) noexcept;
  void run_borrowed(Worker& worker, Job& job) noexcept;
  void note(Worker& worker, const Job& job, Clock::time_point since) noexcept;
  template <class Act>
  bool with_clock_stopped(Worker& worker, Act act);
  Ran execute(Worker& worker, Job& job) noexcept;
  Ran refuse(Job& job) noexcept;
  void end(Job& job, Ran ran) noexcept;
  bool failed(const Job& job, Ran ran) noexcept;
  Clock::time_point run_outermost(Worker& worker, Job& job, Clock::time_point begun) noexcept;
  struct Counted {
    Ran how;
    Clock::time_point ended;
  };
  Counted run_counted(Worker& worker, Job& job, Clock::time_point begun) noexcept;
  void run_otherwise(Worker& worker, Job& job) noexcept;
  void run_traced(Worker& worker, Job& job) noexcept;
  Clock::time_point run_outermost_traced(Worker& worker, Job& job,
                                         Clock::time_point begun) noexcept;
  bool help(Worker& worker, Job& job, Clock::time_point deadline);
  void sleep(Worker& worker, Job& job, Clock::time_point deadline);

  Queue& queue_;
  Deadlines& deadlines_;
  Outside& outside_;
  Patience& patience_;
  Node& node_;
  Trace& trace_;
  BlackBox* const black_box_;
  Chronicle& chronicle_;
  // As many as the queue has places, made together with them, under shift_'s lock; the count that
  // Queue::places() gives publishes them too.
  std::array<std::unique_ptr<Worker>, Queue::kMostWorkers> workers_;
  Guarded<Shift> shift_;
  std::atomic<unsigned> allowed_;
  // Somebody is hungry: derived from Shift and stored under its lock, read without. Sequentially
  // consistent stores: see announce().
  std::atomic<std::uint32_t> hungry_{0};
  // More are awake than allowed, or stop() was called: who has no job begins none. Written under
  // shift_'s lock. Relaxed: it is read after a job was taken, and the job comes from a thread that
  // pushed it: what that one had set before, the taker sees.
  std::atomic<bool> restrained_{false};
  // Written under shift_'s lock. Relaxed: as restrained_.
  std::atomic<bool> stopping_{false};
  std::condition_variable ended_;  // with shift_: the last ticket is back
  Executor executor_;
};

}  // namespace pp::runtime
