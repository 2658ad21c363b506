// Queue: the jobs of this node that nobody has begun.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <pp/job.hpp>
#include <span>
#include <vector>

#include "deque.hpp"
#include "levels.hpp"
#include "turnstile.hpp"

namespace pp::runtime {

// Whether other nodes could run it.
inline bool travels(const Job& job) {
  return job.kind->encode_arguments != nullptr && job.function->travels && !job.stays;
}

// The claim of a job is given back, and a worker that waits for it looks at it anew. REQUIRES:
// called by the claim's holder, with a reference of its own; the job is queued afterwards.
inline void release_claim(Job& job) {
  if (job.unclaim() & Job::kWatched) nudge(job);
}

// A deque per worker holds what its jobs spawned; jobs of another priority than normal, or with a
// place where they are to run, never lie there. Everything else lies in one of five lists, each in
// order of priority and age:
//   outside    ours, may run anywhere: submitted by other threads, or back from lost loans
//   pinned     may run here only: it was asked for, or the arguments cannot travel; also other
//              nodes' jobs that were placed here
//   borrowed   other nodes', may go back to them
//   elsewhere  ours, may run on any node but this one
//   placed     ours, may run on one other node only
// and coroutines that go on in a sixth, in the order in which they were resumed.
// An entry is a reference to a job which somebody may have claimed meanwhile: whoever takes an
// entry claims the job, or drops the entry and takes the next.
class Queue {
 public:
  // The most workers that a node can be given, once it runs too.
  static constexpr std::size_t kMostWorkers = 1024;

  // `limit` of jobs in the lists, past which turnstile() stops who submits; places are added as
  // they are needed.
  explicit Queue(std::size_t places, std::size_t limit = SIZE_MAX);
  ~Queue();

  // One more worker's place; returns its index. REQUIRES: one caller at a time, kMostWorkers in
  // all.
  std::size_t add_place();
  // Those that were ever used; the others cost nothing.
  std::size_t places() const { return places_count_.load(); }
  Deque& deque(std::size_t place) { return places_[place]->deque; }

  // Any thread. Where it goes is told by the job itself: its kind, its place and its priority.
  void push(Job* job);
  // Borrowed jobs that may go back, many of them at once: as push() of each. Where there is none of
  // another priority, one lock does.
  void push_borrowed(std::span<Job* const> jobs);
  // The same, in front of the others of its priority: it has been taken before.
  void push_oldest(Job* job);

  // A coroutine that goes on. It has been claimed ever since it began, so whoever takes the entry
  // runs it; the entry is no reference.
  void push_resumed(Job* job);

  // A claimed job for the worker at this place, or null.
  enum class Taker {
    kFree,     // begins anything: high priority first; then its own newest, what waits in the
               // lists, the oldest that other workers spawned; low priority last. Every kAgeing-th
               // time it looks at the lists from the lowest priority upwards, so that none starves
    kHelping,  // waits inside a job: its own newest and what other workers spawned (probably what
               // it waits for) before something new
    kEnding,  // waits inside a job while no more are to be begun: nothing that was not spawned by a
              // running job
  };
  static constexpr std::uint32_t kAgeing = 64;
  Job* take(std::size_t place, Taker taker);

  // Claimed for lending to whoever asks, at most `most` of them: those that may not run here, then
  // the highest priority first, and of each the oldest. Borrowed ones are not ours to lend.
  std::vector<Job*> lend(std::size_t most);
  // Those of the `placed` for which `wanted`, which claims them, says true.
  template <class Predicate>
  std::vector<Job*> take_placed(Predicate wanted);
  // Claimed borrowed jobs, the lowest priority and the newest first, at most `most`: to be
  // returned.
  std::vector<Job*> unborrow(std::size_t most);
  // Every borrowed job for which `void_now` is true, those placed here included, claimed: its link
  // is over.
  template <class Predicate>
  std::vector<Job*> drop_borrowed(Predicate void_now);
  // The program is asked to end: from now on nothing is to be begun that no job has spawned. Any
  // thread.
  void wind_up() { winding_up_.store(true, std::memory_order_relaxed); }
  // Whether that holds for this job: whoever has claimed it fails it instead.
  bool turns_away(const Job& job) const {
    const std::uint32_t seen = job.state.load(std::memory_order_relaxed);
    return winding_up_.load(std::memory_order_relaxed) && (seen & Job::kOutside) != 0 &&
           (seen & Job::kBegun) == 0;
  }
  // Those in the lists, claimed; and entries of jobs that are done, which nobody has come across.
  std::vector<Job*> take_turned_away();
  // Everything that is still unclaimed, claimed: the end. REQUIRES: no worker runs any more.
  std::vector<Job*> drain();

