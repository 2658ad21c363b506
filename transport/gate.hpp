// Gate: how many strangers may stand at the door, in all and from one place.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <pp/transport.hpp>
#include <string>
#include <vector>

namespace pp::transport {

// Counts accepted connections whose handshake is not finished. An honest stranger is through within
// a few milliseconds; so at most kFresh newcomers are let in at a time and the rest waits in the
// kernel's queue unread. That lets a whole launch dial one node at once from one host without a
// refusal, while silent connections fill up the places of their own address only.
class Gate {
 public:
  static constexpr std::size_t kFresh = 4;
  static constexpr std::chrono::milliseconds kFreshFor{100};

  enum class Entry { kAdmitted, kFull, kSourceFull };

  Gate(std::size_t limit, std::size_t per_source) : limit_(limit), per_source_(per_source) {}

  // False: accept nobody before `until()`, or before somebody leaves.
  bool admits(Time now) const;
  Time until(Time now) const;
  // kAdmitted: the caller leaves later, once, with the same ticket.
  Entry enter(const std::string& source, Time now, std::uint64_t ticket);
  void leave(std::uint64_t ticket);

 private:
  struct Stranger {
    std::uint64_t ticket;
    std::string source;
    Time since;
  };
  std::size_t limit_, per_source_;
  std::vector<Stranger> strangers_;
};

}  // namespace pp::transport
