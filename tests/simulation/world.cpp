// World: scenes of a history, the jobs in it, and the promises.
#include "world.hpp"

#include <algorithm>
#include <cassert>
#include <pp/error.hpp>
#include <set>
#include <utility>

#include "messages.hpp"
#include "particulars.hpp"

namespace pp::simulation {

using runtime::Failure;
using runtime::Job;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::string_view kFaultNames[kFaults] = {"crash",     "stop",    "break", "cut",
                                                   "partition", "slow",    "jump",  "drain",
                                                   "end",       "workers", "join",  "poison"};
constexpr Duration kPatience = seconds(120);  // after everything is well again: for all jobs
constexpr Duration kGoodbyes = seconds(30);   // for all nodes to end
constexpr Duration kRecovery = seconds(12);   // until everybody knows everybody again
constexpr Duration kLabours = seconds(4);     // that they take with all hands
// Whoever knows of nobody to ask hears of one within a second; where nothing has happened,
// everybody has asked everybody, and is served at once.
constexpr Duration kIdle = milliseconds(2500);
constexpr Duration kIdleInPeace = milliseconds(500);
constexpr std::uint64_t kMostSteps = 100'000;  // of one node: more are a circle
constexpr std::size_t kMostBacklog = std::size_t{4} << 20;

constexpr Duration kCancelWithin = seconds(5);  // where nothing is in its way
constexpr Duration kAcknowledged = seconds(5);  // everything, when all is done
constexpr Duration kKnown = seconds(2);         // whoever is there for so long is known to all
constexpr std::uint64_t kMostDeaths = 16;       // by one job
constexpr std::size_t kMostResultsKept = 256 * 1024;  // of large results; what runs comes on top
constexpr std::size_t kLargeResult = 30'000;
constexpr Duration kSilentPatience = seconds(60);  // of workers, with their driver
constexpr Duration kLeaveWithin = seconds(5);

constexpr std::string_view kSceneNames[kScenes] = {"any",     "poison", "long",
                                                   "results", "launch", "crowd"};

constexpr Fault fault_at(std::size_t i) { return static_cast<Fault>(i); }

}  // namespace

std::string_view to_string(Fault fault) { return kFaultNames[static_cast<std::size_t>(fault)]; }

Fault fault_named(std::string_view word) {
  for (std::size_t i = 0; i < kFaults; ++i)
    if (kFaultNames[i] == word) return fault_at(i);
  std::string known;
  for (const std::string_view name : kFaultNames) known += ' ' + std::string(name);
  throw Error("there is no fault '" + std::string(word) + "'; the faults are:" + known);
}

std::string_view to_string(Scene scene) { return kSceneNames[static_cast<std::size_t>(scene)]; }

Scene scene_named(std::string_view word) {
  for (std::size_t i = 0; i < kScenes; ++i)
    if (kSceneNames[i] == word) return static_cast<Scene>(i);
  std::string known;
  for (const std::string_view name : kSceneNames) known += ' ' + std::string(name);
  throw Error("there is no scene '" + std::string(word) + "'; the scenes are:" + known);
}

namespace {

std::string name_of(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kThrown:
      return "thrown";
    case Failure::Kind::kNodeLost:
      return "node lost";
    case Failure::Kind::kClosed:
      return "closed";
    case Failure::Kind::kUndecodable:
      return "undecodable";
    case Failure::Kind::kCancelled:
      return "cancelled";
    case Failure::Kind::kTimeout:
      return "timeout";
  }
  return "?";
}

// What a message says, in a line.
class Reader final : private runtime::messages::Listener {
 public:
  static std::string line(std::span<const std::byte> message) {
    Reader reader;
    runtime::messages::decode(message, reader);
    const runtime::messages::Header header = runtime::messages::header_of(message);
    return '[' + std::to_string(header.sequence) + '/' + std::to_string(header.applied) + "] " +
           reader.line_;
  }

 private:
  void on(const runtime::messages::Steal& steal) override {
    line_ = "steal, " + std::to_string(steal.idle) + " idle";
  }
  void on(const runtime::messages::Grant& grant) override {
    line_ = grant.unasked ? "unasked grant of" : "grant of";
    for (const runtime::messages::LentJob& job : grant.jobs) {
      line_ += " #" + std::to_string(job.number) + " (job " +
               std::to_string(errand_of(job.arguments).serial) + ", attempt " +
               std::to_string(job.attempt) + ")";
    }
  }
  void on(const runtime::messages::Redirect& redirect) override {
    line_ = "redirect to " + redirect.owner.short_name();
  }
  void on(const runtime::messages::None& none) override {
    line_ = "none, " + std::to_string(none.queued) + " queued";
  }
  void on(std::span<const runtime::messages::Returned> returned) override {
    line_ = "returned";
    for (const runtime::messages::Returned& one : returned)
      line_ += " #" + std::to_string(one.number) + (one.begun ? " begun" : "") + " " +
               std::string(runtime::messages::to_string(one.reason));
  }
  void on(std::span<const runtime::messages::Result> results) override {
    line_ = "results of";
    for (const runtime::messages::Result& one : results) line_ += " #" + std::to_string(one.number);
  }
  void on(const runtime::messages::Load& load) override {
    line_ = "load: " + std::to_string(load.queued) + " queued, " + std::to_string(load.idle) +
            " of " + std::to_string(load.workers) + " idle";
  }
  void on_leave(std::string_view why) override { line_ = "leave: " + std::string(why); }
  void on_understood() override { line_ = "understood"; }
  void on_cancel(std::span<const std::uint64_t> numbers) override {
    line_ = "cancel";
    for (const std::uint64_t number : numbers) line_ += " #" + std::to_string(number);
  }
  void on(const runtime::messages::Attach& attach) override {
    line_ = "attach " + std::to_string(attach.mine) + " to " + std::to_string(attach.yours) +
            ", applied " + std::to_string(attach.applied);
  }
  void on_begun(std::span<const std::uint64_t> numbers) override {
    line_ = "begun";
    for (const std::uint64_t number : numbers) line_ += " #" + std::to_string(number);
  }

