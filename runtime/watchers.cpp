// Watchers: the order of lock, flag and look that loses no word.
#include <array>
#include <cstdint>
#include <mutex>
#include <pp/job.hpp>

#include "parker.hpp"

namespace pp::runtime {

namespace {

// A few locks for all jobs, so that those who watch different jobs seldom meet. Nothing but list
// operations and unpark() happens under them, and nobody takes two.
constinit std::array<std::mutex, 64> locks;

std::mutex& lock_of(const Job& job) {
  return locks[reinterpret_cast<std::uintptr_t>(&job) / 64 % locks.size()];
}

}  // namespace

bool watch(Job& job, Watcher& watcher) {
  const std::lock_guard lock(lock_of(job));
  // Who finishes the job changes its phase in the same word: either it sees this flag and comes to
  // tell_watchers(), which waits for our lock, or we see its phase here. Acquire: the outcome.
  const std::uint32_t seen = job.state.fetch_or(Job::kWatched, std::memory_order_acq_rel);
  if ((seen & Job::kPhaseMask) == Job::kDone) return false;
  watcher.next_ = job.watchers;
  job.watchers = &watcher;
  return true;
}

bool unwatch(Job& job, Watcher& watcher) {
  const std::lock_guard lock(lock_of(job));
  for (Watcher** link = &job.watchers; *link != nullptr; link = &(*link)->next_) {
    if (*link != &watcher) continue;
    *link = watcher.next_;
    return true;
  }
  return false;
}

void tell_watchers(Job& job) {
  Watcher* told = nullptr;
  {
    const std::lock_guard lock(lock_of(job));
    while (Watcher* watcher = job.watchers) {
      job.watchers = watcher->next_;
      if (watcher->parker_ != nullptr) {
        // Under the lock: unwatch() cannot return, and so the parker cannot go, while it is woken.
        watcher->parker_->unpark();
      } else {
        watcher->next_ = told;  // turns the order: the first that came is told first
        told = watcher;
      }
    }
  }
  while (told != nullptr) {
    Watcher* next = told->next_;
    told->done(job);
    told = next;
  }
}

void nudge(Job& job) {
  const std::lock_guard lock(lock_of(job));
  for (const Watcher* watcher = job.watchers; watcher != nullptr; watcher = watcher->next_) {
    if (watcher->parker_ != nullptr) watcher->parker_->unpark();
  }
}

}  // namespace pp::runtime
