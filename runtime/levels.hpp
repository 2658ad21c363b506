// Levels: a list of queued jobs in order of priority, then of age.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <pp/job.hpp>
#include <pp/job_options.hpp>
#include <span>
#include <vector>

#include "guarded.hpp"

namespace pp::runtime {

// An entry is a reference to a job which somebody may have claimed meanwhile; such an entry is
// dropped by the next one who comes across it, and counted until then. Any thread.
class Levels {
 public:
  // `high` counts the entries of high priority of all lists that share it; may be null.
  explicit Levels(std::atomic<std::size_t>* high = nullptr) : high_(high) {}

  void push(Job* job) { insert(job, false); }
  // All of normal priority.
  void push_all(std::span<Job* const> jobs);
  // Came back: it goes before all others of its priority.
  void push_oldest(Job* job) { insert(job, true); }

  // The oldest of this priority that could be claimed, or null.
  Job* take(Priority priority, Job::Phase claim);
  // The oldest of this priority, until `taken` holds `most`.
  void take(Priority priority, Job::Phase claim, std::size_t most, std::vector<Job*>& taken);
  // The newest of the lowest priority first, at most `most`, claimed as running.
  std::vector<Job*> take_newest(std::size_t most);
  // Takes each entry out for which `wanted`, which may claim it, says true.
  template <class Predicate>
  std::vector<Job*> take_if(Predicate wanted);

  std::size_t size() const;
  std::size_t size(Priority priority) const { return sizes_[at(priority)].load(); }

  static constexpr Priority kFromHighest[] = {Priority::kHigh, Priority::kNormal, Priority::kLow};

 private:
  static constexpr std::size_t kCount = 3;
  static constexpr std::size_t at(Priority priority) { return static_cast<std::size_t>(priority); }
  using Lists = std::array<std::deque<Job*>, kCount>;

  void insert(Job* job, bool oldest);
  void publish(const Lists& lists, std::size_t level);

  Guarded<Lists> lists_;
  // Changed under the lock. Sequentially consistent everywhere: who pushes looks afterwards for the
  // hungry, who goes to sleep looks afterwards here (Crew::announce has the argument).
  std::array<std::atomic<std::size_t>, kCount> sizes_{};
  std::atomic<std::size_t>* const high_;
};

template <class Predicate>
std::vector<Job*> Levels::take_if(Predicate wanted) {
  std::vector<Job*> taken;
  if (size() == 0) return taken;
  auto lists = lists_.lock();
  for (std::size_t level = 0; level < kCount; ++level) {
    std::erase_if((*lists)[level], [&](Job* job) {
      if (!wanted(*job)) return false;
      taken.push_back(job);
      return true;
    });
    publish(*lists, level);
  }
  return taken;
}

}  // namespace pp::runtime