  std::string line_ = "acknowledgement";
};

class World final : public Witness, public SimNetwork::Observer {
 public:
  explicit World(const Plan& plan);
  ~World();
  Outcomes run();

 private:
  struct Record {
    Errand errand;
    SimNode* owner = nullptr;
    std::uint64_t begun = 0;    // a bit for each attempt
    std::uint32_t allowed = 0;  // kinds of failure that executions have passed on
    bool cancelled = false;
    bool delivered = false;
    std::uint64_t deaths = 0;  // of nodes that ran it
    // Its last execution: that runs there, or ended when the node did.
    const SimNode* runs_on = nullptr;
    std::uint32_t attempt = 0;
  };
  struct Root {
    SimJob* job;
    SimNode* owner;
  };

  // ---- scenes
  FaultSet drawn_faults();
  void set_the_scene();
  void draw_poison();
  void draw_long_jobs();
  void draw_results();
  void run_launch();
  void await_farewells(Time earliest, Time latest, runtime::Courier::Farewell why);
  void let_the_owner_work();
  SimNode& start(std::size_t machine);
  void start_again_perhaps(std::size_t machine, double probability);
  void submit_some();
  void cancel(std::uint32_t serial);
  void befall(Fault fault);
  void crash(SimNode& node, bool powerless);
  void cut(std::size_t from, std::size_t to, Duration time);
  void heal_all();
  void labour();
  void look_for_idle();
  void end_all();
  bool quiet() const;
  bool acknowledged() const;
  void look_at_nodes();
  bool run_until(Time limit, bool (World::*done)() const);
  bool all_over() const { return living_ == 0; }
  bool never() const { return false; }
  SimNode* somebody(bool but_protected);
  Duration scene(double from, double to) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(length_.count()) *
                                               (from + (to - from) * dice_.unit())));
  }

  // ---- promises
  void fail(const std::string& sentence);
  void check_end();
  std::string title(const Errand& errand) const;
  void forget_roots_of(const SimNode& node);
  void settle_roots();

  // ---- Witness
  Script script(const Errand& errand) const override {
    Script script = script_of(profile_, errand.id, errand.depth, errand.once);
    return script;
  }
  Errand submitted(SimNode& owner, std::uint64_t id, std::uint32_t depth, const Errand* parent,
                   bool once) override;
  void begun(SimNode& where, const Errand& errand, std::uint32_t attempt, bool borrowed,
             bool still_lent) override;
  void ended(SimNode& where, const Errand& errand, const Outcome& outcome, bool settled) override;
  void passed_on(const Errand& errand, const Failure& failure) override;
  void delivered(SimJob& job) override;
  void stored_again(SimJob& job) override {
    fail(title(job.errand()) + " has got a second outcome");
  }
  void poisoned(SimNode& where, const Errand& errand) override;
  void dismissed(SimNode& where, runtime::Courier::Farewell why) override;
  void courier_ended(SimNode& where) override;
  void said(SimNode& who, std::string_view level, std::string_view sentence) override;
  void made() override { ++jobs_alive_; }
  void unmade() override { --jobs_alive_; }

  // ---- SimNetwork::Observer
  void heard(std::size_t from, std::size_t to, std::span<const std::byte> message,
             bool word) override;
  void told(std::size_t machine, const std::string& sentence) override {
    history_.say(agenda_.now(), "m" + std::to_string(machine), sentence);
  }
  void broken(const std::string& sentence) override { fail(sentence); }
  bool wants_sentences() const override { return history_.readable(); }

  void note(std::uint64_t kind, const SimNode& node, std::uint64_t a, std::uint64_t b) {
    history_.count(agenda_.now(), kind, node.setting().machine << 32 | a, b);
  }
  void say(const SimNode& node, const std::string& what) {
    history_.say(agenda_.now(), node.setting().name, what);
  }

  const Plan plan_;
  Dice dice_;
  Agenda agenda_;
  History history_;
  FaultSet faults_;
  Profile profile_;
  Options options_;
  SimNetwork::Setting wires_;
  std::size_t machines_ = 0;
  std::size_t late_ = 0;    // of these, that have not come yet
  bool protected_ = false;  // the first node ends in no way
  Duration length_{};
  std::unique_ptr<SimNetwork> network_;
  std::vector<std::unique_ptr<SimNode>> nodes_;  // all there ever were
  std::vector<SimNode*> at_;                     // that lives on this machine
  std::vector<unsigned> lives_;
  std::size_t living_ = 0;
  std::deque<Record> records_;
  std::vector<Root> roots_;  // whose owners live, with a reference each
  std::uint64_t next_root_ = 0;
  std::int64_t jobs_alive_ = 0;
  bool at_once_ = false;         // the first node submits everything at the beginning
  bool nobody_left_ = false;     // to try a suspect on, for a while
  double cancelling_ = 0.08;     // of the roots
  Duration cancelled_after_{0};  // on average
  Duration patience_ = kPatience;
  // When workers of a launch may leave, and why.
  Time dismissal_ = Time::max();
  runtime::Courier::Farewell reason_{};
  bool healed_ = false;
  bool labours_due_ = false;
  std::vector<Time> idle_since_;  // of each machine
  bool ending_ = false;
  bool troubled_ = false;  // something that may cost a node its jobs has happened
  Outcomes outcomes_;
};