  // How many entries there are (a moment ago, entries of claimed jobs included).
  std::size_t own() const;  // may run here, and be lent
  std::size_t pinned() const { return pinned_.size(); }
  std::size_t borrowed() const { return borrowed_.size(); }
  std::size_t elsewhere() const { return elsewhere_.size(); }
  std::size_t placed() const { return placed_.size(); }
  // Of jobs that were not spawned: what the limit counts.
  std::size_t listed() const {
    return outside_.size() + pinned_.size() + elsewhere_.size() + placed_.size();
  }
  // Nothing that a worker of this node could begin.
  bool empty() const {
    return own() == 0 && borrowed() == 0 && pinned() == 0 && resumed_count_.load() == 0;
  }

  // listed() is at the limit: threads that submit wait at turnstile().
  bool full();
  Turnstile& turnstile() { return turnstile_; }

 private:
  struct Place {
    Deque deque;
    std::uint32_t takes = 0;  // the occupant's
  };

  void note_size();
  Levels& list_of(const Job& job);
  Job* take_listed(Priority priority);
  Job* take_resumed();
  Job* take_spawned(std::size_t besides);
  Job* steal(std::size_t from, Job::Phase claim);
  void room_made() {
    if (turnstile_.anybody()) turnstile_.left(listed());
  }

  // Grows under its caller's lock; whoever reads the count (acquire at least) may use the places
  // below it. Sequentially consistent: a worker's first push comes after its place was counted, and
  // who goes to sleep reads the count after saying that it is hungry, as it does the deques' own
  // ends; so the argument of Crew::announce covers the push that made the place known, too.
  std::atomic<std::size_t> places_count_{0};
  std::array<std::unique_ptr<Place>, kMostWorkers> places_;
  // Entries of high priority in the three lists below: the one thing that a worker looks at before
  // its own deque. Sequentially consistent, though only the order of jobs hangs on it.
  alignas(64) std::atomic<std::size_t> high_{0};
  // On lines of their own: who submits writes one, and a worker looks at all of them.
  alignas(64) Levels outside_{&high_};
  alignas(64) Levels pinned_{&high_};
  Levels borrowed_{&high_};
  Levels elsewhere_;
  Levels placed_;
  Guarded<std::deque<Job*>> resumed_;
  // Changed under its lock. Sequentially consistent: as the sizes in Levels.
  std::atomic<std::size_t> resumed_count_{0};
  Turnstile turnstile_;
  // A push has seen the limit reached: spares full() the sizes, which workers keep writing.
  // Relaxed: cleared at the wrong moment, the next push sets it again.
  std::atomic<bool> limit_seen_{false};
  // Relaxed: what is begun all the same by who has not seen it yet is one job more.
  std::atomic<bool> winding_up_{false};
};

template <class Predicate>
std::vector<Job*> Queue::take_placed(Predicate wanted) {
  std::vector<Job*> taken = placed_.take_if(wanted);
  room_made();
  return taken;
}

template <class Predicate>
std::vector<Job*> Queue::drop_borrowed(Predicate void_now) {
  const auto dropped = [&](Job& job) { return void_now(job) && job.claim(Job::kRunning); };
  std::vector<Job*> all = borrowed_.take_if(dropped);
  const std::vector<Job*> placed =
      pinned_.take_if([&](Job& job) { return job.borrowed && dropped(job); });
  all.insert(all.end(), placed.begin(), placed.end());
  return all;
}

}  // namespace pp::runtime
