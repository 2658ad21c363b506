// Levels: three lists under one lock.
#include "levels.hpp"

namespace pp::runtime {

void Levels::publish(const Lists& lists, std::size_t level) {
  const std::size_t before =
      sizes_[level].load(std::memory_order_relaxed);  // ours: the lock is held
  const std::size_t now = lists[level].size();
  if (high_ != nullptr && level == at(Priority::kHigh))
    *high_ += now - before;  // may wrap, and back
  sizes_[level].store(now);
}

void Levels::insert(Job* job, bool oldest) {
  const std::size_t level = at(job->priority);
  auto lists = lists_.lock();
  auto& list = (*lists)[level];
  oldest ? list.push_front(job) : list.push_back(job);
  publish(*lists, level);
}

void Levels::push_all(std::span<Job* const> jobs) {
  auto lists = lists_.lock();
  auto& list = (*lists)[at(Priority::kNormal)];
  list.insert(list.end(), jobs.begin(), jobs.end());
  publish(*lists, at(Priority::kNormal));
}

Job* Levels::take(Priority priority, Job::Phase claim) {
  const std::size_t level = at(priority);
  if (sizes_[level].load() == 0) return nullptr;
  Job* found = nullptr;
  std::vector<Job*> dead;  // released after the lock: a destructor may be the user's
  {
    auto lists = lists_.lock();
    auto& list = (*lists)[level];
    while (found == nullptr && !list.empty()) {
      Job* job = list.front();
      list.pop_front();
      if (job->claim(claim)) {
        found = job;
      } else {
        dead.push_back(job);
      }
    }
    publish(*lists, level);
  }
  for (Job* job : dead) job->release();
  return found;
}

void Levels::take(Priority priority, Job::Phase claim, std::size_t most, std::vector<Job*>& taken) {
  const std::size_t level = at(priority);
  if (taken.size() >= most || sizes_[level].load() == 0) return;
  std::vector<Job*> dead;  // as above
  {
    auto lists = lists_.lock();
    auto& list = (*lists)[level];
    while (taken.size() < most && !list.empty()) {
      Job* job = list.front();
      list.pop_front();
      (job->claim(claim) ? taken : dead).push_back(job);
    }
    publish(*lists, level);
  }
  for (Job* job : dead) job->release();
}

std::vector<Job*> Levels::take_newest(std::size_t most) {
  std::vector<Job*> taken;
  std::vector<Job*> dead;
  {
    auto lists = lists_.lock();
    for (std::size_t level = kCount; level-- > 0;) {
      auto& list = (*lists)[level];
      while (taken.size() < most && !list.empty()) {
        Job* job = list.back();
        list.pop_back();
        (job->claim(Job::kRunning) ? taken : dead).push_back(job);
      }
      publish(*lists, level);
    }
  }
  for (Job* job : dead) job->release();
  return taken;
}

std::size_t Levels::size() const {
  std::size_t sum = 0;
  for (const auto& size : sizes_) sum += size.load();
  return sum;
}

}  // namespace pp::runtime
