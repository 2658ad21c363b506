// scenes: what a cluster is like, and what it is given to do.
#include <utility>

#include "world.hpp"

namespace pp::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::size_t kLargeResult = 30'000;
constexpr Duration kCancelWithin = seconds(5);  // where nothing is in its way

}  // namespace

FaultSet World::drawn_faults() {
  FaultSet faults;
  if (plan_.scene == Scene::kPoison) {  // that it is tried alone presumes that nothing else kills
    faults.add(Fault::kPoison);
    return faults;
  }
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
  draw_blobs();
  // (With dice of its own.)
  if (Dice dice(profile_.seed ^ 0x6c6f616e); dice.chance(0.3)) most_borrowed_ = dice.between(2, 30);
  profile_.children_elsewhere = plan_.promises.leavers_serve ||
                                !(faults_.contains(Fault::kDrain) || faults_.contains(Fault::kEnd));
  troubled_ = !plan_.promises.links_survive;
  cancelled_after_ = profile_.mean * 3;

  length_ = dice_.any_scale(milliseconds(100), milliseconds(1500));
  switch (plan_.scene) {
    case Scene::kAny:
    case Scene::kCrowd:
    case Scene::kBlobs:
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

// What is large travels in pieces, and goes from node to node. (With dice of its own.)
void World::draw_blobs() {
  Dice dice(profile_.seed ^ 0x626c6f62);
  const bool scene = plan_.scene == Scene::kBlobs;
  if (!scene && !dice.chance(0.4)) return;
  eager_ = dice.between(500, 8000);
  fetch_.piece = dice.between(500, 5000);
  fetch_.window = fetch_.piece * dice.between(1, 6);
  fetch_.pieces = dice.between(1, 10);
  fetch_.patience = milliseconds(dice.between(20, 500));
  most_cached_ = dice.chance(0.5) ? dice.between(0, 200'000) : std::size_t{1} << 30;
  spread_least_ = dice.chance(0.7) ? 0 : runtime::BlobSpread::kLeast;
  if (dice.chance(0.5)) profile_.alike = 33'000;
  if (dice.chance(scene ? 0.7 : 0.3)) profile_.most_result = dice.between(100, 40'000);
  if (scene) profile_.large = 0.1 + 0.8 * dice.unit();
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
    if (owner == nullptr) return;  // it has died before
    say(*owner, "is stopped");
    owner->stop();
  });
}

// All that may kill has done so once: the owner might run it now.
void World::let_the_owner_work() {
  if (plan_.scene != Scene::kPoison || at_[0] == nullptr || at_[0]->workers() > 0) return;
  for (const Root& root : roots_) {
    if (root.job->script().poison && records_[root.job->errand().serial].begun.empty()) return;
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
  setting.most_borrowed = most_borrowed_;
  setting.eager = eager_;
  setting.fetch = fetch_;
  setting.most_cached = most_cached_;
  setting.spread_least = spread_least_;
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

}  // namespace pp::simulation
