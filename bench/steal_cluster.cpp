// SimCluster: the couriers and workers of all nodes, an event at a time.
#include "steal_cluster.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "roster.hpp"

namespace pp::bench {
namespace {

using std::chrono::nanoseconds;

// What a round trip lasts decides nothing but how it compares with Prefetch's pause.
constexpr nanoseconds kRoundTrip = std::chrono::microseconds(100);
constexpr nanoseconds kLoadEvery = std::chrono::seconds(1);  // as the courier does
constexpr std::size_t kMesh = 16;                            // Neighbourhood::Limits::mesh
constexpr std::size_t kChunk = 100;

nanoseconds round_trips(double times) {
  return nanoseconds(static_cast<nanoseconds::rep>(times * kRoundTrip.count()));
}
double in_round_trips(nanoseconds time) {
  return static_cast<double>(time.count()) / static_cast<double>(kRoundTrip.count());
}

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

void SimCluster::settle(std::size_t jobs) { left_ -= jobs; }

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
    settle(1);
  } else {
    --node.open;
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

// ---- couriers

void SimCluster::wake(Number at) {
  Node& node = nodes_[at];
  if (std::exchange(node.turn_due, true)) return;
  after(std::max(node.courier_free - now_, Duration(0)), Event::Kind::kTurn, at);
}

void SimCluster::turn(Number at) {
  Node& node = nodes_[at];
  node.turn_due = false;
  spent_ = Duration(0);
  std::vector<Message> inbox;
  std::swap(inbox, node.inbox);
  for (Message& message : inbox) take(at, message);
  send_results(at);
  serve_thieves(at);
  steal(at);
  node.courier_free = now_ + spent_;
}

void SimCluster::say(Number from, Number to, Message message) {
  const bool carries = message.kind == Message::Kind::kGrant ||
                       message.kind == Message::Kind::kReturned ||
                       message.kind == Message::Kind::kMoved;
  const std::size_t jobs = carries ? message.jobs.size() : message.count;
  spent_ += round_trips(setting_.costs.message + setting_.costs.job * static_cast<double>(jobs));
  message.from = from;
  message.queued = queued(nodes_[from]);
  message.idle = nodes_[from].idle;
  ++outcome_.messages;
  std::size_t which = messages_.size();
  if (free_messages_.empty()) {
    messages_.push_back(std::move(message));
  } else {
    which = free_messages_.back();
    free_messages_.pop_back();
    messages_[which] = std::move(message);
  }
  after(spent_ + kRoundTrip / 2, Event::Kind::kMessage, to, which);
}

// Both sides have it at the same time.
void SimCluster::connect(Number from, Number to) {
  if (nodes_[from].sessions.contains(to)) return;
  if (!nodes_[from].dialling.insert(to).second) return;
  nodes_[to].dialling.insert(from);
  ++outcome_.dials;
  for (const auto& [at, other] : {std::pair(from, to), std::pair(to, from)}) {
    Message up;
    up.kind = Message::Kind::kUp;
    up.from = other;
    messages_.push_back(std::move(up));
    after(round_trips(setting_.costs.dial), Event::Kind::kMessage, at, messages_.size() - 1);
  }
}

void SimCluster::take(Number at, Message& message) {
  using Kind = Message::Kind;
  Node& node = nodes_[at];
  const SessionId from = session(message.from);
  if (message.kind != Kind::kUp)
    spent_ +=
        round_trips(setting_.costs.message +
                    setting_.costs.job * static_cast<double>(message.jobs.size() + message.count));
  const auto note_answer = [&] {
    const auto asked = node.asked.find(message.from);
    if (asked == node.asked.end()) return;
    node.prefetch.answered(now_ - asked->second);
    node.asked.erase(asked);
  };
  switch (message.kind) {
    case Kind::kSteal: {
      const Victim::Thief thief{from, setting_.workers, message.idle};
      node.victim.unpark(from);
      if (serve(at, thief)) return;
      node.victim.park(thief);
      ++outcome_.refusals;
      return say(at, message.from, {.kind = Kind::kNone});
    }
    case Kind::kGrant:
      note_answer();
      node.thief.granted(from);
      node.thief.heard(from, message.queued);
      for (const SimJob& job : message.jobs) {
        const bool home = job.owner == at;  // handed over to its owner
        (home ? node.own : node.borrowed).push_back(job);
        node.open += !home;
      }
      return feed(at);
    case Kind::kNone:
      note_answer();
      node.thief.heard(from, message.queued);
      return node.thief.refused(from);
    case Kind::kRedirect: {
      const bool known = node.sessions.contains(message.owner);
      node.thief.redirected(from, known ? std::optional(session(message.owner)) : std::nullopt);
      if (known || message.owner == at) return;
      node.pointed_to = message.owner;
      return connect(at, message.owner);
    }
    case Kind::kReturned:
      node.own.insert(node.own.begin(), message.jobs.begin(), message.jobs.end());
      return feed(at);
    case Kind::kMoved:
      return;
    case Kind::kResults:
      return settle(message.count);
    case Kind::kLoad:
      node.thief.heard(from, message.queued);
      return node.victim.heard(from, setting_.workers, message.idle);
    case Kind::kUp:
      node.dialling.erase(message.from);
      node.sessions.insert(message.from);
      node.thief.peer_up(from);
      if (node.pointed_to == message.from) {
        node.thief.pointed_to(from);
        node.pointed_to.reset();
      }
      return;
  }
}

void SimCluster::send_results(Number at) {
  Node& node = nodes_[at];
  for (auto entry = node.results.begin(); entry != node.results.end();) {
    const auto [owner, count] = *entry;
    if (!node.sessions.contains(owner)) {  // only who was handed jobs over has to dial for it
      connect(at, owner);
      ++entry;
      continue;
    }
    Message results;
    results.kind = Message::Kind::kResults;
    results.count = count;
    say(at, owner, std::move(results));
    entry = node.results.erase(entry);
  }
}

Victim::Stock SimCluster::stock(const Node& node) const {
  return {.own = node.own.size(),
          .borrowed = node.borrowed.size(),
          .workers = setting_.workers,
          .idle = node.idle};
}

void SimCluster::serve_thieves(Number at) {
  Node& node = nodes_[at];
  if (!node.victim.anybody_parked()) return;
  for (const Victim::Thief& thief : node.victim.parked()) {
    if (queued(node) <= node.idle) break;
    serve(at, thief);
  }
  node.waiting_thieves = node.victim.anybody_parked();
}

bool SimCluster::serve(Number at, const Victim::Thief& thief) {
  Node& node = nodes_[at];
  Victim::Gift gift = Victim::decide(stock(node), thief, node.thief.asks(thief.session));
  if (gift.none()) return false;
  const std::size_t surplus = queued(node) - node.idle;
  const auto amount = [&](std::size_t half, std::size_t there) {
    switch (setting_.policy.amount) {
      case Policy::Amount::kHalf:
        return half;
      case Policy::Amount::kOne:
        return std::min<std::size_t>(half, 1);
      case Policy::Amount::kChunk:
        return half == 0 ? 0 : std::min({kChunk, surplus, there});
    }
    return half;
  };
  const std::size_t lend = std::min(amount(gift.lend, node.own.size()), setting_.grant);
  const std::size_t back = std::min(amount(gift.give_back, node.borrowed.size()), setting_.grant);
  node.victim.unpark(thief.session);
  if (lend > 0) {
    Message grant;
    grant.kind = Message::Kind::kGrant;
    const auto end = node.own.begin() + static_cast<std::ptrdiff_t>(lend);
    grant.jobs.assign(node.own.begin(), end);
    node.own.erase(node.own.begin(), end);
    outcome_.lent += lend;
    say(at, number(thief.session), std::move(grant));
  } else {
    setting_.policy.hand_over ? hand_over(at, thief, back) : give_back(at, thief, back);
  }
  return true;
}

// The newest go home; the thief is sent where most of them went.
void SimCluster::give_back(Number at, const Victim::Thief& thief, std::size_t most) {
  Node& node = nodes_[at];
  std::map<Number, Message> back;
  for (; most > 0; --most) {
    const SimJob job = node.borrowed.back();
    node.borrowed.pop_back();
    --node.open;
    back[job.owner].jobs.push_back(job);
  }
  Number owner = 0;
  std::size_t most_returned = 0;
  for (auto& [home, returned] : back) {
    returned.kind = Message::Kind::kReturned;
    if (returned.jobs.size() > most_returned) owner = home;
    most_returned = std::max(most_returned, returned.jobs.size());
    outcome_.returned += returned.jobs.size();
    say(at, home, std::move(returned));
  }
  Message redirect;
  redirect.kind = Message::Kind::kRedirect;
  redirect.owner = owner;
  ++outcome_.redirects;
  say(at, number(thief.session), std::move(redirect));
}

// The alternative: they go to the thief at once, and their owners are told.
void SimCluster::hand_over(Number at, const Victim::Thief& thief, std::size_t most) {
  Node& node = nodes_[at];
  Message grant;
  grant.kind = Message::Kind::kGrant;
  std::map<Number, std::size_t> owners;
  for (; most > 0; --most) {
    grant.jobs.push_back(node.borrowed.back());
    node.borrowed.pop_back();
    --node.open;
    ++owners[grant.jobs.back().owner];
  }
  outcome_.lent += grant.jobs.size();
  for (const auto& [owner, count] : owners) {
    if (owner == number(thief.session)) continue;
    Message moved;
    moved.kind = Message::Kind::kMoved;
    moved.count = count;
    say(at, owner, std::move(moved));
  }
  say(at, number(thief.session), std::move(grant));
}

bool SimCluster::hungry_soon(const Node& node) const {
  if (!node.own.empty()) return false;
  if (node.borrowed.empty() && node.idle > 0) return true;
  return node.open > 0 && node.borrowed.size() < node.low_water;
}

void SimCluster::steal(Number at) {
  Node& node = nodes_[at];
  node.prefetch.ran(node.ran, node.busy, now_);
  node.low_water = setting_.policy.prefetch ? node.prefetch.low_water(setting_.workers, now_) : 0;
  while (hungry_soon(node)) {
    const std::optional<SessionId> victim = node.thief.ask();
    if (!victim) break;
    node.asked[number(*victim)] = now_;
    ++outcome_.requests;
    say(at, number(*victim), {.kind = Message::Kind::kSteal});
  }
  node.may_ask = node.thief.may_ask();
}

void SimCluster::tell_loads() {
  for (Number at = 0; at < setting_.nodes; ++at) {
    Node& node = nodes_[at];
    spent_ = Duration(0);
    if (queued(node) != node.told) {
      node.told = queued(node);
      for (const Number other : node.sessions) say(at, other, {.kind = Message::Kind::kLoad});
    }
    wake(at);
  }
  after(kLoadEvery, Event::Kind::kLoads, 0);
}

}  // namespace pp::bench
