// faults: what befalls a cluster, and how all of it is mended.
#include <algorithm>

#include "world.hpp"

namespace pp::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kRecovery = seconds(12);  // until everybody knows everybody again

}  // namespace

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

}  // namespace pp::simulation
