// DialPlan: which addresses to dial now, and when to look again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <pp/address.hpp>
#include <pp/discovery.hpp>
#include <pp/node_id.hpp>
#include <pp/transport.hpp>
#include <vector>

namespace pp::discovery {

// A state machine: it opens nothing and reads no clock. It is told what was sighted and how
// dialling ended, and never names a node that has a session. An address that cannot be reached is
// tried again with exponential back-off (100 ms to 5 s, jittered by the seed); one that came by
// gossip is forgotten after a number of failures, one from a source never. One thread.
class DialPlan {
 public:
  explicit DialPlan(std::uint64_t seed);
  ~DialPlan();

  // From a source: to be kept.
  void sighted(const Address& address, Time now);
  // From gossip: this node is said to be there.
  void sighted(const Address& address, const NodeId& node, Time now);

  // A session came up with `node`; `remote` is the other end (the dialled address if we dialled),
  // `addresses` what it says of itself.
  void up(const NodeId& node, const Address& remote, const std::vector<Address>& addresses);
  // Its session ended: its addresses are due again, at once and then with back-off.
  void down(const NodeId& node, Time now);
  // Its session ended with a goodbye: addresses that came by gossip are forgotten, others are due
  // again after the longest pause.
  void left(const NodeId& node, Time now);
  // A dial came to nothing.
  void failed(const Address& address, Time now);
  // A dial was refused. kSelf: never again. kDuplicate: there is a session already. Others: seldom,
  // the other side may be mended.
  void refused(const Address& address, transport::RefusalReason reason, Time now);

  // Addresses to dial now; each counts as under way until up(), failed() or refused() (or a minute
  // has passed).
  std::vector<Address> due(Time now);
  // When due() may name somebody again at the earliest; Time::max() if nobody is known.
  Time next_due(Time now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pp::discovery
