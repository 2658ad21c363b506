// The plan's memory: one entry for each address, with its back-off and the node last met there.
#include <algorithm>
#include <map>
#include <optional>
#include <pp/dial_plan.hpp>
#include <random>
#include <set>
#include <tuple>
#include <utility>

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
// After a refusal somebody must change something: a key, a build, a launch.
constexpr milliseconds kFirstSlowPause{5000};
constexpr milliseconds kLongestSlowPause{60'000};
// A dial whose end nobody told us of.
constexpr seconds kForgottenDial{60};
// About 20 s of trying; members that know better will tell of the address again.
constexpr unsigned kGossipFailures = 10;
// Members are believed, but a member gone wrong must not fill our memory.
constexpr std::size_t kMostAddresses = 16'384;

struct Entry {
  bool kept = false;           // from a source: never forgotten
  bool is_self = false;        // never dialled again
  std::optional<NodeId> node;  // last met there, or said to be there
  unsigned failures = 0;       // since the last success
  Time not_before = Time::min();
  std::optional<Time> dialled;  // under way since
  std::optional<Time> last_dial;
};

}  // namespace

struct DialPlan::State {
  explicit State(std::uint64_t seed) : random(seed) {}

  // Half to all of first * 2^(failures - 1), at most longest: two nodes that lost each other at the
  // same moment do not go on meeting at the same moments.
  std::chrono::nanoseconds pause(milliseconds first, milliseconds longest, unsigned failures) {
    milliseconds whole = first;
    for (unsigned i = 1; i < failures && whole < longest; ++i) whole *= 2;
    const std::chrono::nanoseconds half = std::min(whole, longest) / 2;
    auto part = std::uniform_int_distribution<std::chrono::nanoseconds::rep>(0, half.count());
    return half + std::chrono::nanoseconds(part(random));
  }

  bool is_member(const Entry& entry) const { return entry.node && members.contains(*entry.node); }

  static bool under_way(const Entry& entry, Time now) {
    return entry.dialled && now - *entry.dialled < kForgottenDial;
  }

  // Null when the limit is reached.
  Entry* entry_of(const Address& address) {
    const auto found = entries.find(address);
    if (found != entries.end()) return &found->second;
    if (entries.size() >= kMostAddresses) return nullptr;
    return &entries[address];
  }

  void put_off(const Address& address, Time now, milliseconds first, milliseconds longest) {
    next.reset();
    const auto found = entries.find(address);
    if (found == entries.end()) return;
    Entry& entry = found->second;
    entry.dialled.reset();
    ++entry.failures;
    if (!entry.kept && entry.failures >= kGossipFailures) {
      entries.erase(found);
      return;
    }
    entry.not_before = now + pause(first, longest, entry.failures);
  }

  std::map<Address, Entry> entries;
  std::set<NodeId> members;
  std::mt19937_64 random;
  std::optional<Time> next;  // the answer of next_due(); empty after a change
};

DialPlan::DialPlan(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}

DialPlan::~DialPlan() = default;

void DialPlan::sighted(const Address& address, Time now) {
  Entry& entry = state_->entries[address];  // the user's own words know no limit
  if (std::exchange(entry.kept, true)) return;
  entry.not_before = std::min(std::max(entry.not_before, now), now + kLongestPause);
  state_->next.reset();
}

void DialPlan::sighted(const Address& address, const std::optional<NodeId>& node, Time not_before) {
  const bool known = state_->entries.contains(address);
  Entry* entry = state_->entry_of(address);
  if (entry == nullptr || (known && (!node || entry->node == node))) return;
  // Hearsay does not change whom we met there ourselves while that node is with us.
  if (state_->is_member(*entry) || (entry->kept && entry->node)) return;
  entry->node = node;
  if (!known) entry->not_before = not_before;
  state_->next.reset();
}

void DialPlan::up(const NodeId& node, const Address& remote,
                  const std::vector<Address>& addresses) {
  State& s = *state_;
  s.next.reset();
  s.members.insert(node);
  // If it dialled us, the other end is a port where nobody listens: not an address to remember.
  const auto met = [&](const Address& address, bool by_us) {
    const auto entry = s.entries.find(address);
    if (entry == s.entries.end()) return;
    // Several hosts may call the same address their own (127.0.0.1): who answered there stays.
    if (!by_us && entry->second.node != node && s.is_member(entry->second)) return;
    entry->second.node = node;
    entry->second.failures = 0;
    entry->second.dialled.reset();
  };
  met(remote, true);
  for (const Address& address : addresses) met(address, false);
}

