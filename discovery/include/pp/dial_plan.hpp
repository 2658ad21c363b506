// DialPlan: which addresses to dial now, and when to look again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <pp/address.hpp>
#include <pp/discovery.hpp>
#include <pp/node_id.hpp>
#include <pp/transport.hpp>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::discovery {

// For strangers: a member that is present is not dialled by this plan, whatever addresses it is
// sighted at. A state machine: it opens nothing and reads no clock. It is told what was sighted and
// how dialling ended. An address that cannot be reached is tried again with exponential back-off
// (100 ms to 5 s, jittered by the seed); one that was only sighted is forgotten after a number of
// failures, one that somebody wrote down never. One thread.
class DialPlan {
 public:
  explicit DialPlan(std::uint64_t seed);
  ~DialPlan();

  // Written down: to be kept.
  void sighted(const Address& address, Time now);
  // Somebody may be there, this node if the source knows; not to be dialled before.
  void sighted(const Address& address, const std::optional<NodeId>& node, Time not_before);

  // `node` is a member, known to be at `remote` (the dialled address if we dialled) and, as it says
  // of itself, at `addresses`. May be said again.
  void up(const NodeId& node, const Address& remote, const std::vector<Address>& addresses);
  // It is none any more: what was written down is due again, at once and then with back-off; the
  // rest is forgotten.
  void down(const NodeId& node, Time now);
  // The same after a goodbye: what was written down is due after the longest pause.
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

#pragma GCC visibility pop
