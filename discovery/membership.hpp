// Membership: who is there, who is silent, who is gone; in the manner of SWIM.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <pp/discovery.hpp>
#include <pp/member.hpp>
#include <pp/neighbourhood.hpp>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "gossip.hpp"
#include "roster.hpp"

namespace pp::discovery {

// A state machine after Das, Gupta, Motivala: "SWIM: Scalable Weakly-consistent Infection-style
// Process Group Membership Protocol" (DSN 2002), with suspicion and local health as in Lifeguard
// (Dadgar, Phillips, Currey 2017). What it does each `suspect` limit costs the same in a cluster of
// any size:
//
//   watch      Every member says a heartbeat to its successor in the ring of NodeIds, and watches
//              its predecessor. SWIM's random pings find a silent node after a time that is
//              exponentially distributed; a ring finds it within the limit, for half the messages.
//              Who is suspected watches nobody: whoever stands next does.
//   probe      A silent predecessor is pinged; if it does not answer, a few others are asked to
//              ping it (their way to it may be better than ours). Seldom, a member drawn at random
//              is probed as well: it catches what a ring cannot, and exchanges gossip across it.
//   suspicion  Who answers nobody is suspected, loudly. It objects by raising its incarnation; if
//              it does not within the dead limit, everybody who heard of it takes it for silent.
//   gossip     News is told at once to the successor and a few neighbours drawn at random, who do
//              the same, and rides a few more times in what is said anyway. Who sees that its
//              digest still differs from another's asks it for its roster, a page at a time.
//   health     A node that was not scheduled itself (its own alarm rang late, others say that it is
//              suspected) holds nobody's silence against them, and waits longer.
//
// It knows nodes, not sessions. One thread; the caller looks at next_due().
class Membership {
 public:
  using Limits = Neighbourhood::Limits;

  // What it needs of the world around it. Called from inside the members below.
  class Outside {
   public:
    virtual ~Outside() = default;
    // Over its session; if there is none, one is opened and the word dropped.
    virtual void say(const NodeId& to, const Word& word) = 0;
    virtual bool connected(const NodeId& node) const = 0;
    // Everybody with whom there is a session, sorted.
    virtual std::vector<NodeId> connected() const = 0;
    // Roster's word about a node has changed; `before` is empty for one that was not present.
    virtual void changed(const Member& member, std::optional<MemberState> before) = 0;
    virtual Load load() const = 0;
    // What a node said of its load, and how long it took to answer, if this was an answer.
    virtual void heard_load(const NodeId& node, const Load& load) = 0;
    virtual void answered(const NodeId& node, Clock::duration round_trip) = 0;
  };

  Membership(Member self, Limits limits, std::uint64_t seed, Outside& outside);

  // A session with a proven node is up, and what it said of itself; it is greeted.
  void met(const Member& introduced, Time now);
  void heard(const NodeId& from, const Word& word, Time now);
  // Its process has ended: nobody listens any more where it did.
  void gone(const NodeId& node, Time now);
  // Its session broke, or it cannot be reached: reason enough to ask it, and others.
  void doubt(const NodeId& node, Time now);
  // It said goodbye.
  void left(const NodeId& node, Time now);

  // What this node says of itself has changed.
  void update(std::uint32_t workers, std::vector<Address> addresses, Time now);
  // This node says goodbye to everybody. Who comes later is still made known to the others: that may
  // be all that it ever hears of them.
  void leave();

  void poll(Time now);
  Time next_due() const;

  const Member& self() const { return self_; }
  const Roster& roster() const { return roster_; }
  unsigned health() const {
    return health_;
  }  // 0: good; each point makes limits so many times longer

  struct Figures {
    std::uint64_t suspicions = 0;  // raised by this node
    std::uint64_t objections = 0;  // of this node against suspicions
    std::uint64_t deaths = 0;      // silent, by this node's own clock
    std::uint64_t pages = 0;       // of rosters asked for
  };
  const Figures& figures() const { return figures_; }

 private:
  // A question whether a node lives.
  struct Probe {
    std::uint64_t number = 0;
    Time asked;                       // the last ping
    Time next;                        // what is to be done next is due
    int round = 0;                    // pings so far
    bool alive = false;               // it has said something since
    std::optional<NodeId> on_behalf;  // somebody else wants to know
    std::uint64_t their_number = 0;
  };
  // Its news, and how often they were told. The least told goes first.
  struct Rumours {
    struct Told {
      std::uint32_t times = 0;
      Time since;
    };
    std::unordered_map<NodeId, Told> told;
    std::set<std::pair<std::uint32_t, NodeId>> order;
    std::deque<std::pair<Time, NodeId>> begun;  // in order of time; some have been told anew since
    void start(const NodeId& node, Time now);
    void count(const NodeId& node, std::uint32_t times, std::uint32_t enough);
    void forget(Time before);
  };
  struct Question {  // a roster that we ask for, page by page
    NodeId of;
    NodeId after;
    Time asked;
    int tries = 0;
  };

  Clock::duration scaled(Clock::duration duration) const { return duration * (1 + health_); }
  Word word(Word::Kind kind) const;
  void say(const NodeId& to, Word word);
  void add_news(Word& word, const NodeId& to);
  std::uint32_t enough() const;
  const Member& described(const NodeId& node) const;
  std::vector<NodeId> some_connected(std::size_t most, const NodeId& but);
  void introduce(const Member& newcomer);
  void learn(const Member& rumour, Time now);
  void tell(const NodeId& node, Time now);
  void spread(Time now);
  void object(std::uint32_t incarnation, Time now);
  void answer(const NodeId& from, const Word& word, Time now);
  void note_alive(const NodeId& node, Time now);
  void forgive_all(Clock::duration late, Time now);
  void start_probe(const NodeId& node, Time now, std::optional<NodeId> on_behalf = {},
                   std::uint64_t their_number = 0);
  void run_probes(Time now);
  void next_round(const NodeId& node, Probe& probe, Time now);
  void suspect(const NodeId& node, Time now);
  void run_suspicions(Time now);
  NodeId watchee() const;
  NodeId watcher() const;
  void watch(Time now);
  void heartbeat(Time now);
  void probe_somebody(Time now);
  void compare(const NodeId& from, const Word& word, Time now);
  void ask_for_page(Time now);
  void improve_health() { health_ -= health_ > 0; }
  void impair_health() { health_ += health_ < kWorstHealth; }

  static constexpr unsigned kWorstHealth = 4;

  Member self_;
  const Limits limits_;
  Outside& outside_;
  std::mt19937_64 random_;
  Roster roster_;
  Figures figures_;
  unsigned health_ = 0;
  bool leaving_ = false;

  NodeId watched_;  // the nearest predecessor that is not suspected
  Time watched_heard_{};
  Time next_heartbeat_{};
  Time next_random_probe_{};
  std::vector<NodeId> order_;  // of random probes, a round of everybody
  std::map<NodeId, Probe> probes_;
  std::uint64_t questions_ = 0;
  std::map<NodeId, Time> suspicions_;  // until when they may object
  Rumours rumours_;
  std::set<NodeId> fresh_;  // of these: told to nobody yet
  Time next_spread_{};
  Time roster_changed_{};
  std::optional<Question> question_;
  Time next_question_{};
  Time next_forgetting_{};
};

}  // namespace pp::discovery
