// Member: what a node knows of another one of its cluster.
#pragma once

#include <chrono>
#include <cstdint>
#include <pp/address.hpp>
#include <pp/node_id.hpp>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

// How a member fares, as far as this node has heard. In the order in which a later one outweighs an
// earlier one of the same incarnation.
enum class MemberState : std::uint8_t {
  kAlive,
  kSuspect,  // nothing was heard of it for longer than the suspect limit; it may still object
  kSilent,   // it has not objected within the dead limit: taken for dead, and taken back if it
             // returns
  kGone,     // its process has ended without a goodbye
  kLeft,     // it said goodbye
};
std::string_view to_string(MemberState state);
// Whether it counts as a member: alive, or suspected and given the chance to object.
inline bool is_present(MemberState state) { return state <= MemberState::kSuspect; }

namespace discovery {

struct Member {
  NodeId node;
  std::string name;
  std::vector<Address> addresses;  // where it can be dialled, the most promising first
  std::uint32_t workers = 0;
  bool driver = false;
  std::string launch;
  // Raised by the node itself and nobody else: when it hears that it is suspected or dead, and when
  // what it says of itself changes. A later incarnation outweighs every word about an earlier one.
  std::uint32_t incarnation = 0;
  MemberState state = MemberState::kAlive;

  friend bool operator==(const Member&, const Member&) = default;
};

// How much a node has to do, as it said last.
struct Load {
  std::uint32_t queued = 0;
  std::uint32_t idle = 0;
  std::uint32_t workers = 0;

  friend bool operator==(const Load&, const Load&) = default;
};

}  // namespace discovery
}  // namespace pp

#pragma GCC visibility pop