World::World(const Plan& plan)
    : plan_(plan),
      dice_(plan.seed),
      agenda_(mixed(plan.seed) ^ 1),
      history_(plan.most_lines > 0, plan.most_lines) {}

World::~World() {
  for (const Root& root : roots_) root.job->release();
  for (const auto& node : nodes_) node->crash(false);
}

// ---- scenes

FaultSet World::drawn_faults() {
  FaultSet faults;
  const std::uint64_t which = dice_.below(10);
  const auto add = [&](std::initializer_list<Fault> some) {
    for (const Fault fault : some) faults.add(fault);
  };
  switch (which) {
    case 0:
      break;
    case 1:
      add({Fault::kCrash});
      break;
    case 2:
      add({Fault::kStop});
      break;
    case 3:
      add({Fault::kBreak});
      break;
    case 4:
      add({Fault::kCut, Fault::kPartition});
      break;
    case 5:
      add({Fault::kDrain, Fault::kEnd, Fault::kWorkers, Fault::kJoin});
      break;
    default:
      for (std::size_t i = 0; i < kFaults; ++i) {
        if (dice_.chance(fault_at(i) == Fault::kPoison ? 0.1 : 0.5)) faults.add(fault_at(i));
      }
  }
  return faults;
}

void World::set_the_scene() {
  faults_ = plan_.faults ? *plan_.faults : drawn_faults();
  const std::size_t nodes = plan_.nodes                     ? *plan_.nodes
                            : plan_.scene == Scene::kPoison ? dice_.between(6, 9)
                            : plan_.scene == Scene::kCrowd  ? dice_.between(20, 26)
                            : dice_.chance(0.01)            ? dice_.between(9, 30)
                            : dice_.chance(0.1)             ? dice_.between(6, 8)
                                                            : dice_.between(2, 5);
  late_ = faults_.contains(Fault::kJoin) ? dice_.between(1, 2) : 0;
  machines_ = nodes + late_;
  protected_ = dice_.chance(0.6);

  options_.suspect = milliseconds(dice_.between(80, 300));
  options_.dead = options_.suspect * static_cast<int>(dice_.between(2, 4));
  options_.retries = dice_.chance(0.8) ? 3 : static_cast<unsigned>(dice_.between(0, 2));
  wires_.dead = options_.dead;
  wires_.least_delay = dice_.any_scale(microseconds(5), microseconds(500));
  wires_.most_delay = dice_.any_scale(wires_.least_delay, milliseconds(20));
  if (dice_.chance(0.3)) wires_.word_loss = dice_.unit() * 0.1;
  if (dice_.chance(0.1)) wires_.bytes_per_second = 2'000'000;

  profile_.seed = dice_.roll();
  profile_.mean = dice_.any_scale(microseconds(2), milliseconds(30));
  // Now and then much of what is seldom otherwise.
  if (dice_.chance(0.05)) profile_.large = 0.7;
  if (dice_.chance(0.05)) profile_.once = 0.7;
  if (dice_.chance(0.05)) profile_.not_here = 0.6;
  if (dice_.chance(0.05)) profile_.at_a_node = 0.6;
  if (dice_.chance(0.1)) cancelling_ = 0.6;
  if (dice_.chance(0.1)) profile_.long_ones = 0.3;
  profile_.depth = static_cast<unsigned>(dice_.between(0, 2));
  profile_.most_children = static_cast<unsigned>(dice_.between(1, 4));
  if (faults_.contains(Fault::kPoison)) profile_.poison = 0.02;
  profile_.children_elsewhere = plan_.promises.leavers_serve ||
                                !(faults_.contains(Fault::kDrain) || faults_.contains(Fault::kEnd));
  troubled_ = !plan_.promises.links_survive;
  cancelled_after_ = profile_.mean * 3;

  length_ = dice_.any_scale(milliseconds(100), milliseconds(1500));
  switch (plan_.scene) {
    case Scene::kAny:
    case Scene::kCrowd:
      break;
    case Scene::kPoison:
      draw_poison();
      break;
    case Scene::kLong:
      draw_long_jobs();
      break;
    case Scene::kResults:
      draw_results();
      break;
    case Scene::kLaunch:
      options_.launch = "launch";
      break;
  }
  // Two more than take part: see heal_all().
  network_ = std::make_unique<SimNetwork>(agenda_, dice_.roll(), wires_, machines_ + 2, *this);
  at_.resize(machines_ + 2);
  lives_.resize(machines_ + 2);
  for (std::size_t machine = 0; machine < nodes; ++machine) {
    agenda_.in(dice_.between(Duration(0), milliseconds(5)), [this, machine] { start(machine); });
  }
  const std::uint64_t submissions = dice_.between(2, 8);
  for (std::uint64_t i = 0; i < submissions; ++i)
    agenda_.in(scene(0.0, at_once_ ? 0.05 : 0.8) + milliseconds(5), [this] { submit_some(); });
  for (std::size_t i = 0; i < kFaults; ++i) {
    const Fault fault = fault_at(i);
    if (!faults_.contains(fault) || fault == Fault::kPoison) continue;
    const std::uint64_t times =
        fault == Fault::kJoin ? late_ : dice_.between(1, dice_.chance(0.1) ? 10 : 3);
    for (std::uint64_t n = 0; n < times; ++n)
      agenda_.in(scene(0.05, 1.0) + milliseconds(2), [this, fault] { befall(fault); });
  }
}

