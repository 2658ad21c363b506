// world: the course of a history.
#include "world.hpp"

#include <algorithm>
#include <utility>

namespace pp::simulation {

using runtime::Job;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kGoodbyes = seconds(30);  // for all nodes to end
constexpr Duration kLabours = seconds(4);    // that they take with all hands
// Whoever knows of nobody to ask hears of one within a second; where nothing has happened,
// everybody has asked everybody, and is served at once.
constexpr Duration kIdle = milliseconds(2500);
constexpr Duration kIdleInPeace = milliseconds(500);
constexpr std::uint64_t kMostSteps = 100'000;  // of one node: more are a circle
// Everything, when all is done; beside what it takes to notice that somebody has died.
constexpr Duration kAcknowledged = seconds(5);
constexpr Duration kLeaveWithin = seconds(5);

}  // namespace

World::World(const Plan& plan)
    : plan_(plan),
      dice_(plan.seed),
      agenda_(mixed(plan.seed) ^ 1),
      history_(plan.most_lines > 0, plan.most_lines) {}

World::~World() {
  for (const Root& root : roots_) root.job->release();
  for (const auto& node : nodes_) node->crash(false);
}

// Work for everybody, for a few seconds: nobody is idle meanwhile.
void World::labour() {
  labours_due_ = false;
  SimNode* owner = somebody(false);
  if (owner == nullptr || ending_) return;
  std::size_t workers = 0;
  for (const SimNode* node : at_) workers += node == nullptr ? 0 : node->workers();
  const auto count = workers * static_cast<std::size_t>(kLabours / kLabourTime);
  for (std::size_t i = 0; i < count; ++i)
    roots_.push_back(
        {owner->submit(runtime::derive(profile_.seed, next_root_++), kLabour, false), owner});
  outcomes_.roots += count;
  look_for_idle();
}

// Whoever is idle while somebody it knows has more than it can run at once will not be for long.
void World::look_for_idle() {
  if (ending_ || outcomes_.failure.size() > 0) return;
  agenda_.in(milliseconds(100), [this] { look_for_idle(); });
  const SimNode* laden = nullptr;
  for (const SimNode* node : at_) {
    if (node == nullptr || node->ending() || node->is_draining()) continue;
    if (node->queue().own() > node->idle() + 1) laden = node;
  }
  idle_since_.resize(at_.size(), Time::max());
  for (std::size_t machine = 0; machine < at_.size(); ++machine) {
    const SimNode* node = at_[machine];
    const bool starved = laden != nullptr && node != nullptr && node != laden && !node->ending() &&
                         !node->is_draining() && node->idle() == node->workers() &&
                         node->workers() > 0;
    if (!starved) {
      idle_since_[machine] = Time::max();
    } else if (idle_since_[machine] == Time::max()) {
      idle_since_[machine] = agenda_.now();
    } else if (agenda_.now() - idle_since_[machine] > (troubled_ ? kIdle : kIdleInPeace)) {
      fail("nobody gives work to an idle node:\n  " + laden->describe() + "\n  " +
           node->describe());
    }
  }
}

void World::end_all() {
  ending_ = true;
  settle_roots();
  for (SimNode* node : at_) {
    if (node == nullptr) continue;
    agenda_.in(dice_.between(Duration(0), dice_.chance(0.5) ? milliseconds(1) : milliseconds(100)),
               [node] { node->end(); });
  }
}

// Every promise is kept, and nobody works for anybody any more.
bool World::quiet() const {
  return !labours_due_ && std::all_of(roots_.begin(), roots_.end(), [](const Root& root) {
    return root.job->done();
  }) && std::all_of(at_.begin(), at_.end(), [](const SimNode* node) {
    return node == nullptr ||
           (!node->is_draining() && node->executions() == 0 && node->queue().empty() &&
            node->queue().elsewhere() + node->queue().placed() == 0);
  });
}

bool World::run_until(Time limit, bool (World::*done)() const) {
  std::uint64_t turns = 0;
  while (outcomes_.failure.empty()) {
    if ((++turns & 15) == 0) {
      look_at_nodes();
      if ((this->*done)()) return true;
    }
    if (agenda_.next() > limit) return (this->*done)();
    agenda_.run_next();
  }
  return true;
}

namespace {

bool owes_nothing(const SimNode& node) {
  const runtime::Courier::Holdings held = node.courier().holdings();
  return held.unacknowledged == 0 && held.untaken == 0 && held.waiting == 0 && held.fetching == 0 &&
         held.arriving == 0;
}

}  // namespace

// What has been applied everywhere is kept nowhere, and nobody fetches what nobody needs.
bool World::acknowledged() const {
  return std::all_of(at_.begin(), at_.end(), [](const SimNode* node) {
    return node == nullptr || node->ending() || owes_nothing(*node);
  });
}

// Whoever has a session with a node knows how many workers that has.
bool World::workers_known() const {
  for (const SimNode* of : at_) {
    for (const SimNode* by : at_) {
      if (of == nullptr || by == nullptr || of == by || of->ending() || by->ending()) continue;
      const std::optional<std::uint32_t> known = by->courier().workers_of(of->setting().id);
      if (known && *known != of->workers()) return false;
    }
  }
  return true;
}

