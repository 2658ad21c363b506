// Queue: the jobs of this node that nobody has begun.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <pp/job.hpp>
#include <span>
#include <vector>

#include "deque.hpp"
#include "guarded.hpp"

namespace pp::runtime {

// Three places: a deque per worker (what its jobs spawned), the outside list (what other threads
// submitted and what came back from lost loans), the borrowed list (what other nodes lent us). An
// entry is a reference to a job which somebody may have claimed meanwhile: whoever takes an entry
// claims the job, or drops the entry and takes the next.
class Queue {
 public:
  explicit Queue(std::size_t workers) : deques_(workers) {}
  ~Queue();

  Deque& deque(std::size_t worker) { return deques_[worker]; }

  // Any thread.
  void push_outside(Job* job) { push(outside_, job, false); }
  void push_outside_oldest(Job* job) { push(outside_, job, true); }
  void push_borrowed(Job* job) { push(borrowed_, job, false); }

  // A claimed job for this worker, or null: its own newest, then the oldest of everybody else's.
  enum class Taker {
    kFree,     // begins anything
    kHelping,  // waits inside a job: what other workers spawned (probably what it waits for) before
               // something new
    kEnding,   // waits inside a job while the node ends: begins nothing that was not spawned by a
               // running job
  };
  Job* take(std::size_t worker, Taker taker);

  // The oldest jobs of our own, claimed for lending, at most `most` of them; borrowed ones are not
  // ours to lend.
  std::vector<Job*> lend(std::size_t most);
  // Claimed borrowed jobs, the newest first, at most `most`: to be returned.
  std::vector<Job*> unborrow(std::size_t most);
  // Every borrowed job for which `void_now` is true, claimed: its link is over.
  template <class Predicate>
  std::vector<Job*> drop_borrowed(Predicate void_now);
  // Everything that is still unclaimed, claimed: the end. REQUIRES: no worker runs any more.
  std::vector<Job*> drain();

  // How many entries there are (a moment ago, entries of claimed jobs included).
  std::size_t own() const;
  std::size_t borrowed() const { return borrowed_.size.load(std::memory_order_seq_cst); }
  bool empty() const { return own() == 0 && borrowed() == 0; }

 private:
  struct List {
    Guarded<std::deque<Job*>> jobs;
    // Sequentially consistent everywhere: who pushes looks afterwards for the hungry, who goes to
    // sleep looks afterwards here (Crew::announce has the argument).
    std::atomic<std::size_t> size{0};
  };

  static void push(List& list, Job* job, bool front);
  static Job* take_oldest(List& list, Job::Phase claim);
  Job* steal(std::size_t from, Job::Phase claim);

  std::vector<Deque> deques_;
  List outside_;
  List borrowed_;
};

template <class Predicate>
std::vector<Job*> Queue::drop_borrowed(Predicate void_now) {
  std::vector<Job*> dropped;
  auto jobs = borrowed_.jobs.lock();
  std::erase_if(*jobs, [&](Job* job) {
    if (!void_now(*job) || !job->claim(Job::kRunning)) return false;
    dropped.push_back(job);
    return true;
  });
  borrowed_.size.store(jobs->size(), std::memory_order_seq_cst);
  return dropped;
}

}  // namespace pp::runtime
