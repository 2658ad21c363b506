// Thief: decides when this node asks for work, and whom.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <pp/transport.hpp>
#include <random>

namespace pp::runtime {

using transport::SessionId;

// A state machine, used by the courier's thread. One request at most is open per peer; while it is
// unanswered or lies parked at the peer as our lifeline, the peer is not asked again, except after
// word that it has work. Nobody polls: when every peer holds a parked request there is nothing to
// do but wait.
//
// Two requests are under way at a time. One that has no answer for longer than `patience` is
// overdue: its peer is stopped, cut off or dead, and until somebody is sure of that the thief asks
// others in its stead. (The peer itself is not asked again: its answer may still come, and counts.)
class Thief {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `patience`: far more than what an answer takes; the courier says one in its next turn.
  explicit Thief(std::uint64_t seed, Time::duration patience = std::chrono::seconds(1))
      : patience_(patience), random_(seed) {}

  void peer_up(SessionId peer);
  void peer_down(SessionId peer);
  // What it may have granted is void: it is asked anew.
  void link_over(SessionId peer);

  // Whom to ask now, if anybody; counts as asked. Call until it says nobody. REQUIRES: this node is
  // hungry. The last victim that gave first, else the more loaded of two random ones (Mitzenmacher
  // 2001).
  std::optional<SessionId> ask(Time now);
  // Asks this one, on behalf of thieves that wait here for jobs of ours; false if it holds a
  // request of ours.
  bool ask(SessionId peer, Time now);

  // Waits no more for requests that are overdue at `now`. Says when it is to be called again: no
  // other can be overdue before, max() if none is under way.
  Time give_up_overdue(Time now);

  // Whether ask() would name somebody.
  bool may_ask() const;

  // Answers. A refusal parks the request there; a grant or a redirect closes it.
  void granted(SessionId peer);
  void refused(SessionId peer);
  // The peer sent us on to a node that has work: ask that one next. `waits`: our request is parked
  // at the peer all the same.
  void redirected(SessionId peer, std::optional<SessionId> to, bool waits);
  // It was lent jobs of ours, and drops a request of ours that was parked there before.
  void lent(SessionId peer);

  // This one probably has work: ask it next.
  void pointed_to(SessionId peer);

  // Who gave last; and whether it had more, as far as was heard.
  std::optional<SessionId> giver() const { return giver_; }
  bool giver_has_more() const { return giver_ && peers_.at(*giver_).queued > 0; }

  // From grants and heartbeats. A peer that has work and holds a parked request of ours may be
  // asked anew.
  void heard(SessionId peer, std::uint32_t queued);

  // Whether an answer of this peer is under way: who asks a node does not give to it meanwhile. A
  // parked request does not count, or two idle nodes would wait for each other for ever; nor does
  // one that is overdue.
  bool asks(SessionId peer) const;

 private:
  enum class State : std::uint8_t {
    kIdle,     // may be asked
    kAsked,    // the answer is under way
    kOverdue,  // it is not there after a long time
    kParked,   // refused: our request lies there
  };
  struct Peer {
    State state = State::kIdle;
    Time asked{};
    bool lent = false;         // jobs of ours, since it was asked
    std::uint32_t queued = 0;  // the last load heard
  };
  static constexpr int kUnderWay = 2;  // unanswered requests at a time

  void answered(const Peer& peer) {
    if (peer.state == State::kAsked) --under_way_;
  }

  const Time::duration patience_;
  std::map<SessionId, Peer> peers_;
  std::optional<SessionId> giver_;
  std::optional<SessionId> favourite_;  // gave last, or was pointed out to us
  std::minstd_rand random_;
  int under_way_ = 0;
  Time none_overdue_before_ = Time::max();  // no request is overdue before that
};

}  // namespace pp::runtime