// What is to be so at any time.
void World::look_at_nodes() {
  for (const SimNode* node : at_) {
    if (node == nullptr) continue;
    if (node->steps() > kMostSteps) fail(node->setting().name + " goes round in circles");
    if (most_borrowed_ < 1000) {
      const std::size_t loans = node->courier().holdings().most_waiting;
      if (loans > most_borrowed_)
        fail(node->setting().name + " has " + std::to_string(loans) +
             " jobs of one owner that wait, and may have " + std::to_string(most_borrowed_));
    }
    if (plan_.scene != Scene::kResults || node == at_[0]) continue;
    const std::size_t kept = node->courier().holdings().kept_bytes;
    outcomes_.largest_kept = std::max<std::uint64_t>(outcomes_.largest_kept, kept);
    if (kept > 2 * kMostResultsKept)
      fail(node->setting().name + " keeps " + std::to_string(kept) +
           " bytes for an owner that takes none");
  }
}

// From now on until `latest` all workers of the launch leave, none of them before `earliest`.
void World::await_farewells(Time earliest, Time latest, runtime::Courier::Farewell why) {
  dismissal_ = earliest;
  reason_ = why;
  run_until(latest, &World::never);
  for (const SimNode* node : at_) {
    if (node != nullptr && !node->ending())
      fail(node->setting().name + " has lost its driver and stays: " + node->describe());
  }
}

void World::run_launch() {
  using Farewell = runtime::Courier::Farewell;
  run_until(agenda_.now() + length_ + kKnown, &World::never);
  if (!outcomes_.failure.empty()) return;
  SimNode* driver = at_[0];
  switch (dice_.below(4)) {
    case 0:
      crash(*driver, false);
      await_farewells(agenda_.now(), agenda_.now() + kLeaveWithin, Farewell::kDriverGone);
      break;
    case 1: {
      crash(*driver, true);
      const Time silent = agenda_.now() + kSilentPatience;
      await_farewells(silent, silent + options_.dead + kLeaveWithin, Farewell::kDriverGone);
      break;
    }
    case 2:
      troubled_ = true;
      say(*driver, "is stopped");
      driver->stop();
      run_until(agenda_.now() + dice_.any_scale(milliseconds(100), seconds(50)), &World::never);
      say(*driver, "goes on");
      driver->go_on();
      run_until(agenda_.now() + kSilentPatience + kLeaveWithin, &World::never);
      [[fallthrough]];
    default:
      troubled_ = true;
      forget_roots_of(*driver);
      driver->end();
      // (What its jobs wait for ends before it does.)
      await_farewells(agenda_.now(), agenda_.now() + kPatience, Farewell::kGoodbye);
  }
}

Outcomes World::run() {
  set_the_scene();
  const Time begun = agenda_.now();
  if (plan_.scene == Scene::kLaunch) {
    run_launch();
    settle_roots();
    ending_ = true;
  } else {
    run_until(begun + length_ + milliseconds(5), &World::never);
    if (outcomes_.failure.empty()) heal_all();
  }
  if (!ending_ && !run_until(agenda_.now() + patience_, &World::quiet)) {
    std::string what = "a hang:";
    for (const Root& root : roots_) {
      if (root.job->done()) continue;
      static constexpr const char* kPhases[] = {"queued", "running", "lent", "done"};
      what += "\n  " + title(root.job->errand()) + " of " + root.owner->setting().name + " is " +
              kPhases[root.job->state.load() & Job::kPhaseMask] + ", attempt " +
              std::to_string(root.job->attempt);
    }
    for (const SimNode* node : at_)
      if (node != nullptr) what += "\n  " + node->describe();
    fail(what);
  }
  if (outcomes_.failure.empty() && !ending_ &&
      !run_until(agenda_.now() + kAcknowledged + options_.suspect + options_.dead,
                 &World::acknowledged)) {
    std::string what =
        "what was said, and applied, is not acknowledged; or blobs are kept or fetched for nobody";
    for (const SimNode* node : at_) {
      if (node != nullptr && !owes_nothing(*node)) what += "\n  " + node->describe();
    }
    fail(what);
  }
  if (outcomes_.failure.empty() && !ending_ &&
      !run_until(agenda_.now() + kAcknowledged + options_.suspect + options_.dead,
                 &World::workers_known))
    fail("somebody believes that another node has more workers, or fewer, than it has");
  for (const SimNode* node : at_) {
    if (node == nullptr || ending_) continue;
    const runtime::Courier::Holdings held = node->courier().holdings();
    if (held.parked > held.sessions)
      fail(node->setting().name + " keeps requests of sessions that are over");
  }
  if (outcomes_.failure.empty() && !ending_) end_all();
  if (outcomes_.failure.empty() && !run_until(agenda_.now() + kGoodbyes, &World::all_over)) {
    std::string what = "nodes do not end:";
    for (const SimNode* node : at_)
      if (node != nullptr) what += "\n  " + node->describe();
    fail(what);
  }
  if (outcomes_.failure.empty()) check_end();
  outcomes_.virtual_time = agenda_.now() - begun;
  for (const auto& node : nodes_) outcomes_.steps += node->steps();
  const transport::Counters counters = network_->counters();
  outcomes_.messages = counters.messages_sent;
  outcomes_.words = counters.words_sent;
  outcomes_.sessions = counters.sessions_up;
  outcomes_.largest_backlog = network_->largest_backlog();
  outcomes_.hash = history_.hash();
  outcomes_.lines = history_.lines();
  return std::move(outcomes_);
}

}  // namespace pp::simulation