void DialPlan::down(const NodeId& node, Time now) {
  State& s = *state_;
  s.members.erase(node);
  s.next.reset();
  for (auto each = s.entries.begin(); each != s.entries.end();) {
    Entry& entry = each->second;
    if (entry.node != node || entry.is_self) {
      ++each;
    } else if (!entry.kept) {
      each = s.entries.erase(each);
    } else {
      entry.dialled.reset();
      // At once, but not in a circle with a peer that takes sessions only to drop them.
      entry.not_before = entry.last_dial ? std::max(now, *entry.last_dial + kFirstPause) : now;
      ++each;
    }
  }
}

void DialPlan::left(const NodeId& node, Time now) {
  down(node, now);
  for (auto& [address, entry] : state_->entries)
    if (entry.node == node && !entry.is_self) entry.not_before = now + kLongestPause;
}

void DialPlan::failed(const Address& address, Time now) {
  state_->put_off(address, now, kFirstPause, kLongestPause);
}

void DialPlan::refused(const Address& address, transport::RefusalReason reason, Time now) {
  using enum transport::RefusalReason;
  State& s = *state_;
  switch (reason) {
    case kSelf: {
      s.next.reset();
      Entry* entry = s.entry_of(address);
      if (entry == nullptr) return;
      entry->is_self = true;  // remembered, so that gossip does not bring it back
      entry->dialled.reset();
      return;
    }
    case kTooMany:
    case kTimeout:
      return failed(address, now);
    case kDuplicate: {
      // It is with us, or will be within moments; down() makes it due again.
      s.next.reset();
      const auto found = s.entries.find(address);
      if (found == s.entries.end()) return;
      found->second.dialled.reset();
      found->second.failures = 0;
      found->second.not_before = now + s.pause(kLongestPause, kLongestPause, 1);
      return;
    }
    case kWrongKey:
    case kVersion:
    case kFunctionTable:
    case kLaunch:
    case kGarbage:
      return s.put_off(address, now, kFirstSlowPause, kLongestSlowPause);
    case kFlood:
    case kFabric:
      return;  // nobody's dial
  }
}

std::vector<Address> DialPlan::due(Time now) {
  State& s = *state_;
  if (next_due(now) > now) return {};
  s.next.reset();
  // A node with several addresses is dialled at one of them at a time: at the one due for longest.
  std::set<NodeId> busy;
  std::vector<std::pair<Time, std::map<Address, Entry>::iterator>> ready;
  for (auto entry = s.entries.begin(); entry != s.entries.end(); ++entry) {
    const Entry& it = entry->second;
    if (it.is_self || s.is_member(it)) continue;
    if (State::under_way(it, now)) {
      if (it.node) busy.insert(*it.node);
    } else if (it.not_before <= now) {
      ready.emplace_back(it.not_before, entry);
    }
  }
  std::sort(ready.begin(), ready.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second->first) < std::tie(b.first, b.second->first);
  });
  std::vector<Address> addresses;
  for (const auto& [since, entry] : ready) {
    Entry& it = entry->second;
    if (it.node && !busy.insert(*it.node).second) continue;
    it.dialled = now;
    it.last_dial = now;
    addresses.push_back(entry->first);
  }
  return addresses;
}

Time DialPlan::next_due(Time now) const {
  State& s = *state_;
  if (s.next) return *s.next;
  Time next = Time::max();
  std::map<NodeId, Time> busy;  // until when at the latest
  for (const auto& [address, it] : s.entries) {
    if (it.is_self || s.is_member(it) || !State::under_way(it, now)) continue;
    const Time until = *it.dialled + kForgottenDial;
    next = std::min(next, until);
    if (it.node) busy.emplace(*it.node, until);
  }
  for (const auto& [address, it] : s.entries) {
    if (it.is_self || s.is_member(it) || State::under_way(it, now)) continue;
    if (it.node && busy.contains(*it.node)) continue;
    next = std::min(next, it.not_before);
  }
  s.next = next;
  return next;
}

}  // namespace pp::discovery
