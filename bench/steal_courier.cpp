// SimCluster: what its couriers do, as Courier does it.
#include <algorithm>
#include <chrono>
#include <utility>

#include "steal_cluster.hpp"

namespace pp::bench {
namespace {

constexpr std::size_t kChunk = 100;

}  // namespace

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
  answer_refused(at);
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
      const Victim::Thief thief{from, message.workers, message.idle, message.wants};
      node.victim.unpark(from);
      if (serve(at, thief, true)) return;
      node.victim.park(thief);
      ++outcome_.refusals;
      if (node.own.empty() && send_on(at, thief)) return;
      node.refused.push_back(message.from);
      return;
    }
    case Kind::kGrant:
      note_answer();
      node.victim.unpark(from);  // it has more than we
      node.thief.granted(from);
      node.thief.heard(from, message.queued);
      for (const SimJob& job : message.jobs) {
        const bool home = job.owner == at;  // handed over to its owner
        (home ? node.own : node.borrowed).push_back(job);
        if (!home) count_borrowed(node, job.owner, 1);
      }
      return feed(at);
    case Kind::kNone:
      note_answer();
      node.thief.heard(from, message.queued);
      return node.thief.refused(from);
    case Kind::kRedirect: {
      const bool known = node.sessions.contains(message.owner);
      if (message.waits) note_answer();
      node.thief.redirected(from, known ? std::optional(session(message.owner)) : std::nullopt,
                            message.waits);
      if (known || message.owner == at) return;
      node.pointed_to = message.owner;
      node.dial_pointed = true;
      return;
    }
    case Kind::kReturned:
      node.own.insert(node.own.begin(), message.jobs.begin(), message.jobs.end());
      node.lent[message.from] -= message.jobs.size();
      return feed(at);
    case Kind::kMoved:
      return;
    case Kind::kResults:
      node.lent[message.from] -= message.count;
      left_ -= message.count;
      return;
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
          .idle = node.idle,
          .everybody = std::uint64_t{setting_.nodes} * setting_.workers,
          .keep = low_water(node)};
}

std::size_t SimCluster::low_water(const Node& node) const {
  return setting_.policy.prefetch ? node.prefetch.low_water(setting_.workers, now_) : 0;
}

void SimCluster::serve_thieves(Number at) {
  Node& node = nodes_[at];
  for (const Victim::Thief& thief : node.victim.parked()) {
    const bool spare = queued(node) > node.idle;
    if (!spare && (!node.own.empty() || !where_more(node))) break;
    if (!(spare && serve(at, thief, false)) && node.own.empty()) send_on(at, thief);
  }
  node.waiting_thieves = node.victim.anybody_parked();
}

std::optional<SimCluster::Number> SimCluster::where_more(const Node& node) const {
  const std::optional<SessionId> giver = node.thief.giver();
  if (giver && (node.thief.giver_has_more() || !node.borrowed.empty())) return number(*giver);
  return node.pointed_to;
}

bool SimCluster::send_on(Number at, const Victim::Thief& thief) {
  Node& node = nodes_[at];
  const std::optional<Number> to = where_more(node);
  if (!to || *to == number(thief.session)) return false;
  if (!node.victim.send_on(thief.session)) return true;
  ++outcome_.redirects;
  std::erase(node.refused, number(thief.session));
  say(at, number(thief.session), {.kind = Message::Kind::kRedirect, .owner = *to, .waits = true});
  return true;
}

// In the turn after the request, when what has come meanwhile was no better answer.
void SimCluster::answer_refused(Number at) {
  for (const Number thief : std::exchange(nodes_[at].refused, {}))
    say(at, thief, {.kind = Message::Kind::kNone});
}

bool SimCluster::serve(Number at, const Victim::Thief& thief, bool asks_now) {
  Node& node = nodes_[at];
  const Victim::Gift gift = Victim::decide(stock(node), thief, node.thief.asks(thief.session));
  const bool is_owner = node.open_of.contains(number(thief.session));
  if (gift.lend == 0 && !is_owner && (!asks_now || node.thief.giver_has_more())) return false;
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
  std::erase(node.refused, number(thief.session));
  if (lend > 0) {
    Message grant;
    grant.kind = Message::Kind::kGrant;
    const auto end = node.own.begin() + static_cast<std::ptrdiff_t>(lend);
    grant.jobs.assign(node.own.begin(), end);
    node.own.erase(node.own.begin(), end);
    outcome_.lent += lend;
    node.lent[number(thief.session)] += lend;
    node.recalled_all = false;
    node.thief.lent(thief.session);
    say(at, number(thief.session), std::move(grant));
  } else {
    setting_.policy.hand_over ? hand_over(at, thief, back) : give_back(at, thief, back);
  }
  return true;
}

void SimCluster::recall_surplus(Number at) {
  Node& node = nodes_[at];
  if (node.recalled_all || !node.own.empty() || !node.victim.anybody_parked()) return;
  const std::uint32_t workers = node.victim.parked_workers();
  for (const auto& [borrower, loans] : node.lent) {
    if (loans <= setting_.workers || !node.sessions.contains(borrower)) continue;
    if (!node.thief.ask(session(borrower), now_)) continue;
    ++outcome_.requests;
    node.asked[borrower] = now_;
    say(at, borrower, {.kind = Message::Kind::kSteal, .workers = workers});
  }
  node.recalled_all = true;
}

// The newest go home; the thief is sent where most of them went.
void SimCluster::give_back(Number at, const Victim::Thief& thief, std::size_t most) {
  Node& node = nodes_[at];
  std::map<Number, Message> back;
  // An owner takes back its own.
  const Number asker = number(thief.session);
  const bool own_only = node.open_of.contains(asker) &&
                        std::any_of(node.borrowed.begin(), node.borrowed.end(),
                                    [&](const SimJob& job) { return job.owner == asker; });
  for (auto job = node.borrowed.end(); job != node.borrowed.begin() && most > 0;) {
    --job;
    if (own_only && job->owner != asker) continue;
    back[job->owner].jobs.push_back(*job);
    count_borrowed(node, job->owner, -1);
    job = node.borrowed.erase(job);
    --most;
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
    count_borrowed(node, grant.jobs.back().owner, -1);
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
  return !node.open_of.empty() && node.borrowed.size() < node.low_water;
}

void SimCluster::steal(Number at) {
  Node& node = nodes_[at];
  node.prefetch.ran(node.ran, node.busy, now_);
  node.low_water = low_water(node);
  if (node.dial_pointed && node.pointed_to && hungry_soon(node)) {
    connect(at, *node.pointed_to);
    node.dial_pointed = false;
  }
  while (hungry_soon(node)) {
    const std::optional<SessionId> victim = node.thief.ask(now_);
    if (!victim) break;
    node.asked[number(*victim)] = now_;
    ++outcome_.requests;
    say(at, number(*victim),
        {.kind = Message::Kind::kSteal,
         .workers = setting_.workers,
         .wants = static_cast<std::uint32_t>(2 * node.low_water)});
  }
  recall_surplus(at);
  node.may_ask = node.thief.may_ask();
}

}  // namespace pp::bench
