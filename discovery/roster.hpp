// Roster: the nodes heard of, and which word about each of them counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <pp/discovery.hpp>
#include <pp/member.hpp>
#include <unordered_map>
#include <vector>

namespace pp::discovery {

// Knows what was said, not by whom. A value with rules: it opens no socket and reads no clock. The
// node itself is not in it, but stands in the ring.
class Roster {
 public:
  explicit Roster(NodeId self);

  // What a rumour has changed.
  enum class Merged {
    kNothing,  // known, or outdated
    kNew,    // a node that was not heard of before; if it is not present, there is nothing to tell
    kState,  // it is in another state
    kAgain,  // the same state, a later incarnation: it has objected, or says something else of
             // itself
  };
  // A later incarnation outweighs an earlier one, a graver state of the same incarnation a lighter
  // one, and a goodbye is final.
  Merged merge(const Member& rumour, Time now);

  const Member* find(const NodeId& node) const;
  // In order of NodeId.
  template <class Visit>
  void each(Visit visit) const {
    for (const NodeId& node : known_) visit(entries_.at(node).member);
  }

  // Of the members present, and this node, sorted.
  const std::vector<NodeId>& ring() const { return ring_; }
  // The one that stands `distance` places after this node; this node itself if it is alone.
  NodeId successor(std::size_t distance) const;
  NodeId predecessor() const;
  // Whom this node keeps sessions with: everybody in a ring of at most `mesh` others; else those at
  // the distances 1, 2, 4, ... (protocol.md rule 11): any two nodes are then as many steps apart as
  // the number of members has bits, and every change moves few of them.
  std::vector<NodeId> neighbours(std::size_t mesh) const { return neighbours_of(self_, mesh); }
  std::vector<NodeId> neighbours_of(const NodeId& node, std::size_t mesh) const;
  // Whether one of the two is a neighbour of the other.
  bool are_neighbours(const NodeId& one, const NodeId& other, std::size_t mesh) const;

  // The same for two nodes that know the same members in the same incarnations; `own` is ours.
  std::uint64_t digest(std::uint32_t own) const;

  // Up to `room` bytes of members in order of NodeId, of those greater than `after`, those not
  // present included. `last`: nothing follows.
  std::vector<Member> page(const NodeId& after, std::size_t room, bool& last) const;

  // Drops what is not present and was last heard of before `before`.
  void forget(Time before);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Member member;
    Time changed;
  };
  void enter_ring(const Member& member);
  void leave_ring(const Member& member);

  const NodeId self_;
  // Looked into for every piece of news, of which there are many and few of them new.
  std::unordered_map<NodeId, Entry> entries_;
  std::vector<NodeId> known_;  // the keys of these, sorted
  std::vector<NodeId> ring_;
  std::uint64_t digest_ = 0;  // of the others
};

}  // namespace pp::discovery
