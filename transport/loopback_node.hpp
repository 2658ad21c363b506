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
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace pp::transport::loopback {

// What a stopped node's peers can have in flight towards it, as the credits of the real transport.
inline constexpr std::size_t kCredit = 64;
inline constexpr std::size_t kMostWords = 64;
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
  DialFailure failure{};
  std::string why;
};
struct Word {
  Bytes bytes;
};

// Something that a node's handler will be told when it is due.
struct Event {
  SessionId session{};
  std::variant<Up, Bytes, Word, Down, DialFailed, Refusal> what;
};

struct Node;

// One node's end of a session.
struct End {
  Node* other = nullptr;
  SessionId theirs{};
  bool dialled = false;
  bool severed = false;  // the other end is gone and on_down on its way: what is sent is lost
  bool hanging_up = false;
  bool abandoned = false;  // likewise, but without a goodbye
  bool held = false;       // the credit is used up, and only resume() can change that
  std::string why;
  std::deque<Bytes> outbox;  // until the next poll()
  std::vector<Bytes> words;  // likewise
  std::size_t backlog = 0;
  Time last_due = kAtOnce;  // of what this end has sent: nothing overtakes it
  std::optional<Time> silent_since;
};

// One node. Everything but `woken` and `waiting` is guarded by the world's mutex.
struct Node {
  explicit Node(Introduction introduction) : self(std::move(introduction)) {}

  bool has_work() const {
    return std::any_of(busy.begin(), busy.end(), [this](SessionId session) {
      const End& end = sessions.at(session);
      return end.hanging_up || !end.words.empty() || (!end.outbox.empty() && !end.held);
    });
  }
  // Everything that ends a session's entry passes here.
  auto erase(std::map<SessionId, End>::iterator session) {
    const auto live = live_with.find(session->second.other);
    if (live != live_with.end() && live->second == session->first) live_with.erase(live);
    busy.erase(session->first);
    silent.erase(session->first);
    return sessions.erase(session);
  }

  Introduction self;
  std::size_t index = 0;  // in the world's order
  bool alive = true;
  bool stopped = false;
  bool stirred = false;    // in the world's list of them
  bool poll_soon = false;  // somebody stopped or resumed: limits must be looked at
  Counters counters;
  std::uint64_t last_session = 0;
  std::map<SessionId, End> sessions;
  // Of these, so that a poll() costs what there is to do and not what there is: those with something
  // for the next flush(), and those with an unfinished silent_since.
  std::set<SessionId> busy;
  std::set<SessionId> silent;
  std::unordered_map<const Node*, SessionId> live_with;  // those that are not severed: one a peer
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