// The others die of a few jobs of one node, which runs nothing itself until each of these has begun
// once.
void World::draw_poison() {
  protected_ = at_once_ = true;
  options_.retries = dice_.chance(0.5) ? 1 : 3;
  profile_ = {.seed = profile_.seed,
              .mean = dice_.any_scale(milliseconds(1), milliseconds(100)),
              .long_ones = 0,
              .most_children = 0,
              .depth = 0,
              .throwing = 0,
              .timed = 0,
              .large = 0,
              .staying = 0,
              .not_here = 0,
              .at_a_node = 0,
              .once = 0,
              .few_retries = 0.3,
              .poison = dice_.unit() * 0.4};
  cancelling_ = 0;
  length_ = milliseconds(1500);
}

void World::draw_long_jobs() {
  profile_.mean = seconds(5);
  profile_.long_ones = 0;
  profile_.depth = 0;
  profile_.yielding = 1;
  cancelling_ = 0.6;
  cancelled_after_ = seconds(1);
  patience_ = kPatience * 10;
}

void World::draw_results() {
  protected_ = at_once_ = true;
  options_.suspect = seconds(10);
  options_.dead = seconds(40);
  wires_.dead = options_.dead;
  wires_.bytes_per_second = 1'000'000'000;
  profile_.mean = dice_.any_scale(microseconds(100), milliseconds(5));
  profile_.depth = 0;
  profile_.large = 0;
  profile_.most_result = kLargeResult;
  length_ = milliseconds(1500);
  agenda_.in(dice_.between(milliseconds(10), milliseconds(500)), [this] {
    troubled_ = true;
    SimNode* owner = at_[0];
    say(*owner, "is stopped");
    owner->stop();
  });
}

// All that may kill has done so once: the owner might run it now.
void World::let_the_owner_work() {
  if (plan_.scene != Scene::kPoison || at_[0] == nullptr || at_[0]->workers() > 0) return;
  for (const Root& root : roots_) {
    if (root.job->script().poison && records_[root.job->errand().serial].begun == 0) return;
  }
  at_[0]->set_workers(2);
}

SimNode& World::start(std::size_t machine) {
  SimNode::Setting setting;
  setting.machine = machine;
  // The first two are where everybody looks.
  const unsigned life = lives_[machine]++;
  // (And where poison is, nobody is taken for the one who died there.)
  const bool elsewhere =
      plan_.scene == Scene::kPoison ? machine > 0 : machine >= 2 && dice_.chance(0.3);
  setting.port = static_cast<std::uint16_t>(1000 + (elsewhere ? life : 0));
  setting.name = "n" + std::to_string(machine) + (life == 0 ? "" : "." + std::to_string(life));
  setting.id = dice_.node_id();
  setting.workers = static_cast<unsigned>(dice_.between(1, 4));
  if (machine == 0 && !healed_ && (dice_.chance(0.2) || at_once_)) setting.workers = 0;
  if (plan_.scene == Scene::kResults) setting.most_results_kept = kMostResultsKept;
  setting.options = options_;
  setting.options.workers = setting.workers;
  setting.options.name = setting.name;
  setting.options.role = machine == 0 ? Role::kDriver : Role::kWorker;
  for (const std::size_t contact : {std::size_t{0}, std::size_t{1}})
    setting.contacts.push_back(SimNetwork::address(contact, 1000));
  setting.clock_offset = dice_.between(Duration(0), seconds(100));
  nodes_.push_back(
      std::make_unique<SimNode>(agenda_, *network_, *this, dice_.roll(), std::move(setting)));
  SimNode& node = *nodes_.back();
  at_[machine] = &node;
  ++living_;
  ++outcomes_.nodes;
  note(1, node, 0, 0);
  say(node, "starts with " + std::to_string(node.workers()) + " workers, " +
                node.setting().id.short_name());
  node.start();
  return node;
}

