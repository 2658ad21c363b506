// Queue: who takes what from where.
#include "queue.hpp"

#include <algorithm>

namespace pp::runtime {

Queue::~Queue() {
  for (Job* job : drain()) job->release();
}

void Queue::push(List& list, Job* job, bool front) {
  auto jobs = list.jobs.lock();
  front ? jobs->push_front(job) : jobs->push_back(job);
  list.size.store(jobs->size(), std::memory_order_seq_cst);
}

Job* Queue::take_oldest(List& list, Job::Phase claim) {
  if (list.size.load(std::memory_order_seq_cst) == 0) return nullptr;
  Job* found = nullptr;
  std::vector<Job*> dead;  // released after the lock: a destructor may be the user's
  {
    auto jobs = list.jobs.lock();
    while (found == nullptr && !jobs->empty()) {
      Job* job = jobs->front();
      jobs->pop_front();
      if (job->claim(claim)) {
        found = job;
      } else {
        dead.push_back(job);
      }
    }
    list.size.store(jobs->size(), std::memory_order_seq_cst);
  }
  for (Job* job : dead) job->release();
  return found;
}

Job* Queue::steal(std::size_t from, Job::Phase claim) {
  for (;;) {
    Job* job = nullptr;
    switch (deques_[from].steal(job)) {
      case Deque::Stolen::kEmpty:
        return nullptr;
      case Deque::Stolen::kLost:
        continue;  // lock-free: somebody else got one
      case Deque::Stolen::kTaken:
        if (job->claim(claim)) return job;
        job->release();
    }
  }
}

Job* Queue::take(std::size_t worker, Taker taker) {
  while (Job* job = deques_[worker].pop()) {
    if (job->claim(Job::kRunning)) return job;
    job->release();
  }
  const auto from_siblings = [&]() -> Job* {
    for (std::size_t i = 1; i < deques_.size(); ++i) {
      const std::size_t from = (worker + i) % deques_.size();
      if (deques_[from].size() == 0) continue;
      if (Job* job = steal(from, Job::kRunning)) return job;
    }
    return nullptr;
  };
  if (taker != Taker::kFree) {
    Job* job = from_siblings();
    if (job != nullptr || taker == Taker::kEnding) return job;
  }
  if (Job* job = take_oldest(borrowed_, Job::kRunning)) return job;
  if (Job* job = take_oldest(outside_, Job::kRunning)) return job;
  return taker == Taker::kFree ? from_siblings() : nullptr;
}

std::vector<Job*> Queue::lend(std::size_t most) {
  std::vector<Job*> taken;
  const auto travels = [](const Job& job) {
    return job.kind->encode_arguments != nullptr && job.function->travels && !job.stays;
  };
  {
    auto jobs = outside_.jobs.lock();
    for (auto entry = jobs->begin(); entry != jobs->end() && taken.size() < most;) {
      if (travels(**entry) && (*entry)->claim(Job::kLent)) {
        taken.push_back(*entry);
        entry = jobs->erase(entry);
      } else {
        ++entry;
      }
    }
    outside_.size.store(jobs->size(), std::memory_order_seq_cst);
  }
  // The oldest of each deque in turn, so that no worker alone is robbed.
  bool found = true;
  std::vector<Job*> stay;
  while (found && taken.size() < most) {
    found = false;
    for (std::size_t from = 0; from < deques_.size() && taken.size() < most; ++from) {
      Job* job = steal(from, Job::kLent);
      if (job == nullptr) continue;
      found = true;
      (travels(*job) ? taken : stay).push_back(job);
    }
  }
  for (Job* job : stay) {
    job->unclaim();
    push_outside(job);
  }
  return taken;
}

std::vector<Job*> Queue::unborrow(std::size_t most) {
  std::vector<Job*> taken;
  auto jobs = borrowed_.jobs.lock();
  while (taken.size() < most && !jobs->empty()) {
    Job* job = jobs->back();
    jobs->pop_back();
    if (job->claim(Job::kRunning))
      taken.push_back(job);  // only workers claim these, and they take the entry with it
  }
  borrowed_.size.store(jobs->size(), std::memory_order_seq_cst);
  return taken;
}

std::vector<Job*> Queue::drain() {
  std::vector<Job*> rest;
  for (List* list : {&outside_, &borrowed_}) {
    while (Job* job = take_oldest(*list, Job::kRunning)) rest.push_back(job);
  }
  for (std::size_t from = 0; from < deques_.size(); ++from) {
    while (Job* job = steal(from, Job::kRunning)) rest.push_back(job);
  }
  return rest;
}

std::size_t Queue::own() const {
  std::size_t sum = outside_.size.load(std::memory_order_seq_cst);
  for (const Deque& deque : deques_) sum += static_cast<std::size_t>(deque.size());
  return sum;
}

}  // namespace pp::runtime
