// Group: a list of what is under way, and one event for when it is empty.
#include <cassert>
#include <pp/event.hpp>
#include <pp/group.hpp>

#include "crew.hpp"
#include "guarded.hpp"
#include "node.hpp"

namespace pp {

using namespace runtime;

// Shared with the watchers of its jobs, which may be told after the group is gone.
struct Group::Members {
  struct State {
    std::vector<Member*> open;  // each keeps its job
    std::vector<JobReference<Job>> failed;
    Counts counts;
    Event emptied;  // somebody waits for the last
    void check() const;
  };
  mutable Guarded<State> state;

  std::vector<std::exception_ptr> errors() const;
};

// One job that is not done.
class Group::Member final : public Watcher {
 public:
  Member(std::shared_ptr<Members> members, Job& job, std::size_t place)
      : members_(std::move(members)), job_(&job), place_(place) {
    job.retain();
  }

  void done(Job& job) noexcept override {
    const Failure* failure = job.kind->failure(job);
    Event emptied;
    {
      auto state = members_->state.lock();
      ++state->counts.done;
      if (failure != nullptr && failure->kind == Failure::Kind::kCancelled) {
        ++state->counts.cancelled;
      } else if (failure != nullptr) {
        ++state->counts.failed;
        state->failed.push_back(std::move(job_));
      }
      Member* last = state->open.back();
      state->open[place_] = last;
      last->place_ = place_;
      state->open.pop_back();
      if (state->open.empty()) std::swap(emptied, state->emptied);
    }
    if (emptied) happen(*emptied);
    delete this;
  }

  Job& job() const { return *job_; }

 private:
  const std::shared_ptr<Members> members_;
  JobReference<Job> job_;
  std::size_t place_;
};

void Group::Members::State::check() const {
  assert(counts.done + open.size() == counts.total);
  assert(counts.failed + counts.cancelled <= counts.done);
}

std::vector<std::exception_ptr> Group::Members::errors() const {
  std::vector<std::exception_ptr> errors;
  auto now = state.lock();
  for (const auto& job : now->failed) {
    job->state.fetch_or(Job::kSeen, std::memory_order_relaxed);
    try {
      raise(*job->kind->failure(*job));
    } catch (...) {
      errors.push_back(std::current_exception());
    }
  }
  return errors;
}

Group::Group(Node& node)
    : node_(node), home_(home_of(node)), members_(std::make_shared<Members>()) {}

Group::Group(Runtime& rt) : Group(*rt.node_) {}

Group::Group() : Group(node_here("pp::Group()")) {}

void Group::add(Job& job) {
  auto state = members_->state.lock();
  auto* member = new Member(members_, job, state->open.size());
  state->open.push_back(member);
  ++state->counts.total;
  watch(job, *member);  // nobody has seen the job yet: it cannot be done
}

void Group::submit_to(Job& job) {
  const Worker* worker = Crew::current();
  if (worker != nullptr && worker->node == &node_)
    spawn(job);
  else
    runtime::submit(node_, job);
}

void Group::wait() { wait_until(Clock::time_point::max()); }

bool Group::wait_until(Clock::time_point deadline) {
  for (;;) {
    Job* emptied = nullptr;
    {
      auto state = members_->state.lock();
      if (state->open.empty()) break;
      if (!state->emptied) state->emptied = make_event(home_);
      emptied = &*state->emptied;
      emptied->retain();
    }
    const Event kept(emptied);
    if (!wait_until_done(*emptied, deadline)) return false;
  }
  const std::vector<std::exception_ptr> errors = members_->errors();
  if (!errors.empty()) std::rethrow_exception(errors.front());
  return true;
}

void Group::cancel() {
  std::vector<JobReference<Job>> open;
  {
    auto state = members_->state.lock();
    for (const Member* member : state->open) {
      member->job().retain();
      open.emplace_back(&member->job());
    }
  }
  for (const auto& job : open) runtime::cancel(*job);
}

Group::Counts Group::counts() const { return members_->state.lock()->counts; }

std::vector<std::exception_ptr> Group::errors() const { return members_->errors(); }

}  // namespace pp