void World::start_again_perhaps(std::size_t machine, double probability) {
  if (ending_ || plan_.scene == Scene::kLaunch || !dice_.chance(probability)) return;
  agenda_.in(dice_.any_scale(milliseconds(1), milliseconds(1000)), [this, machine] {
    if (!ending_ && at_[machine] == nullptr) start(machine);
  });
}

SimNode* World::somebody(bool but_protected) {
  std::vector<SimNode*> some;
  for (SimNode* node : at_) {
    if (node == nullptr || node->ending() || node->is_draining()) continue;
    if (but_protected && protected_ && node->setting().machine == 0) continue;
    some.push_back(node);
  }
  return some.empty() ? nullptr : some[dice_.below(some.size())];
}

void World::submit_some() {
  SimNode* owner = at_once_ || dice_.chance(0.6) ? at_[0] : somebody(false);
  if (owner == nullptr || owner->ending() || owner->is_draining() || owner->stopped()) return;
  const std::uint64_t count = plan_.scene == Scene::kResults ? 60
                              : dice_.chance(0.2)            ? dice_.between(5, 12)
                                                             : dice_.between(1, 3);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t id = runtime::derive(profile_.seed, next_root_++);
    const bool once = dice_.chance(profile_.once);
    SimJob* job = owner->submit(id, 0, once);
    roots_.push_back({job, owner});
    ++outcomes_.roots;
    if (!dice_.chance(cancelling_)) continue;
    const std::uint32_t serial = job->errand().serial;
    agenda_.in(dice_.exponential(cancelled_after_), [this, serial] { cancel(serial); });
  }
}

// Unless it is done or its owner is gone.
void World::cancel(std::uint32_t serial) {
  for (const Root& root : roots_) {
    if (root.job->errand().serial != serial) continue;
    if (root.owner->stopped() || root.job->done()) return;
    records_[serial].cancelled = true;
    say(*root.owner, "cancels " + title(records_[serial].errand));
    root.owner->cancel(*root.job);
    if (!root.job->script().yields) return;
    agenda_.in(kCancelWithin, [this, serial] {
      if (troubled_) return;
      for (const Root& each : roots_) {
        if (each.job->errand().serial == serial && !each.job->done())
          fail(title(each.job->errand()) + " was cancelled, and is not done for long");
      }
    });
    return;
  }
}

void World::crash(SimNode& node, bool powerless) {
  const std::size_t machine = node.setting().machine;
  note(2, node, powerless, 0);
  say(node, powerless ? "loses its power" : "is killed");
  troubled_ = true;
  forget_roots_of(node);
  node.crash(powerless);
  at_[machine] = nullptr;
  --living_;
}

void World::cut(std::size_t from, std::size_t to, Duration time) {
  if (from == to || network_->is_cut(from, to)) return;
  network_->cut(from, to);
  agenda_.in(time, [this, from, to] { network_->heal(from, to); });
}

