// Roster: merging rumours, and the ring of those who are present.
#include "roster.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "gossip.hpp"

namespace pp::discovery {
namespace {

// Members are believed, but one gone wrong must not fill our memory.
constexpr std::size_t kMostNodes = 65'536;

// Of one member: mixed, so that sums of them are as good as random (splitmix64, Steele et al.
// 2014).
std::uint64_t mark(const NodeId& node, std::uint32_t incarnation) {
  std::uint64_t word = 0;
  std::memcpy(&word, node.bytes.data(), sizeof word);
  word += (std::uint64_t{incarnation} + 1) * 0x9e3779b97f4a7c15;
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
  word = (word ^ word >> 27) * 0x94d049bb133111eb;
  return word ^ word >> 31;
}

bool outweighs(const Member& rumour, const Member& known) {
  if (known.state == MemberState::kLeft)
    return rumour.state == MemberState::kLeft && rumour.incarnation > known.incarnation;
  if (rumour.incarnation != known.incarnation) return rumour.incarnation > known.incarnation;
  return rumour.state > known.state;
}

}  // namespace

Roster::Roster(NodeId self) : self_(self), ring_{self} {}

void Roster::enter_ring(const Member& member) {
  ring_.insert(std::lower_bound(ring_.begin(), ring_.end(), member.node), member.node);
  digest_ += mark(member.node, member.incarnation);
}

void Roster::leave_ring(const Member& member) {
  ring_.erase(std::lower_bound(ring_.begin(), ring_.end(), member.node));
  digest_ -= mark(member.node, member.incarnation);
}

Roster::Merged Roster::merge(const Member& rumour, Time now) {
  const auto found = entries_.find(rumour.node);
  if (found == entries_.end()) {
    if (entries_.size() >= kMostNodes) return Merged::kNothing;
    entries_.emplace(rumour.node, Entry{rumour, now});
    known_.insert(std::lower_bound(known_.begin(), known_.end(), rumour.node), rumour.node);
    if (is_present(rumour.state)) enter_ring(rumour);
    return Merged::kNew;
  }
  Member& known = found->second.member;
  if (!outweighs(rumour, known)) return Merged::kNothing;
  if (is_present(known.state)) leave_ring(known);
  const bool same_state = known.state == rumour.state;
  // Who is said to be dead is described by whoever knew it best.
  const bool described = rumour.incarnation > known.incarnation && !rumour.addresses.empty();
  if (described) {
    known = rumour;
  } else {
    known.incarnation = rumour.incarnation;
    known.state = rumour.state;
  }
  found->second.changed = now;
  if (is_present(known.state)) enter_ring(known);
  return same_state ? Merged::kAgain : Merged::kState;
}

const Member* Roster::find(const NodeId& node) const {
  const auto found = entries_.find(node);
  return found == entries_.end() ? nullptr : &found->second.member;
}

NodeId Roster::successor(std::size_t distance) const {
  const auto self = std::lower_bound(ring_.begin(), ring_.end(), self_);
  return ring_[(static_cast<std::size_t>(self - ring_.begin()) + distance) % ring_.size()];
}

NodeId Roster::predecessor() const { return successor(ring_.size() - 1); }

std::vector<NodeId> Roster::neighbours_of(const NodeId& node, std::size_t mesh) const {
  std::vector<NodeId> all;
  const auto place = std::lower_bound(ring_.begin(), ring_.end(), node);
  if (place == ring_.end() || *place != node) return all;
  const auto index = static_cast<std::size_t>(place - ring_.begin());
  const std::size_t others = ring_.size() - 1;
  for (std::size_t distance = 1; distance <= others;
       distance = others <= mesh ? distance + 1 : distance * 2) {
    all.push_back(ring_[(index + distance) % ring_.size()]);
  }
  return all;
}

bool Roster::are_neighbours(const NodeId& one, const NodeId& other, std::size_t mesh) const {
  const auto first = std::lower_bound(ring_.begin(), ring_.end(), one);
  const auto second = std::lower_bound(ring_.begin(), ring_.end(), other);
  if (first == ring_.end() || *first != one || second == ring_.end() || *second != other)
    return false;
  if (ring_.size() - 1 <= mesh) return first != second;
  // The one way round or the other.
  const auto there = static_cast<std::size_t>(std::abs(second - first));
  return std::has_single_bit(there) || std::has_single_bit(ring_.size() - there);
}

std::uint64_t Roster::digest(std::uint32_t own) const { return digest_ + mark(self_, own); }

std::vector<Member> Roster::page(const NodeId& after, std::size_t room, bool& last) const {
  std::vector<Member> members;
  std::size_t used = 0;
  auto next = std::upper_bound(known_.begin(), known_.end(), after);
  for (; next != known_.end() && members.size() < kMostNews; ++next) {
    const Member& member = entries_.at(*next).member;
    used += size_of(member);
    if (used > room && !members.empty()) break;
    members.push_back(member);
  }
  last = next == known_.end();
  return members;
}

void Roster::forget(Time before) {
  const auto dropped = std::erase_if(entries_, [&](const auto& each) {
    return !is_present(each.second.member.state) && each.second.changed < before;
  });
  if (dropped == 0) return;
  std::erase_if(known_, [this](const NodeId& node) { return !entries_.contains(node); });
}

}  // namespace pp::discovery
