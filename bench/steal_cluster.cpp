// SimCluster: the couriers and workers of all nodes, an event at a time.
#include "steal_cluster.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "roster.hpp"

namespace pp::bench {
namespace {

constexpr std::chrono::nanoseconds kLoadEvery = std::chrono::seconds(1);  // as the courier does
constexpr std::size_t kMesh = 16;  // Neighbourhood::Limits::mesh
NodeId node_id(std::uint32_t number) {
  NodeId id;
  for (std::size_t i = 0; i < 4; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(number >> (24 - 8 * i) & 0xff);
  id.bytes[4] = 1;  // none is zero
  return id;
}

std::uint32_t number_of(const NodeId& id) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | id.bytes[i];
  return number;
}

}  // namespace

SimCluster::SimCluster(const Setting& setting) : setting_(setting) {
  discovery::Roster roster(node_id(0));
  nodes_.reserve(setting.nodes);
  for (Number i = 0; i < setting.nodes; ++i) {
    nodes_.emplace_back(setting.seed * 1'000'003 + i);
    nodes_.back().idle = setting.workers;
    discovery::Member member;
    member.node = node_id(i);
    if (i > 0) roster.merge(member, discovery::Time{});
  }
  for (Number i = 0; i < setting.nodes; ++i) {
    for (const NodeId& neighbour : roster.neighbours_of(node_id(i), kMesh)) {
      nodes_[i].sessions.insert(number_of(neighbour));
      nodes_[number_of(neighbour)].sessions.insert(i);
    }
  }
  for (Number i = 0; i < setting.nodes; ++i) {
    for (const Number other : nodes_[i].sessions) nodes_[i].thief.peer_up(session(other));
    wake(i);
  }
}

Outcome SimCluster::run() {
  while (moving_ > 0) advance();
  outcome_ = {};
  submitted_ = now_;
  std::mt19937_64 random(setting_.seed);
  std::vector<Number> all(setting_.nodes);
  for (Number i = 0; i < setting_.nodes; ++i) all[i] = i;
  std::shuffle(all.begin(), all.end(), random);
  for (std::size_t i = 0; i < setting_.load.submitters; ++i) {
    const std::vector<SimJob> jobs = submitted(setting_.load, all[i], random());
    left_ += jobs.size();
    outcome_.jobs += jobs.size();
    nodes_[all[i]].own.assign(jobs.begin(), jobs.end());
    feed(all[i]);
    wake(all[i]);
  }
  after(kLoadEvery, Event::Kind::kLoads, 0);
  constexpr int kMostRounds = 100;  // of loads, without anything that moves
  for (int rounds = 0; left_ > 0; rounds = moving_ > 0 ? 0 : rounds + 1) {
    if (rounds > kMostRounds) {
      outcome_.stuck = true;
      break;
    }
    advance();
  }
  outcome_.time = in_round_trips(now_ - submitted_);
  for (const Node& node : nodes_) {
    outcome_.busy += in_round_trips(node.busy);
    outcome_.never += !node.had_work;
  }
  return outcome_;
}

void SimCluster::after(Duration delay, Event::Kind kind, Number node, std::size_t what) {
  events_.push({now_ + delay, order_++, kind, node, what});
  moving_ += kind != Event::Kind::kLoads;
}

void SimCluster::advance() {
  const Event event = events_.top();
  events_.pop();
  moving_ -= event.kind != Event::Kind::kLoads;
  now_ = event.at;
  switch (event.kind) {
    case Event::Kind::kTurn:
      return turn(event.node);
    case Event::Kind::kMessage:
      nodes_[event.node].inbox.push_back(std::move(messages_[event.what]));
      free_messages_.push_back(event.what);
      return wake(event.node);
    case Event::Kind::kJobEnds:
      return job_ends(event.node, event.what);
    case Event::Kind::kLoads:
      return tell_loads();
  }
}

// ---- workers

// Idle ones begin what is there: their own newest first, borrowed ones then.
void SimCluster::feed(Number at) {
  Node& node = nodes_[at];
  while (node.idle > 0 && !(node.own.empty() && node.borrowed.empty())) {
    std::size_t which = running_.size();
    if (free_running_.empty()) {
      running_.emplace_back();
    } else {
      which = free_running_.back();
      free_running_.pop_back();
    }
    Running& running = running_[which];
    if (!node.own.empty()) {
      running.job = node.own.back();
      node.own.pop_back();
    } else {
      running.job = node.borrowed.front();
      node.borrowed.pop_front();
      if (node.borrowed.size() < node.low_water && node.may_ask) wake(at);
    }
    running.run = bench::run(setting_.load, running.job, at);
    --node.idle;
    if (!std::exchange(node.had_work, true))
      outcome_.last_first = in_round_trips(now_ - submitted_);
    after(round_trips(running.run.work), Event::Kind::kJobEnds, at, which);
  }
}

void SimCluster::job_ends(Number at, std::size_t which) {
  Node& node = nodes_[at];
  const Running ended = std::move(running_[which]);
  free_running_.push_back(which);
  ++node.ran;
  ++node.idle;
  node.busy += round_trips(ended.run.work);
  left_ += ended.run.spawned.size();
  outcome_.jobs += ended.run.spawned.size();
  node.own.insert(node.own.end(), ended.run.spawned.begin(), ended.run.spawned.end());
  if (ended.job.owner == at) {
    --left_;
  } else {
    count_borrowed(node, ended.job.owner, -1);
    ++node.results[ended.job.owner];
    wake(at);
  }
  feed(at);
  if (node.idle > 0 && node.may_ask) wake(at);
  if (node.waiting_thieves && queued(node) > node.idle) {
    node.waiting_thieves = false;
    wake(at);
  }
}

void SimCluster::count_borrowed(Node& node, Number owner, int more) {
  std::size_t& count = node.open_of[owner];
  count += static_cast<std::size_t>(more);
  if (count == 0) node.open_of.erase(owner);
}

void SimCluster::tell_loads() {
  for (Number at = 0; at < setting_.nodes; ++at) {
    Node& node = nodes_[at];
    spent_ = Duration(0);
    node.recalled_all = false;
    if (queued(node) != node.told) {
      node.told = queued(node);
      for (const Number other : node.sessions) say(at, other, {.kind = Message::Kind::kLoad});
    }
    wake(at);
  }
  after(kLoadEvery, Event::Kind::kLoads, 0);
}

}  // namespace pp::bench