void World::befall(Fault fault) {
  if (healed_) return;
  const auto counted = [&] { ++outcomes_.faults[static_cast<std::size_t>(fault)]; };
  const Duration dead = options_.dead;
  switch (fault) {
    case Fault::kCrash: {
      SimNode* node = somebody(true);
      if (node == nullptr) return;
      counted();
      const std::size_t machine = node->setting().machine;
      crash(*node, dice_.chance(0.2));
      return start_again_perhaps(machine, 0.7);
    }
    case Fault::kStop: {
      SimNode* node = somebody(false);
      if (node == nullptr || node->stopped()) return;
      counted();
      troubled_ = true;
      const Duration time = dice_.any_scale(milliseconds(1), dead * 3);
      say(*node, "is stopped");
      node->stop();
      agenda_.in(time, [this, node] {
        if (!node->alive() || !node->stopped()) return;
        say(*node, "goes on");
        node->go_on();
      });
      return;
    }
    case Fault::kBreak: {
      counted();
      const std::size_t one = dice_.below(machines_);
      const std::size_t other = dice_.below(machines_);
      if (one != other && network_->break_session(one, other))
        history_.say(agenda_.now(), "m" + std::to_string(one),
                     "the connection with m" + std::to_string(other) + " breaks");
      return;
    }
    case Fault::kCut: {
      counted();
      troubled_ = true;
      const std::size_t from = dice_.below(machines_);
      const std::size_t to = dice_.below(machines_);
      const Duration time = dice_.any_scale(milliseconds(5), dead * 4);
      const bool both = dice_.chance(0.5);
      history_.say(agenda_.now(), "m" + std::to_string(from),
                   (both ? "and m" : "is not heard by m") + std::to_string(to) +
                       (both ? " do not hear each other" : ""));
      cut(from, to, time);
      if (both) cut(to, from, time);
      return;
    }
    case Fault::kPartition: {
      counted();
      troubled_ = true;
      const Duration time = dice_.any_scale(milliseconds(5), dead * 4);
      std::vector<bool> part(machines_);
      for (std::size_t i = 0; i < machines_; ++i) part[i] = dice_.chance(0.5);
      history_.say(agenda_.now(), "all", "a partition");
      for (std::size_t a = 0; a < machines_; ++a) {
        for (std::size_t b = 0; b < machines_; ++b) {
          if (part[a] != part[b]) cut(a, b, time);
        }
      }
      return;
    }
    case Fault::kSlow: {
      counted();
      const std::size_t from = dice_.below(machines_);
      const std::size_t to = dice_.below(machines_);
      network_->slow_down(from, to, static_cast<unsigned>(dice_.between(2, 30)));
      return;
    }
    case Fault::kJump: {
      SimNode* node = somebody(false);
      if (node == nullptr || node->stopped()) return;
      counted();
      troubled_ = true;
      const Duration by = dice_.any_scale(milliseconds(10), seconds(30));
      say(*node, "its clock jumps");
      return node->jump(by);
    }
    case Fault::kDrain: {
      SimNode* node = somebody(true);
      if (node == nullptr || node->stopped()) return;
      counted();
      troubled_ = true;
      const Duration limit = dice_.any_scale(milliseconds(5), milliseconds(1500));
      say(*node, "is told to leave");
      node->note_draining();
      node->begin_drain(std::chrono::duration_cast<milliseconds>(limit));
      agenda_.in(limit + dice_.between(Duration(0), milliseconds(1500)), [this, node] {
        if (!node->alive() || node->ending()) return;
        forget_roots_of(*node);
        node->end();
      });
      return;
    }
    case Fault::kEnd: {
      SimNode* node = somebody(true);
      if (node == nullptr || node->stopped()) return;
      counted();
      troubled_ = true;
      say(*node, "ends");
      forget_roots_of(*node);
      if (!plan_.promises.ends_give_back && !node->stopped())
        node->begin_drain(std::chrono::hours(1));
      return node->end();
    }
    case Fault::kWorkers: {
      SimNode* node = somebody(false);
      if (node == nullptr || node->stopped()) return;
      counted();
      const auto workers = static_cast<unsigned>(dice_.between(0, 4));
      say(*node, "has " + std::to_string(workers) + " workers from now on");
      return node->set_workers(workers);
    }
    case Fault::kJoin: {
      if (late_ == 0) return;
      const std::size_t machine = machines_ - late_--;
      counted();
      if (at_[machine] == nullptr) start(machine);
      return;
    }
    case Fault::kPoison:
      return;
  }
}

