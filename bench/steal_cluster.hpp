// SimCluster: many nodes that steal from each other in virtual time, by the policy that ships.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <vector>

#include "prefetch.hpp"
#include "steal_load.hpp"
#include "thief.hpp"
#include "victim.hpp"

namespace pp::bench {

using runtime::Prefetch;
using runtime::SessionId;
using runtime::Thief;
using runtime::Victim;

// What a round trip lasts decides nothing but how it compares with Prefetch's pause.
inline constexpr std::chrono::nanoseconds kRoundTrip = std::chrono::microseconds(100);

inline std::chrono::nanoseconds round_trips(double times) {
  return std::chrono::nanoseconds(
      static_cast<std::chrono::nanoseconds::rep>(times * static_cast<double>(kRoundTrip.count())));
}
inline double in_round_trips(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) / static_cast<double>(kRoundTrip.count());
}

// What differs from what ships, for comparison.
struct Policy {
  enum class Amount { kHalf, kOne, kChunk };
  Amount amount = Amount::kHalf;  // kHalf: as Victim says
  bool prefetch = true;
  bool hand_over = false;  // who has borrowed jobs lends them on, and tells their owner
};

// The network and the couriers, in round trips.
struct Costs {
  double message = 0.02;  // of a courier's time, to send one or to take one
  double job = 0.005;     // likewise, for each job or result in it
  double dial = 3;        // from the wish to a session over which something may be lent
};

struct Setting {
  std::uint32_t nodes = 128;
  std::uint32_t workers = 1;  // of each
  std::uint64_t seed = 1;
  std::size_t grant = 1024;  // jobs at most in one (the byte budget, for small arguments)
  Costs costs;
  Policy policy;
  Load load;
};

struct Outcome {
  double time = 0;        // from the submission until the last result is home
  double busy = 0;        // work that was done
  double last_first = 0;  // when the last node to begin a job began its first
  std::size_t never = 0;  // nodes that never had one
  std::uint64_t jobs = 0, lent = 0, returned = 0;
  std::uint64_t messages = 0, requests = 0, refusals = 0, redirects = 0, dials = 0;
  bool stuck = false;  // jobs are left and nothing moves any more
};

// A courier does here what Courier::turn() does, with the same Thief, Victim and Prefetch, over the
// sessions that Roster::neighbours_of() names; other sessions are opened when a redirect asks for
// it. Not modelled: what a join waits for (a job's result goes home when its own work is done),
// losses and silence, credits, the wire's bandwidth, and what a node may have borrowed or keep of
// results at most, which nothing here comes near.
class SimCluster {
 public:
  explicit SimCluster(const Setting& setting);

  // Lets idle nodes come to rest, submits, and runs until everything is done.
  Outcome run();

 private:
  using Time = Prefetch::Time;
  using Duration = Prefetch::Duration;
  using Number = std::uint32_t;  // of a node; its SessionId everywhere is one more

  struct Message {
    enum class Kind { kSteal, kGrant, kNone, kRedirect, kReturned, kMoved, kResults, kLoad, kUp };
    Kind kind = Kind::kSteal;
    Number from = 0;
    Number owner = 0;          // kRedirect: ask that one
    std::uint32_t queued = 0;  // the sender's load
    std::uint32_t idle = 0;
    bool waits = false;                    // kRedirect: the request stays
    std::uint32_t workers = 0, wants = 0;  // kSteal
    std::size_t count = 0;                 // kResults, kMoved: so many
    std::vector<SimJob> jobs = {};
  };
  struct Node {
    explicit Node(std::uint64_t seed) : thief(seed) {}
    Thief thief;
    Victim victim;
    Prefetch prefetch;
    std::deque<SimJob> own, borrowed;
    std::set<Number> sessions, dialling;
    std::map<Number, Time> asked;
    std::optional<Number> pointed_to;
    std::map<Number, std::size_t> results;  // not sent yet, by owner
    std::vector<Message> inbox;
    std::vector<Number> refused;            // thieves that have not been told so
    std::map<Number, std::size_t> lent;     // open loans, by borrower
    std::map<Number, std::size_t> open_of;  // borrowed jobs that are here, by owner
    bool recalled_all = false, dial_pointed = false;
    std::uint32_t idle = 0, told = 0;
    std::uint64_t ran = 0;
    Duration busy{0};
    std::size_t low_water = 0;
    bool may_ask = false, waiting_thieves = false, turn_due = false, had_work = false;
    Time courier_free{};
  };
  struct Event {
    enum class Kind { kTurn, kMessage, kJobEnds, kLoads };
    Time at;
    std::uint64_t order = 0;
    Kind kind = Kind::kTurn;
    Number node = 0;
    std::size_t what = 0;  // in messages_ or running_
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Running {
    SimJob job;
    Run run;
  };

  static SessionId session(Number node) { return SessionId{node + 1}; }
  static Number number(SessionId session) {
    return static_cast<Number>(static_cast<std::uint64_t>(session) - 1);
  }

  void after(Duration delay, Event::Kind kind, Number node, std::size_t what = 0);
  void advance();
  // Workers.
  void feed(Number at);
  void job_ends(Number at, std::size_t which);
  static void count_borrowed(Node& node, Number owner, int more);
  // Couriers.
  void wake(Number at);
  void turn(Number at);
  void take(Number at, Message& message);
  void say(Number from, Number to, Message message);
  void connect(Number from, Number to);
  void send_results(Number at);
  void serve_thieves(Number at);
  bool serve(Number at, const Victim::Thief& thief, bool asks_now);
  std::optional<Number> where_more(const Node& node) const;
  bool send_on(Number at, const Victim::Thief& thief);
  void answer_refused(Number at);
  void recall_surplus(Number at);
  std::size_t low_water(const Node& node) const;
  void give_back(Number at, const Victim::Thief& thief, std::size_t most);
  void hand_over(Number at, const Victim::Thief& thief, std::size_t most);
  bool hungry_soon(const Node& node) const;
  void steal(Number at);
  void tell_loads();
  Victim::Stock stock(const Node& node) const;
  static std::uint32_t queued(const Node& node) {
    return static_cast<std::uint32_t>(node.own.size() + node.borrowed.size());
  }

  const Setting setting_;
  std::vector<Node> nodes_;
  std::priority_queue<Event> events_;
  std::uint64_t order_ = 0;
  std::vector<Message> messages_;
  std::vector<Running> running_;
  std::vector<std::size_t> free_messages_, free_running_;
  Time now_{std::chrono::hours(1)};
  Time submitted_{};
  Duration spent_{0};  // of the courier whose turn it is, in this turn
  std::uint64_t left_ = 0;
  std::uint64_t moving_ = 0;  // events that are not kLoads
  Outcome outcome_;
};

}  // namespace pp::bench
