// Neighbourhood: the nodes of a cluster find each other, know who is there, and keep few sessions.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <pp/discovery.hpp>
#include <pp/member.hpp>
#include <pp/transport.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::discovery {

// Sits between a transport and whoever works with the peers. It takes in what sources sight and
// what members say, decides whom to dial and which sessions to keep, and tells who has joined, who
// is silent and who is gone. It opens no socket and reads no clock: the transport is given, and so
// is the time. One thread.
//
// The caller passes on what its transport's Handler is told, each call first to the Neighbourhood.
class Neighbourhood {
 public:
  struct Limits {
    // A member of which nothing is heard for so long is suspected ...
    std::chrono::milliseconds suspect{1000};
    // ... and taken for dead after so long, unless it objects.
    std::chrono::milliseconds dead{3000};
    // So many others are all kept as neighbours; of more, about log2 of their number.
    std::size_t mesh = 16;
    // A session that is neither a neighbour's nor used for so long is closed.
    std::chrono::milliseconds unused{10'000};
    // What is begun on a session while the two agree to close it is not lost with it. Off only for
    // a simulation that shows what would be.
    bool used_sessions_stay = true;
  };

  class Listener {
   public:
    virtual ~Listener() = default;
    // A node is a member now: new, or taken back.
    virtual void on_joined(const Member& member) = 0;
    // Alive or suspect, or what it says of itself has changed.
    virtual void on_changed(const Member& member) = 0;
    // No member any more: silent, gone or left (Member::state). Every session with it has been
    // abandoned; their on_down follows.
    virtual void on_lost(const Member& member) = 0;
    // One that had left before: its process has ended before its sessions did. What it owed does
    // not come any more.
    virtual void on_ended(const Member& member) = 0;
    // One sentence for people.
    virtual void on_notice(const std::string& sentence) = 0;
    // What this node has to do; told to others.
    virtual Load load() const = 0;
    virtual void on_load(const NodeId& node, const Load& load) = 0;
    // When the caller has last used this session for something; Time::max() while it must not be
    // closed (something is lent over it).
    virtual Time last_used(transport::SessionId session) const = 0;
    // The session is about to be closed because nobody uses it; nothing must be sent on it any
    // more.
    virtual void on_rest(transport::SessionId session) = 0;
  };

  // `transport` and `listener` must outlive it.
  Neighbourhood(transport::Transport& transport, Limits limits, std::uint64_t seed,
                Listener& listener);
  ~Neighbourhood();
  Neighbourhood(const Neighbourhood&) = delete;
  Neighbourhood& operator=(const Neighbourhood&) = delete;

  void add(std::unique_ptr<Discovery> source);

  // ---- from the transport's handler
  void on_up(transport::SessionId session, const transport::Peer& peer, Time now);
  void on_word(transport::SessionId session, std::span<const std::byte> word, Time now);
  void on_down(transport::SessionId session, transport::DownReason reason, Time now);
  void on_dial_failed(const Address& address, transport::DialFailure failure, Time now);
  void on_refused(const transport::Refusal& refusal, Time now);

  // What is due: sources, heartbeats, dials. `readable`: a source's descriptor is, as
  // Transport::wait() said.
  void poll(Time now, bool readable = false);
  Time next_due(Time now) const;

  // A session with this node is wanted soon; if none comes up, nobody is told. It may have left,
  // and this node may be leaving: links outlive sessions then too.
  void connect(const NodeId& node, Time now);
  // Set_workers() was called here.
  void set_workers(std::uint32_t workers, Time now);
  // The peer has said that it leaves: what follows is no surprise.
  void left(const NodeId& node, Time now);
  // This node leaves: says so to everybody, and dials only whom connect() names.
  void leave(Time now);

  std::optional<transport::SessionId> session_of(const NodeId& node) const;
  // Null if it was never heard of.
  const Member* find(const NodeId& node) const;
  // Members that are present, without this node.
  std::size_t present() const;
  std::optional<Clock::duration> round_trip(const NodeId& node) const;
  // Whether it was ever a member.
  bool knows(const NodeId& node) const { return find(node) != nullptr; }

  struct Figures {
    std::uint64_t words_sent = 0, words_heard = 0;
    std::uint64_t suspicions = 0;  // raised by this node
    std::uint64_t objections = 0;  // of this node against suspicions
    std::uint64_t malformed = 0;   // words that are none
    std::size_t sessions = 0;
    unsigned health = 0;
  };
  Figures figures() const;
  // What came to the sources and was not heeded, all of them together.
  Discovery::Ignored ignored() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pp::discovery

#pragma GCC visibility pop
