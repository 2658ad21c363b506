// SimNode: workers that take virtual time, and a courier that is called when it asked for it.
#include "sim_node.hpp"

#include <algorithm>
#include <cassert>
#include <pp/discovery.hpp>
#include <utility>

#include "borrowed_job.hpp"
#include "particulars.hpp"

namespace pp::simulation {

using runtime::BorrowedJob;
using runtime::Failure;
using runtime::Job;
using runtime::Queue;

namespace {

runtime::Courier::Sources sources_of(const SimNode::Setting& setting) {
  runtime::Courier::Sources sources;
  sources.push_back(std::make_unique<discovery::FixedList>(setting.contacts));
  return sources;
}

transport::Introduction introduction(const SimNode::Setting& setting) {
  transport::Introduction self;
  self.node = setting.id;
  self.name = setting.name;
  self.workers = setting.workers;
  self.driver = setting.options.role == Role::kDriver;
  return self;
}

Duration soon(Dice& dice) { return dice.between(Duration(500), Duration(20'000)); }

}  // namespace

SimNode::SimNode(Agenda& agenda, SimNetwork& network, Witness& witness, std::uint64_t seed,
                 Setting setting)
    : agenda_(agenda),
      network_(network),
      witness_(witness),
      setting_(std::move(setting)),
      dice_(seed),
      clock_offset_(setting_.clock_offset),
      log_([this](std::string_view level, std::string_view sentence) {
        witness_.said(*this, level, sentence);
      }),
      home_(setting_.name),
      queue_(std::make_unique<Queue>(std::max(setting_.workers, 1U))),
      allowed_(setting_.workers) {
  courier_ = std::make_unique<runtime::Courier>(
      setting_.options,
      network.open(setting_.machine, setting_.port, introduction(setting_), [this] { stir(); }),
      sources_of(setting_),
      runtime::Courier::Parts{.queue = *queue_,
                              .log = log_,
                              .functions = runtime::FunctionTable::seal(),
                              .home = home_,
                              .most_results_kept = setting_.most_results_kept,
                              .most_borrowed = setting_.most_borrowed,
                              .eager = setting_.eager,
                              .eager_together = 4 * setting_.eager,
                              .loose_from = 6 * setting_.eager,
                              .fetch = setting_.fetch,
                              .most_cached = setting_.most_cached,
                              .spread_least = setting_.spread_least});
}

SimNode::~SimNode() {
  if (alive_) crash(false);
}

void SimNode::start() {
  started_ = agenda_.now();
  courier_->begin(*this, local());
  stir();
}

// ---- the courier

void SimNode::step_by(Time when) {
  when = std::max(when, agenda_.now());
  if (!alive_ || ended_ || when >= step_at_) return;
  step_at_ = when;
  agenda_.at(when, [this, when] {
    if (when == step_at_) step();
  });
}

void SimNode::step() {
  step_at_ = Time::max();
  if (!alive_ || stopped_ || ended_) return;
  ++steps_;
  const Time now = local();
  const Time due = courier_->step(now);
  if (due == Time::max()) {
    ended_ = true;
    witness_.courier_ended(*this);
    return;
  }
  step_by(due <= now ? agenda_.now() + setting_.step_cost : due - clock_offset_);
  const auto why = courier_->farewell();
  if (why && !std::exchange(dismissed_, true)) witness_.dismissed(*this, *why);
}

// ---- workers

// As Crew::announce(), and who then looks.
void SimNode::announce() {
  if (idle() > 0) look_soon();
  if (!waiting_thieves_) return;
  const std::size_t movable = queue_->own() + queue_->borrowed();
  if (queue_->elsewhere() > 0 || (movable > 0 && movable + queue_->pinned() > idle())) {
    waiting_thieves_ = false;
    courier_->wake();
  }
}

void SimNode::set_workers(unsigned workers) {
  allowed_ = workers;
  while (queue_->places() < workers) queue_->add_place();
  look_soon();
  if (!queue_->empty()) announce();
  courier_->wake();
}

void SimNode::plan(Event event, Duration delay, std::uint64_t number) {
  const auto what = static_cast<std::uint64_t>(event) << 56 | number;
  agenda_.in(delay, [this, what] {
    happen(static_cast<Event>(what >> 56), what & ((std::uint64_t{1} << 56) - 1));
  });
}

void SimNode::happen(Event event, std::uint64_t number) {
  if (!alive_) return;
  if (stopped_) return deferred_.push_back({event, number});
  switch (event) {
    case Event::kLook:
      return look();
    case Event::kEnd:
      return end_of_own_part(number);
    case Event::kTimeout:
      return expire(number);
    case Event::kStops:
      return stop_some();
  }
}

void SimNode::look_soon() {
  if (std::exchange(look_due_, true)) return;
  plan(Event::kLook, soon(dice_));
}

std::size_t SimNode::free_place() const {
  for (std::size_t place = 0;; ++place) {
    const bool taken = std::any_of(executions_.begin(), executions_.end(), [&](const auto& each) {
      return each.second.place == place && !each.second.waits;
    });
    if (!taken) return place;
  }
}

// What jobs that wait here wait for, if it can be begun on the spot.
Job* SimNode::help() {
  for (const auto& [number, execution] : executions_) {
    if (!execution.waits) continue;
    for (SimJob* child : execution.children) {
      if (child->runs_here() && child->claim(Job::kRunning)) {
        child->retain();  // the queue's entry keeps the other reference
        return child;
      }
    }
  }
  return nullptr;
}

Job* SimNode::take(std::size_t place) {
  const bool helps = std::any_of(executions_.begin(), executions_.end(), [&](const auto& each) {
    return each.second.waits && each.second.place == place;
  });
  if (ending_) {
    if (Job* job = help()) return job;
    return executions_.empty() ? nullptr : queue_->take(place, Queue::Taker::kEnding);
  }
  if (helps && dice_.chance(0.7)) {
    if (dice_.chance(0.5)) {
      if (Job* job = help()) return job;
    }
    if (Job* job = queue_->take(place, Queue::Taker::kHelping)) return job;
  }
  return queue_->take(place, Queue::Taker::kFree);
}

void SimNode::look() {
  look_due_ = false;
  // While the node ends, whoever waits inside a job runs what that waits for.
  const unsigned hands = ending_ ? std::max(allowed_, 1U) : allowed_;
  while (alive_ && working_ < hands) {
    const std::size_t place = free_place();
    while (queue_->places() <= place) queue_->add_place();
    Job* job = take(place);
    if (job == nullptr) {
      if (!ending_ && courier_) courier_->hungry();
      return;
    }
    begin(*job, place);
  }
}

void SimNode::begin(Job& job, std::size_t place) {
  const std::uint64_t number = ++last_execution_;
  Execution& execution = executions_[number];
  execution.job = &job;
  execution.place = place;
  execution.begun = agenda_.now();
  ++working_;
  if (job.borrowed) {
    execution.errand = errand_of(static_cast<const BorrowedJob&>(job));
    execution.script = witness_.script(execution.errand);
  } else {
    execution.errand = static_cast<SimJob&>(job).errand();
    execution.script = static_cast<SimJob&>(job).script();
  }
  assert(job.id == execution.errand.id);
  if (job.told_to_stop()) return finish(number, cancelled(job));
  witness_.begun(*this, execution.errand, job.attempt, job.borrowed, still_lent(job));
  if (job.borrowed) courier_->begun();
  if (execution.script.overdue()) plan(Event::kTimeout, execution.script.timeout, number);
  plan(Event::kEnd,
       execution.script.poison ? execution.script.duration / 2 : execution.script.duration, number);
}

bool SimNode::still_lent(const Job& job) const {
  return !job.borrowed || courier_->stands(static_cast<const BorrowedJob&>(job));
}

void SimNode::end_of_own_part(std::uint64_t number) {
  const auto found = executions_.find(number);
  if (found == executions_.end()) return;
  Execution& execution = found->second;
  if (execution.spawned) return complete(number);
  if (execution.script.poison) return witness_.poisoned(*this, execution.errand);
  if (execution.script.yields && execution.job->told_to_stop())
    return finish(number, Failure::of(Failure::Kind::kCancelled, "it was told to stop"));
  execution.spawned = true;
  if (execution.script.children > 0) spawn_children(number, execution);
  if (execution.unfinished == 0) return complete(number);
  execution.waits = true;
  --working_;
  look_soon();
}

void SimNode::spawn_children(std::uint64_t number, Execution& execution) {
  for (unsigned n = 0; n < execution.script.children; ++n) {
    const std::uint64_t id = runtime::derive(execution.errand.id, n);
    const Errand errand = witness_.submitted(*this, id, execution.errand.depth + 1,
                                             &execution.errand, execution.errand.once);
    auto* child = new SimJob(*this, errand, witness_.script(errand), number);
    execution.children.push_back(child);
    ++execution.unfinished;
  }
  const std::vector<SimJob*> children = execution.children;
  for (SimJob* child : children) {
    prepare(*child);
    queue(*child, execution.place);
  }
}

// What its options say.
void SimNode::prepare(SimJob& job) {
  job.home = &home_;
  const Script& script = job.script();
  JobOptions options;
  options.retries = script.retries;
  options.timeout = script.timeout;
  options.priority = script.priority;
  if (script.where == Where::Kind::kNotHere) options.where = Where::not_here();
  if (script.where == Where::Kind::kNode) {
    const std::vector<NodeView> others = courier_->nodes();
    const std::size_t which = dice_.below(others.size() + 1);
    options.where = Where::node(which == others.size() ? setting_.id : others[which].id);
  }
  set_options(job, std::move(options));
  job.watch();
}

// As Node::queue() and Node::spawn().
void SimNode::queue(SimJob& job, std::optional<std::size_t> place) {
  if (place && job.priority == Priority::kNormal && job.place == Where::Kind::kAnywhere) {
    queue_->deque(*place).push(&job);
    return announce();
  }
  if (job.place == Where::Kind::kNode &&
      runtime::find_particulars(job)->options.where.target() == setting_.id)
    job.place = Where::Kind::kHere;
  const bool here = job.runs_here();
  queue_->push(&job);
  if (here) return announce();
  courier_->placed();
  courier_->wake();
}

SimJob* SimNode::submit(std::uint64_t id, std::uint32_t depth, bool once) {
  const Errand errand = witness_.submitted(*this, id, depth, nullptr, once);
  auto* job = new SimJob(*this, errand, witness_.script(errand), 0);
  prepare(*job);
  queue(*job, std::nullopt);
  return job;
}

// As pp::runtime::cancel().
void SimNode::cancel(SimJob& job) {
  if (job.claim(Job::kRunning)) {
    if (job.settle()) runtime::fail_and_finish(job, runtime::cancelled(job));
    return;
  }
  const std::uint32_t seen = job.state.fetch_or(Job::kStop);
  if ((seen & Job::kPhaseMask) == Job::kLent) courier_->recall(job);
  if ((seen & Job::kPhaseMask) == Job::kRunning) tell_to_stop_soon(job);
}

void SimNode::tell_to_stop_soon(Job& job) {
  job.retain();
  to_stop_.push_back(&job);
  plan(Event::kStops, soon(dice_));
}

void SimNode::stop_some() {
  std::vector<Job*> jobs;
  jobs.swap(to_stop_);
  for (Job* job : jobs) {
    runtime::tell_to_stop(*job);
    const auto runs = std::find_if(executions_.begin(), executions_.end(), [&](const auto& each) {
      return each.second.job == job && each.second.script.yields && !each.second.script.poison;
    });
    if (runs != executions_.end())
      finish(runs->first, Failure::of(Failure::Kind::kCancelled, "it was told to stop"));
    job->release();
  }
}

// As Deadlines::expire().
void SimNode::expire(std::uint64_t number) {
  const auto found = executions_.find(number);
  if (found == executions_.end()) return;
  Job& job = *found->second.job;
  if (!job.settle()) return;
  job.retain();
  Failure failure = Failure::of(Failure::Kind::kTimeout, "it took longer than its limit");
  witness_.ended(*this, found->second.errand, failure, true);
  if (job.borrowed) {
    static_cast<BorrowedJob&>(job).store(std::move(failure));
  } else {
    static_cast<SimJob&>(job).store(std::move(failure));
  }
  if (job.kind->deliver != nullptr) job.kind->deliver(job);
  runtime::finish(job);
  tell_to_stop_soon(job);
  job.release();
}

// All children are done.
void SimNode::complete(std::uint64_t number) {
  Execution& execution = executions_.at(number);
  if (execution.script.throws) {
    Failure failure;
    failure.type = "simulated";
    failure.message = "thrown";
    failure.function = "run_errand";
    failure.node = setting_.name;
    failure.attempt = execution.job->attempt;
    return finish(number, std::move(failure));
  }
  std::uint64_t sum = own_part(execution.errand.id);
  for (const SimJob* child : execution.children) {
    const Outcome& outcome = child->outcome();
    if (const auto* value = std::get_if<std::uint64_t>(&outcome)) {
      sum += *value;
      continue;
    }
    const Failure& failure = std::get<Failure>(outcome);
    if (failure.kind != Failure::Kind::kThrown && failure.kind != Failure::Kind::kTimeout) {
      witness_.passed_on(execution.errand, failure);
      return finish(number, Failure(failure));
    }
    sum += failed_part(child->errand().id);
  }
  finish(number, sum);
}

// As Crew::end().
void SimNode::finish(std::uint64_t number, Outcome outcome) {
  const auto found = executions_.find(number);
  Execution execution = std::move(found->second);
  executions_.erase(found);
  if (!execution.waits) --working_;
  Job& job = *execution.job;
  ++totals_.jobs;
  ++totals_.outermost;
  totals_.busy += execution.waits ? execution.script.duration : agenda_.now() - execution.begun;
  const bool settled = job.settle();
  witness_.ended(*this, execution.errand, outcome, settled);
  if (settled) {
    if (job.borrowed) {
      auto& borrowed = static_cast<BorrowedJob&>(job);
      if (const auto* value = std::get_if<std::uint64_t>(&outcome)) {
        borrowed.store(encoded(*value, execution.script.result));
      } else {
        borrowed.store(std::move(std::get<Failure>(outcome)));
      }
    } else {
      static_cast<SimJob&>(job).store(std::move(outcome));
    }
    if (job.kind->deliver != nullptr) job.kind->deliver(job);
    runtime::finish(job);
  }
  job.release();
  for (SimJob* child : execution.children) child->release();
  look_soon();
  after_last_execution();
}

void SimNode::done(SimJob& job) noexcept {
  witness_.delivered(job);
  if (job.parent() == 0) return;
  const auto found = executions_.find(job.parent());
  if (found == executions_.end()) return;  // nobody waits for it any more
  Execution& execution = found->second;
  if (--execution.unfinished > 0 || !execution.waits) return;
  execution.waits = false;
  ++working_;
  plan(Event::kEnd, Duration(0), job.parent());
}

// ---- its life

void SimNode::crash(bool powerless) {
  if (!alive_) return;
  alive_ = false;
  network_.end(setting_.machine, powerless);
  courier_.reset();
  queue_.reset();
  for (auto& [number, execution] : std::exchange(executions_, {})) {
    for (SimJob* child : execution.children) child->release();
    execution.job->release();
  }
  for (Job* job : std::exchange(to_stop_, {})) job->release();
}

void SimNode::stop() {
  stopped_ = true;
  network_.stop(setting_.machine);
}

void SimNode::go_on() {
  stopped_ = false;
  network_.go_on(setting_.machine);
  stir();
  for (const Deferred& each : std::exchange(deferred_, {})) happen(each.event, each.number);
}

void SimNode::jump(Duration by) {
  clock_offset_ += by;
  network_.jump(setting_.machine, by);
  stir();
}

void SimNode::end() {
  if (std::exchange(ending_, true) || !alive_) return;
  if (courier_) courier_->begin_end();
  look_soon();
  after_last_execution();
}

// As Node::~Node().
void SimNode::close() {
  assert(ended_ && executions_.empty());
  for (Job* job : queue_->drain()) {
    runtime::fail_and_finish(*job, Failure::of(Failure::Kind::kClosed, "the node has ended"));
    job->release();
  }
  crash(false);
}

void SimNode::after_last_execution() {
  if (!ending_ || !executions_.empty() || !courier_) return;
  courier_->end();
  courier_->wake();
  stir();
}

std::string SimNode::describe() const {
  std::string text = setting_.name + ": ";
  if (!alive_) return text + "gone";
  text += stopped_ ? "stopped, " : "";
  text += ended_ ? "ended, " : ending_ ? "ending, " : draining_ ? "draining, " : "";
  text += std::to_string(allowed_) + " workers, " + std::to_string(working_) + " working, " +
          std::to_string(executions_.size()) + " executions, queued " +
          std::to_string(queue_->own()) + " own " + std::to_string(queue_->pinned()) + " pinned " +
          std::to_string(queue_->borrowed()) + " borrowed " + std::to_string(queue_->elsewhere()) +
          " elsewhere " + std::to_string(queue_->placed()) + " placed; members:";
  for (const NodeView& view : courier_->nodes()) text += ' ' + view.name;
  const runtime::Courier::Holdings held = courier_->holdings();
  text += "; " + std::to_string(held.unacknowledged) + " messages unacknowledged, " +
          std::to_string(held.untaken) + " results untaken, " + std::to_string(held.waiting) +
          " jobs wait for " + std::to_string(held.fetching) + " blobs, " +
          std::to_string(held.arriving) + " results arrive";
  for (const auto& [number, execution] : executions_) {
    text += "\n    job " + std::to_string(execution.errand.serial) +
            (execution.waits ? " waits for" : " runs");
    for (const SimJob* child : execution.children) {
      static constexpr const char* kPhases[] = {"queued", "running", "lent", "done"};
      if (!child->done())
        text += ' ' + std::to_string(child->errand().serial) + " (" +
                kPhases[child->state.load() & Job::kPhaseMask] + ")";
    }
  }
  return text;
}

}  // namespace pp::simulation
