// Wires and processes of a SimNetwork: what its parts have in common.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "network.hpp"

namespace pp::simulation {

using transport::Introduction;
using transport::Peer;
using transport::Refusal;

// What goes through one direction of a session.
struct Packet {
  enum class Kind { kUp, kMessage, kEnd };
  Kind kind = Kind::kMessage;
  std::vector<std::byte> message{};
  DownReason reason{};  // of kEnd, for who hears it
  std::string why{};
  Time due{};
};

struct NetworkEvent {
  struct Up {
    Peer peer;
  };
  struct Word {
    std::vector<std::byte> bytes;
  };
  struct Down {
    DownReason reason;
    std::string why;
  };
  struct DialFailed {
    Address address;
    DialFailure failure;
    std::string why;
  };
  SessionId session{};
  std::variant<Up, std::vector<std::byte>, Word, Down, DialFailed, Refusal> what;
};

struct SimNetwork::Wire {
  struct End {
    enum class State {
      kNone,     // it has not heard of the session yet
      kUp,       // proven; the handler has been or will be told
      kLeaving,  // it has hung up; the handler waits for the end
      kOver,     // the handler has been or will be told
    };
    Process* process = nullptr;
    SessionId id{};
    State state = State::kNone;
    bool down_due = false;  // the end is in its inbox
    bool dialled = false;
    std::deque<Bytes> outbox;
    std::vector<Bytes> words;
    std::size_t backlog = 0;
    Time waiting_since = Time::max();  // data went out, and nothing was heard since
    bool watched = false;              // look_for_silence() is on the agenda
  };
  // From the end with the same index to the other one.
  struct Way {
    std::deque<Packet> under_way;
    Time last_due{};
    bool ended = false;       // an end is under way or has arrived: nothing follows
    bool scheduled = false;   // arrive() is on the agenda
    bool silent_ack = false;  // the other side has taken data, and a cut keeps it from saying so
    std::size_t unread = 0;   // messages that arrived and were not handed over
    std::size_t unread_bytes = 0;
    std::size_t moving = 0, moving_bytes = 0;  // in under_way
  };
  End ends[2];
  Way ways[2];
};

struct SimNetwork::Process {
  std::size_t index = 0;
  std::size_t machine = 0;
  Introduction self;
  std::function<void()> call;
  bool alive = true;
  bool stopped = false;
  bool stirred = false;
  std::deque<NetworkEvent> inbox;
  struct Place {
    std::uint32_t wire;
    unsigned side;
  };
  std::map<SessionId, Place> sessions;
  std::map<NodeId, SessionId> by_node;
  std::set<SessionId> busy;                 // with something for the next flush()
  std::map<Address, std::size_t> dialling;  // to which machine
  struct Haste {
    Time last = Time::min();
    int times = 0;  // in a row
  };
  std::map<Address, Haste> dialled;
  std::set<SessionId> unnoticed;  // silent, found out while it was stopped
  std::uint64_t last_session = 0;
  transport::Counters counters;
};

struct SimNetwork::Dial {
  std::size_t from = 0;
  std::size_t to = 0;  // the process, once it was reached
  std::size_t machine = 0;
  Address address;
  Time begun;
};

}  // namespace pp::simulation
