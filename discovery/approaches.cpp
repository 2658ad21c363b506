// Approaches: one dial at a time to each, and patience.
#include "approaches.hpp"

#include <algorithm>

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
// For the smaller NodeId to dial: a few round trips. It may not have heard of this node.
constexpr milliseconds kTheirTurn{100};
constexpr seconds kShortLife{2};  // a session that ended sooner was as good as none

// Twice as long after each failure.
milliseconds pause_after(unsigned failures) {
  return std::min(kFirstPause * (1 << std::min(failures, 6u)), kLongestPause);
}

}  // namespace

Approaches::Approach& Approaches::wanted(const NodeId& node, Time not_before) {
  const auto [entry, is_new] = approaches_.try_emplace(node);
  if (is_new) {
    const auto past = past_.find(node);
    entry->second.not_before =
        past == past_.end() ? not_before : std::max(not_before, past->second.not_before);
  }
  return entry->second;
}

void Approaches::set_neighbours(const std::vector<NodeId>& nodes, Time now) {
  for (auto& [node, approach] : approaches_) approach.neighbour = false;
  for (const NodeId& node : nodes)
    wanted(node, self_ < node ? now : now + kTheirTurn).neighbour = true;
  std::erase_if(approaches_, [&](const auto& each) {
    const Approach& approach = each.second;
    return !approach.neighbour && approach.until < now && !approach.under_way;
  });
}

void Approaches::want(const NodeId& node, Time now, Time until) {
  Approach& approach = wanted(node, now);
  approach.until = std::max(approach.until, until);
  const auto past = past_.find(node);
  if (past == past_.end() || past->second.not_before <= now)
    approach.not_before = std::min(approach.not_before, now);
}

void Approaches::forget(const NodeId& node) {
  approaches_.erase(node);
  past_.erase(node);
}

void Approaches::heard_of(const NodeId& node, Time now) {
  past_.erase(node);
  const auto entry = approaches_.find(node);
  if (entry != approaches_.end() && !entry->second.under_way)
    entry->second.not_before = std::min(entry->second.not_before, now);
}

void Approaches::hold(const NodeId& node, Time until) {
  const auto entry = approaches_.find(node);
  if (entry != approaches_.end())
    entry->second.not_before = std::max(entry->second.not_before, until);
}

void Approaches::up(const NodeId& node) { approaches_.erase(node); }

void Approaches::down(const NodeId& node, Time since, Time now) {
  if (now - since >= kShortLife) {
    past_.erase(node);
    return;
  }
  Past& past = past_[node];
  // A short pause also for one that breaks again and again: what is open between the two waits for
  // the next session, and is given up after a while.
  past.not_before = now + pause_after(std::min(past.failures++, 1u)) / 2;
}

std::vector<NodeId> Approaches::due(Time now) {
  std::vector<NodeId> nodes;
  for (auto entry = approaches_.begin(); entry != approaches_.end();) {
    const Approach& approach = entry->second;
    if (!approach.under_way && !approach.neighbour && approach.until < now) {
      entry = approaches_.erase(entry);
      continue;
    }
    if (!approach.under_way && approach.not_before <= now) nodes.push_back(entry->first);
    ++entry;
  }
  return nodes;
}

Time Approaches::next_due() const {
  Time due = Time::max();
  for (const auto& [node, approach] : approaches_)
    if (!approach.under_way) due = std::min(due, approach.not_before);
  return due;
}

std::optional<Address> Approaches::next_address(const NodeId& node,
                                                const std::vector<Address>& ways) {
  const auto entry = approaches_.find(node);
  if (entry == approaches_.end()) return std::nullopt;
  if (ways.empty()) {
    approaches_.erase(entry);
    return std::nullopt;
  }
  Approach& approach = entry->second;
  approach.ways = ways.size();
  approach.under_way = ways[approach.way++ % ways.size()];
  return approach.under_way;
}

std::map<NodeId, Approaches::Approach>::iterator Approaches::at(const Address& address) {
  return std::find_if(approaches_.begin(), approaches_.end(),
                      [&](const auto& each) { return each.second.under_way == address; });
}

void Approaches::put_off(const NodeId& node, Approach& approach, Time now) {
  Past& past = past_[node];
  const Clock::duration half = Clock::duration(pause_after(past.failures++)) / 2;
  past.not_before = approach.not_before =
      now + half +
      Clock::duration(std::uniform_int_distribution<Clock::rep>(0, half.count())(random_));
  approach.way = 0;
}

std::optional<Approaches::Failed> Approaches::failed(const Address& address, Time now) {
  const auto entry = at(address);
  if (entry == approaches_.end()) return std::nullopt;
  Approach& approach = entry->second;
  approach.under_way.reset();
  const Failed failed{entry->first, approach.way >= approach.ways};
  if (failed.all_ways) {
    put_off(entry->first, approach, now);
  } else {
    approach.not_before = now;
  }
  return failed;
}

void Approaches::refused(const Address& address, transport::RefusalReason reason, Time now) {
  const auto entry = at(address);
  if (entry == approaches_.end()) return;
  Approach& approach = entry->second;
  approach.under_way.reset();
  if (reason == transport::RefusalReason::kSelf && approach.way < approach.ways) {
    approach.not_before = now;  // another host's address that is ours too: the next one
    return;
  }
  put_off(entry->first, approach, now);
  // No failure, but the pause stays: the other side may take long to notice that its session has
  // ended, and whoever wants one meanwhile must not dial as fast as it refuses.
  if (reason == transport::RefusalReason::kDuplicate) past_[entry->first].failures = 0;
}

}  // namespace pp::discovery