// From now on nothing is in the way of any promise.
void World::heal_all() {
  healed_ = true;
  history_.say(agenda_.now(), "all", "everything is well again");
  for (std::size_t a = 0; a < machines_; ++a) {
    for (std::size_t b = 0; b < machines_; ++b) {
      network_->heal(a, b);
      network_->slow_down(a, b, 1);
    }
  }
  for (std::size_t machine = 0; machine < std::min<std::size_t>(machines_, 2); ++machine) {
    if (at_[machine] == nullptr) start(machine);
  }
  for (SimNode* node : at_) {
    if (node == nullptr) continue;
    if (node->stopped()) node->go_on();
    if (node->alive() && node->workers() == 0) node->set_workers(1);
  }
  // A node that is about to end runs nothing for others, and may be waiting for a job that only
  // others may run: there are two nodes besides.
  const auto serve = std::count_if(at_.begin(), at_.end(), [](const SimNode* node) {
    return node != nullptr && node->alive() && !node->ending() && !node->is_draining();
  });
  for (std::ptrdiff_t spare = 0; spare + serve < 2; ++spare)
    start(machines_ + static_cast<std::size_t>(spare));
  if (plan_.scene == Scene::kCrowd || dice_.chance(0.05)) {
    const Duration crossing = plan_.scene == Scene::kCrowd
                                  ? dice_.between(Duration(0), seconds(3)) - seconds(2)
                                  : Duration(0);
    agenda_.in(kRecovery + crossing, [this] { labour(); });
    labours_due_ = true;
  }
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

// What has been applied everywhere is kept nowhere.
bool World::acknowledged() const {
  return std::all_of(at_.begin(), at_.end(), [](const SimNode* node) {
    return node == nullptr || node->ending() || node->courier().holdings().unacknowledged == 0;
  });
}

// What is to be so at any time.
void World::look_at_nodes() {
  for (const SimNode* node : at_) {
    if (node == nullptr) continue;
    if (node->steps() > kMostSteps) fail(node->setting().name + " goes round in circles");
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
      !run_until(agenda_.now() + kAcknowledged, &World::acknowledged)) {
    fail("what was said, and applied, is not acknowledged");
  }
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

// ---- promises

void World::fail(const std::string& sentence) {
  history_.say(agenda_.now(), "BROKEN", sentence);
  if (outcomes_.failure.empty()) outcomes_.failure = sentence;
}

std::string World::title(const Errand& errand) const {
  return "job " + std::to_string(errand.serial) + (errand.once ? " (once)" : "");
}

void World::forget_roots_of(const SimNode& node) {
  std::erase_if(roots_, [&](const Root& root) {
    if (root.owner != &node) return false;
    root.job->release();
    return true;
  });
}

void World::settle_roots() {
  for (const Root& root : roots_) root.job->release();
  roots_.clear();
}

void World::check_end() {
  if (runtime::Counted::alive != 0)
    fail(std::to_string(runtime::Counted::alive) + " borrowed jobs are left, and nobody has them");
  if (jobs_alive_ != 0) fail(std::to_string(jobs_alive_) + " jobs are left, and nobody has them");
  // What is said stays in proportion to the work: jobs are not handed round.
  const std::uint64_t messages = network_->counters().messages_sent;
  const auto lasted = static_cast<std::uint64_t>(
      std::chrono::duration_cast<seconds>(agenda_.now() - Time{} - std::chrono::hours(1)).count());
  const std::uint64_t fair = 60 * outcomes_.jobs + 20 * machines_ * machines_ * (lasted + 2);
  if (messages > fair)
    fail(std::to_string(messages) + " messages were sent for " + std::to_string(outcomes_.jobs) +
         " jobs");
  if (network_->largest_backlog() > kMostBacklog)
    fail("a session had " + std::to_string(network_->largest_backlog()) + " bytes queued");
}

Errand World::submitted(SimNode& owner, std::uint64_t id, std::uint32_t depth, const Errand* parent,
                        bool once) {
  Record& record = records_.emplace_back();
  record.errand = {static_cast<std::uint32_t>(records_.size() - 1), id, depth, once};
  record.owner = &owner;
  ++outcomes_.jobs;
  note(3, owner, record.errand.serial, id);
  if (history_.readable()) {
    const Script its = script(record.errand);
    say(owner, "submits " + title(record.errand) + ": " +
                   std::to_string(its.duration.count() / 1000) + " us, " +
                   std::to_string(its.children) + " children" +
                   (parent == nullptr ? "" : ", child of " + std::to_string(parent->serial)));
  }
  return record.errand;
}

void World::begun(SimNode& where, const Errand& errand, std::uint32_t attempt, bool borrowed,
                  bool still_lent) {
  Record& record = records_[errand.serial];
  note(4, where, errand.serial, attempt);
  say(where, "begins " + title(errand) + ", attempt " + std::to_string(attempt) +
                 (borrowed ? ", borrowed" : ""));
  ++outcomes_.executions;
  if (attempt > 1) ++outcomes_.again;
  if (where.stopped()) fail(where.setting().name + " begins a job while it is stopped");
  const std::uint64_t bit = std::uint64_t{1} << std::min(attempt, 63U);
  if ((record.begun & bit) != 0)
    fail("attempt " + std::to_string(attempt) + " of " + title(errand) +
         " is begun twice, now on " + where.setting().name);
  record.begun |= bit;
  if (plan_.scene == Scene::kPoison) {
    const SimNode* owner = record.owner;
    if (attempt > 1 && !borrowed && !nobody_left_) {
      for (const SimNode* other : at_) {
        if (other != nullptr && other != owner && other->workers() > 0 && !ending_ &&
            agenda_.now() > other->started() + kKnown)
          fail(title(errand) + " has killed and runs on its owner, though there are others");
      }
    }
    if (attempt > 1 && borrowed && !nobody_left_) {
      for (const Record& other : records_) {
        if (&other != &record && other.runs_on == &where && other.attempt > 1)
          fail(title(errand) + " and " + title(other.errand) + " are on trial together on " +
               where.setting().name);
      }
    }
    record.runs_on = &where;
    record.attempt = attempt;
    let_the_owner_work();
  }
  if (record.errand.id != errand.id) fail(title(errand) + " has come to somebody as another one");
  if (attempt > 1 && !troubled_) fail(title(errand) + " is begun again, and no node was lost");
  if (borrowed && !still_lent)
    fail(where.setting().name + " begins " + title(errand) + " though the link it came by is over");
  if (errand.once && attempt > 1) fail(title(errand) + " is begun a second time");
}

void World::ended(SimNode& where, const Errand& errand, const Outcome& outcome, bool settled) {
  note(5, where, errand.serial, settled);
  records_[errand.serial].runs_on = nullptr;
  if (!history_.readable()) return;
  const auto* failure = std::get_if<Failure>(&outcome);
  say(where, "ends " + title(errand) +
                 (failure == nullptr ? std::string(": a value") : ": " + name_of(failure->kind)) +
                 (settled ? "" : ", too late"));
}

void World::passed_on(const Errand& errand, const Failure& failure) {
  records_[errand.serial].allowed |= 1U << static_cast<unsigned>(failure.kind);
}

void World::delivered(SimJob& job) {
  const Errand& errand = job.errand();
  Record& record = records_[errand.serial];
  const Script& its = job.script();
  const auto* failure = std::get_if<Failure>(&job.outcome());
  note(6, job.owner(), errand.serial,
       failure == nullptr ? 99 : static_cast<std::uint64_t>(failure->kind));
  say(job.owner(),
      "has the outcome of " + title(errand) +
          (failure == nullptr ? std::string(": a value")
                              : ": " + name_of(failure->kind) + ", " + failure->message));
  const std::string what = title(errand) + " of " + job.owner().setting().name;
  if (std::exchange(record.delivered, true)) return fail(what + " is delivered twice");
  if (job.times_stored() != 1)
    return fail(what + " has " + std::to_string(job.times_stored()) + " outcomes");
  if (failure == nullptr) {
    ++outcomes_.values;
    if (its.overdue() || its.throws)
      return fail(what + " has a value though it " + (its.throws ? "throws" : "takes too long"));
    const std::uint64_t expected = value_of(profile_, errand.id, errand.depth, errand.once);
    if (std::get<std::uint64_t>(job.outcome()) != expected) fail(what + " has a wrong value");
    return;
  }
  ++outcomes_.failures;
  const auto refuse = [&](const char* why) {
    fail(what + " has failed (" + name_of(failure->kind) + ": " + failure->message + ") " + why);
  };
  if ((record.allowed >> static_cast<unsigned>(failure->kind) & 1) != 0) return;
  switch (failure->kind) {
    case Failure::Kind::kThrown:
      if (!its.throws || its.overdue()) refuse("and does not throw");
      return;
    case Failure::Kind::kTimeout:
      if (!its.overdue()) refuse("within its time");
      return;
    case Failure::Kind::kCancelled:
      if (!record.cancelled) refuse("and nobody has cancelled it");
      return;
    case Failure::Kind::kClosed:
      if (!job.owner().ending()) refuse("while its node lives");
      return;
    case Failure::Kind::kUndecodable:
      return refuse("though it can travel");
    case Failure::Kind::kNodeLost: {
      if (!troubled_) return refuse("and no node was lost");
      if (plan_.scene == Scene::kPoison && !its.poison) return refuse("and has killed nobody");
      if (job.place == Where::Kind::kNode) return;
      // Who leaves dials nobody: what may not run there fails when its last session is over.
      if (!job.runs_here() && (job.owner().ending() || job.owner().is_draining())) return;
      const unsigned retries = its.retries.value_or(options_.retries);
      // Two nodes died of it, or so it seems, and there is no third.
      if (job.attempt > 2 && failure->message.find("no other node is left") != std::string::npos)
        return;
      if (job.attempt <= retries) refuse("and had attempts left");
      return;
    }
  }
}

void World::dismissed(SimNode& where, runtime::Courier::Farewell why) {
  if (why == runtime::Courier::Farewell::kDrained || where.ending()) return;
  SimNode* node = &where;
  say(where, "is dismissed");
  // (Who hears of the goodbye from nobody takes the driver for silent.)
  const bool unheard = why == runtime::Courier::Farewell::kDriverGone &&
                       agenda_.now() >= dismissal_ + kSilentPatience;
  if (plan_.scene != Scene::kLaunch || agenda_.now() < dismissal_ || (why != reason_ && !unheard))
    return fail(where.setting().name + " leaves its driver, and has no reason to");
  agenda_.in(Duration(0), [this, node] {
    if (!node->alive()) return;
    forget_roots_of(*node);
    node->end();
  });
}

void World::poisoned(SimNode& where, const Errand& errand) {
  const std::uint64_t deaths = ++records_[errand.serial].deaths;
  outcomes_.most_deaths = std::max(outcomes_.most_deaths, deaths);
  if (deaths > kMostDeaths)
    fail(title(errand) + " has killed " + std::to_string(deaths) + " nodes");
  ++outcomes_.faults[static_cast<std::size_t>(Fault::kPoison)];
  SimNode* node = &where;
  agenda_.in(Duration(0), [this, node] {
    if (!node->alive()) return;
    const std::size_t machine = node->setting().machine;
    crash(*node, false);
    if (healed_ && !ending_) {
      start(machine);
    } else {
      start_again_perhaps(machine, plan_.scene == Scene::kPoison ? 1.0 : 0.9);
    }
  });
}

void World::courier_ended(SimNode& where) {
  note(7, where, 0, 0);
  say(where, "has ended");
  SimNode* node = &where;
  agenda_.in(dice_.between(Duration(0), milliseconds(5)), [this, node] {
    if (!node->alive()) return;
    const std::size_t machine = node->setting().machine;
    node->close();
    at_[machine] = nullptr;
    --living_;
    if (healed_ && !ending_ && machine < 2) {
      start(machine);
    } else {
      start_again_perhaps(machine, 0.5);
    }
  });
}

void World::said(SimNode& who, std::string_view level, std::string_view sentence) {
  // From then on a suspect may lie in its owner's queue as any other job does.
  nobody_left_ |= sentence.find("no other node is left, so it runs here") != std::string_view::npos;
  if (level == "report" || !history_.readable()) return;
  say(who, std::string(level) + ": " + std::string(sentence));
}

void World::heard(std::size_t from, std::size_t to, std::span<const std::byte> message, bool word) {
  history_.count(agenda_.now(), word ? 8 : 9, from << 32 | to, message.size());
  if (history_.readable() && !word)
    told(to, "hears of m" + std::to_string(from) + ": " + Reader::line(message));
}

}  // namespace

Outcomes simulate(const Plan& plan) {
  runtime::broken_rule = plan.broken;
  runtime::Counted::alive = 0;  // one that went wrong before has left some
  Outcomes outcomes = World(plan).run();
  runtime::broken_rule = runtime::Rule::kNone;
  return outcomes;
}

}  // namespace pp::simulation
