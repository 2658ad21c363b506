// LoopbackNode: what a LoopbackWorld keeps of one node: its sessions and what it will be told.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <pp/transport.hpp>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace pp::transport::loopback {

// What a stopped node's peers can have in flight towards it, as the credits of the real transport.
inline constexpr std::size_t kCredit = 64;
inline constexpr Time kAtOnce = Time::min();

using Bytes = std::vector<std::byte>;

struct Up {
  Peer peer;
};
struct Down {
  DownReason reason;
  std::string why;
};
struct DialFailed {
  Address address;
  std::string why;
};

// Something that a node's handler will be told when it is due.
struct Event {
  SessionId session{};
  std::variant<Up, Bytes, Down, DialFailed, Refusal> what;
};

struct Node;

// One node's end of a session.
struct End {
  Node* other = nullptr;
  SessionId theirs{};
  bool dialled = false;
  bool severed = false;  // the other end is gone and on_down on its way: what is sent is lost
  bool hanging_up = false;
  bool held = false;  // the credit is used up, and only resume() can change that
  std::string why;
  std::deque<Bytes> outbox;  // until the next poll()
  std::size_t backlog = 0;
  Time last_due = kAtOnce;  // of what this end has sent: nothing overtakes it
  std::optional<Time> silent_since;
};

// One node. Everything but `woken` and `waiting` is guarded by the world's mutex.
struct Node {
  explicit Node(Introduction introduction) : self(std::move(introduction)) {}

  bool has_work() const {
    return std::any_of(sessions.begin(), sessions.end(), [](const auto& entry) {
      const End& end = entry.second;
      return end.hanging_up || (!end.outbox.empty() && !end.held);
    });
  }

  Introduction self;
  bool alive = true;
  bool stopped = false;
  bool poll_soon = false;  // somebody stopped or resumed: limits must be looked at
  Counters counters;
  std::uint64_t last_session = 0;
  std::map<SessionId, End> sessions;
  // By the time it is due, then by the order of arrival.
  std::map<std::pair<Time, std::uint64_t>, Event> inbox;
  std::uint64_t arrivals = 0;
  std::set<Address> dialling;                         // told of neither success nor failure yet
  std::map<Address, std::optional<Time>> unanswered;  // dials to stopped nodes, and since when
  std::condition_variable changed;
  // Both seq_cst: wake() stores woken, then reads waiting; wait() stores waiting, then reads woken.
  // At least one of them sees the other's.
  std::atomic<bool> woken{false};
  std::atomic<bool> waiting{false};
};

}  // namespace pp::transport::loopback
