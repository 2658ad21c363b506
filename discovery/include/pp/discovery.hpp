// Discovery: who is out there, and at what address; sources that tell of addresses behind one
// interface.
#pragma once

#include <chrono>
#include <pp/address.hpp>
#include <vector>

namespace pp::discovery {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

// A source of addresses: a fixed list, later multicast, a hosts file, a DNS name. One thread.
class Discovery {
 public:
  virtual ~Discovery() = default;
  // Addresses sighted since the last call. Does not block.
  virtual std::vector<Address> poll(Time now) = 0;
  // When poll() may have something at the latest; Time::max() for never again.
  virtual Time next_due(Time now) const = 0;
};

// Addresses that somebody wrote down (PP_PEERS): all of them at the first poll, nothing afterwards.
class FixedList final : public Discovery {
 public:
  explicit FixedList(std::vector<Address> addresses);
  std::vector<Address> poll(Time now) override;
  Time next_due(Time now) const override;

 private:
  std::vector<Address> addresses_;
  bool told_ = false;
};

}  // namespace pp::discovery
