// StrictProvider: what network cards ask of their users, asked without one, over real sockets.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "libfabric.hpp"

namespace pp::transport::testing {

// A provider as fi_getinfo describes it. The defaults ask for nothing.
struct Personality {
  std::string name = "strict";
  int mr_mode = 0;         // FI_MR_*: all that it says is enforced
  std::uint64_t mode = 0;  // FI_MSG_PREFIX and the like: only told
  std::size_t inject = 64, longest = std::size_t{1} << 30;
  std::size_t sends = 2048, receives = 2048;  // under way at a time
  std::size_t registrations = 0;              // at a time; 0: any
  std::size_t key_bytes = 8;                  // of keys that the user chooses
  enum class Wait { kDescriptor, kRefused, kOpensWithoutDescriptor };
  Wait wait = Wait::kDescriptor;
  bool multi_recv = true, remote_memory = true, in_order = true;
  bool own_addresses = false;         // 32 bytes of a kind of its own, not bound to an interface
  bool addresses_by_pointer = false;  // FI_AV_MAP
  int registering_fails = 0;          // with this code of libfabric's, or 0: never
  bool card = true, link_up = true;
  std::size_t speed = 0;

  friend std::ostream& operator<<(std::ostream& out, const Personality& p) { return out << p.name; }
};

// Stands in front of the system's libfabric: hands out objects with tables of operations of its own
// that check, and pass on to tcp;ofi_rxm. What its user does wrong fails as it would there, and is
// written down. REQUIRES: one at a time, one thread, and all Fabrics end before it.
class StrictProvider {
 public:
  // Offers these, and after them the sockets of the system if asked to.
  explicit StrictProvider(std::vector<Personality> offered, bool sockets_too = false);
  ~StrictProvider();
  StrictProvider(const StrictProvider&) = delete;
  StrictProvider& operator=(const StrictProvider&) = delete;

  const Libfabric& library() const { return table_; }
  std::vector<std::string> violations;  // of the rules of fi_mr(3), fi_endpoint(3), fi_cq(3)

  // Seen, so that a test can tell that a rule was put to the test.
  std::size_t registered = 0, injected = 0, sent = 0, read = 0, full = 0;

 private:
  friend struct Strict;
  std::vector<Personality> offered_;
  bool sockets_too_;
  Libfabric table_;
};

// What is known of the large ones, from their manuals.
Personality verbs_like();
Personality efa_like();
Personality cxi_like();

}  // namespace pp::transport::testing
