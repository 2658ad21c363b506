// Approaches: members whom this node wants a session with, and when it dials them next.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <pp/address.hpp>
#include <pp/discovery.hpp>
#include <pp/node_id.hpp>
#include <pp/transport.hpp>
#include <random>
#include <set>
#include <vector>

namespace pp::discovery {

// As DialPlan for strangers' addresses: a state machine that is told what is wanted and how dials
// ended. All ways to a member are tried one after the other; then it is left alone for a while,
// 100 ms at first and up to 5 s (jittered). Two neighbours want each other at the same moment: the
// one with the smaller NodeId dials, the other one only if that comes to nothing. One thread.
class Approaches {
 public:
  Approaches(std::uint64_t seed, NodeId self) : self_(self), random_(seed) {}

  // Exactly these are neighbours without a session.
  void set_neighbours(const std::vector<NodeId>& nodes, Time now);
  // A session is wanted at once, and not any more after `until`.
  void want(const NodeId& node, Time now, Time until);
  void forget(const NodeId& node);
  // Nobody is wanted any more.
  void forget_wishes() { approaches_.clear(); }
  // Not now: something else must come to its end first.
  void hold(const NodeId& node, Time until);
  // It was heard of again: how earlier dials ended says nothing any more.
  void heard_of(const NodeId& node, Time now);

  // A session is up; one that came up at `since` has ended.
  void up(const NodeId& node);
  void down(const NodeId& node, Time since, Time now);

  // Whom to dial now; next_address() for each says where.
  std::vector<NodeId> due(Time now);
  Time next_due() const;
  // `ways`: all that are known, the most promising first. Counts as under way until it has failed,
  // was refused, or a session is up.
  std::optional<Address> next_address(const NodeId& node, const std::vector<Address>& ways);

  struct Failed {
    NodeId node;
    bool all_ways = false;  // nothing is left to be tried
  };
  // Nothing: it was no dial of ours.
  std::optional<Failed> failed(const Address& address, Time now);
  void refused(const Address& address, transport::RefusalReason reason, Time now);

 private:
  struct Approach {
    bool neighbour = false;
    Time until{};  // wanted for another reason
    Time not_before{};
    std::size_t way = 0;  // the next one to try
    std::size_t ways = 1;
    std::optional<Address> under_way;
  };
  // What earlier dials came to; outlives the approach.
  struct Past {
    unsigned failures = 0;
    Time not_before{};
  };
  std::map<NodeId, Approach>::iterator at(const Address& address);
  void put_off(const NodeId& node, Approach& approach, Time now);
  Approach& wanted(const NodeId& node, Time not_before);

  const NodeId self_;
  std::mt19937_64 random_;
  std::map<NodeId, Approach> approaches_;
  std::map<NodeId, Past> past_;
};

}  // namespace pp::discovery
