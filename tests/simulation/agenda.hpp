// Agenda: what is to happen, in virtual time; whatever falls on the same instant is put in an order
// by the seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "dice.hpp"

namespace pp::simulation {

// One thread. An action may put others on the agenda; none is ever taken off: an action whose
// reason has gone finds out itself.
class Agenda {
 public:
  using Action = std::function<void()>;

  explicit Agenda(std::uint64_t seed) : dice_(seed) {}

  Time now() const { return now_; }
  void at(Time when, Action action) {
    std::uint32_t slot = static_cast<std::uint32_t>(actions_.size());
    if (free_.empty()) {
      actions_.push_back(std::move(action));
    } else {
      slot = free_.back();
      free_.pop_back();
      actions_[slot] = std::move(action);
    }
    entries_.push_back({std::max(when, now_), dice_.roll(), slot});
    std::push_heap(entries_.begin(), entries_.end(), Later{});
  }
  void in(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

  bool empty() const { return entries_.empty(); }
  Time next() const { return entries_.empty() ? Time::max() : entries_.front().when; }
  // REQUIRES: not empty.
  void run_next() {
    std::pop_heap(entries_.begin(), entries_.end(), Later{});
    const Entry entry = entries_.back();
    entries_.pop_back();
    now_ = entry.when;
    const Action action = std::move(actions_[entry.slot]);
    actions_[entry.slot] = nullptr;
    free_.push_back(entry.slot);
    action();
  }

 private:
  struct Entry {
    Time when;
    std::uint64_t tie;
    std::uint32_t slot;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.when != b.when ? a.when > b.when : a.tie > b.tie;
    }
  };

  Dice dice_;
  Time now_ = Time{} + std::chrono::hours(1);
  std::vector<Entry> entries_;  // a heap
  std::vector<Action> actions_;
  std::vector<std::uint32_t> free_;
};

}  // namespace pp::simulation
