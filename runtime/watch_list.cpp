// WatchList: the order of lock, flag and look that loses no wake-up.
#include "watch_list.hpp"

namespace pp::runtime {

bool WatchList::watch(Job& job, Parker& parker) {
  auto waiting = shard(&job).lock();
  const auto entry = waiting->emplace(&job, &parker);
  // Who finishes the job changes its phase in the same word: either it sees this flag and comes to
  // done(), which waits for our lock, or we see its phase here.
  const std::uint32_t seen = job.state.fetch_or(Job::kWatched, std::memory_order_acq_rel);
  if ((seen & Job::kPhaseMask) != Job::kDone) return true;
  waiting->erase(entry);
  return false;
}

void WatchList::unwatch(Job& job, Parker& parker) {
  auto waiting = shard(&job).lock();
  const auto [first, last] = waiting->equal_range(&job);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second == &parker) {
      waiting->erase(entry);
      return;
    }
  }
}

void WatchList::done(const Job* job) {
  auto waiting = shard(job).lock();
  const auto [first, last] = waiting->equal_range(job);
  // Under the lock: unwatch() cannot return, and so the parker cannot go, while it is being woken.
  for (auto entry = first; entry != last; ++entry) entry->second->unpark();
  waiting->erase(first, last);
}

}  // namespace pp::runtime
