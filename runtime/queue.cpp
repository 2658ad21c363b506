// Queue: who takes what from where.
#include "queue.hpp"

#include <algorithm>
#include <cassert>

namespace pp::runtime {

Queue::Queue(std::size_t places, std::size_t limit) : turnstile_(limit) {
  while (places-- > 0) add_place();
}

Queue::~Queue() {
  for (Job* job : drain()) job->release();
}

std::size_t Queue::add_place() {
  const std::size_t index = places_count_.load();
  assert(index < kMostWorkers);
  places_[index] = std::make_unique<Place>();
  places_count_.store(index + 1);
  return index;
}

Levels& Queue::list_of(const Job& job) {
  if (job.borrowed) return job.place == Where::Kind::kHere ? pinned_ : borrowed_;
  switch (job.place) {
    case Where::Kind::kAnywhere:
      return travels(job) ? outside_ : pinned_;
    case Where::Kind::kHere:
      return pinned_;
    case Where::Kind::kNotHere:
      return elsewhere_;
    case Where::Kind::kNode:
      return placed_;
  }
  return outside_;
}

void Queue::push(Job* job) {
  list_of(*job).push(job);
  note_size();
}

void Queue::push_borrowed(std::span<Job* const> jobs) {
  const bool usual = std::all_of(jobs.begin(), jobs.end(), [this](const Job* job) {
    return job->priority == Priority::kNormal && &list_of(*job) == &borrowed_;
  });
  if (usual) return borrowed_.push_all(jobs);
  for (Job* job : jobs) push(job);
}

void Queue::push_oldest(Job* job) {
  list_of(*job).push_oldest(job);
  note_size();
}

void Queue::note_size() {
  if (turnstile_.stops(listed())) limit_seen_.store(true, std::memory_order_relaxed);
}

bool Queue::full() {
  if (!limit_seen_.load(std::memory_order_relaxed)) return false;
  if (turnstile_.stops(listed())) return true;
  limit_seen_.store(false, std::memory_order_relaxed);
  return false;
}

void Queue::push_resumed(Job* job) {
  auto jobs = resumed_.lock();
  jobs->push_back(job);
  resumed_count_.store(jobs->size());
}

Job* Queue::take_resumed() {
  if (resumed_count_.load() == 0) return nullptr;
  auto jobs = resumed_.lock();
  if (jobs->empty()) return nullptr;
  Job* job = jobs->front();
  jobs->pop_front();
  resumed_count_.store(jobs->size());
  return job;
}

Job* Queue::steal(std::size_t from, Job::Phase claim) {
  for (;;) {
    Job* job = nullptr;
    switch (places_[from]->deque.steal(job)) {
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

// Other nodes' jobs first: somebody far away waits for them.
Job* Queue::take_listed(Priority priority) {
  if (Job* job = borrowed_.take(priority, Job::kRunning)) return job;
  Job* job = pinned_.take(priority, Job::kRunning);
  if (job == nullptr) job = outside_.take(priority, Job::kRunning);
  if (job != nullptr) room_made();
  return job;
}

Job* Queue::take_spawned(std::size_t besides) {
  const std::size_t count = places();
  for (std::size_t i = 1; i < count; ++i) {
    const std::size_t from = besides + i < count ? besides + i : besides + i - count;
    if (places_[from]->deque.size() == 0) continue;
    if (Job* job = steal(from, Job::kRunning)) return job;
  }
  return nullptr;
}

Job* Queue::take(std::size_t index, Taker taker) {
  Place& place = *places_[index];
  const bool free = taker == Taker::kFree;
  if (free) {
    if (++place.takes % kAgeing == 0) {
      if (Job* job = take_listed(Priority::kLow)) return job;
      if (Job* job = take_listed(Priority::kNormal)) return job;
    }
    if (high_.load() != 0) {
      if (Job* job = take_listed(Priority::kHigh)) return job;
    }
  }
  while (Job* job = place.deque.pop()) {
    if (job->claim(Job::kRunning)) return job;
    job->release();
  }
  if (Job* job = take_resumed()) return job;
  if (!free) {
    if (Job* job = take_spawned(index)) return job;
    if (taker == Taker::kEnding) return nullptr;
    if (Job* job = take_listed(Priority::kHigh)) return job;
  }
  if (Job* job = take_listed(Priority::kNormal)) return job;
  if (free) {
    if (Job* job = take_spawned(index)) return job;
  }
  return take_listed(Priority::kLow);
}

std::vector<Job*> Queue::lend(std::size_t most) {
  std::vector<Job*> taken;
  for (const Priority priority : Levels::kFromHighest)
    elsewhere_.take(priority, Job::kLent, most, taken);
  outside_.take(Priority::kHigh, Job::kLent, most, taken);
  outside_.take(Priority::kNormal, Job::kLent, most, taken);
  // The oldest of each deque in turn, so that no worker alone is robbed.
  bool found = true;
  std::vector<Job*> stay;
  while (found && taken.size() < most) {
    found = false;
    for (std::size_t from = 0; from < places() && taken.size() < most; ++from) {
      Job* job = steal(from, Job::kLent);
      if (job == nullptr) continue;
      found = true;
      (travels(*job) ? taken : stay).push_back(job);
    }
  }
  outside_.take(Priority::kLow, Job::kLent, most, taken);
  for (Job* job : stay) {
    job->retain();  // once its claim is given back, somebody may run and release it
    release_claim(*job);
    push(job);
    job->release();
  }
  room_made();
  return taken;
}

std::vector<Job*> Queue::unborrow(std::size_t most) { return borrowed_.take_newest(most); }

std::vector<Job*> Queue::take_turned_away() {
  std::vector<Job*> taken;
  for (Levels* list : {&outside_, &pinned_, &elsewhere_, &placed_}) {
    const std::vector<Job*> some = list->take_if([this](Job& job) {
      return job.done() || (!job.borrowed && turns_away(job) && job.claim(Job::kRunning));
    });
    taken.insert(taken.end(), some.begin(), some.end());
  }
  room_made();
  return taken;
}

std::vector<Job*> Queue::drain() {
  std::vector<Job*> rest;
  while (take_resumed() != nullptr) {
    // It belongs to its strand: see Home::end_strands().
  }
  for (Levels* list : {&outside_, &pinned_, &borrowed_, &elsewhere_, &placed_}) {
    for (const Priority priority : Levels::kFromHighest)
      list->take(priority, Job::kRunning, SIZE_MAX, rest);
  }
  for (std::size_t from = 0; from < places(); ++from) {
    while (Job* job = steal(from, Job::kRunning)) rest.push_back(job);
  }
  return rest;
}

std::size_t Queue::own() const {
  std::size_t sum = outside_.size();
  const std::size_t count = places();
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<std::size_t>(places_[i]->deque.size());
  return sum;
}

}  // namespace pp::runtime
