// Waiting for several jobs: watchers that make one event happen.
#include <atomic>
#include <deque>
#include <pp/event.hpp>
#include <pp/wait.hpp>

#include "guarded.hpp"

namespace pp::runtime {

namespace {

std::optional<std::size_t> first_done(const std::vector<Job*>& jobs) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i]->done()) return i;
  }
  return {};
}

// Makes an event happen when the first of several jobs is done.
struct FirstOfAll {
  std::atomic<bool> happened{false};  // relaxed: only one of the watchers may make it happen
  Event event = make_event(home_here());
};

class ForAny final : public Watcher {
 public:
  explicit ForAny(std::shared_ptr<FirstOfAll> first) : first_(std::move(first)) {}
  void done(Job&) noexcept override {
    if (!first_->happened.exchange(true, std::memory_order_relaxed)) happen(*first_->event);
    delete this;
  }

 private:
  const std::shared_ptr<FirstOfAll> first_;
};

}  // namespace

std::optional<std::size_t> wait_any(const std::vector<Job*>& jobs, Clock::time_point deadline) {
  if (jobs.empty()) throw Error("pp: wait_any was given no future to wait for");
  if (const auto done = first_done(jobs)) return done;
  const auto first = std::make_shared<FirstOfAll>();
  std::vector<ForAny*> watchers;
  bool all_wait = true;
  for (std::size_t i = 0; i < jobs.size() && all_wait; ++i) {
    auto watcher = std::make_unique<ForAny>(first);
    all_wait = watch(*jobs[i], *watcher);
    if (all_wait) watchers.push_back(watcher.release());
  }
  if (all_wait) wait_until_done(*first->event, deadline);
  for (std::size_t i = 0; i < watchers.size(); ++i) {
    if (unwatch(*jobs[i], *watchers[i])) delete watchers[i];  // otherwise it deletes itself
  }
  return first_done(jobs);
}

// What has come and is not asked for yet.
struct Arrivals::Shared {
  struct State {
    std::deque<std::size_t> arrived;
    Event awaited;  // somebody waits for the next
  };
  Guarded<State> state;

  void add(std::size_t index) {
    Event awaited;
    {
      auto now = state.lock();
      now->arrived.push_back(index);
      std::swap(awaited, now->awaited);
    }
    if (awaited) happen(*awaited);
  }
};

class Arrivals::Arrival final : public Watcher {
 public:
  Arrival(std::shared_ptr<Shared> shared, std::size_t index)
      : shared_(std::move(shared)), index_(index) {}
  void done(Job&) noexcept override {
    shared_->add(index_);
    delete this;
  }

 private:
  const std::shared_ptr<Shared> shared_;
  const std::size_t index_;
};

Arrivals::Arrivals(const std::vector<Job*>& jobs)
    : shared_(std::make_shared<Shared>()), missing_(jobs.size()) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    auto* arrival = new Arrival(shared_, i);
    if (!watch(*jobs[i], *arrival)) arrival->done(*jobs[i]);
  }
}

std::optional<std::size_t> Arrivals::next() {
  if (missing_ == 0) return {};
  for (;;) {
    Job* awaited = nullptr;
    {
      auto now = shared_->state.lock();
      if (!now->arrived.empty()) {
        const std::size_t index = now->arrived.front();
        now->arrived.pop_front();
        --missing_;
        return index;
      }
      now->awaited = make_event(home_here());
      awaited = &*now->awaited;
      awaited->retain();
    }
    const Event kept(awaited);
    wait_until_done(*awaited, Clock::time_point::max());
  }
}

}  // namespace pp::runtime
