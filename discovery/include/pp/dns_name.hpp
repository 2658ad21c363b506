// DnsName: all addresses behind one name, looked up again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <pp/discovery.hpp>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::discovery {

// A name that stands for all nodes: a headless service, a round robin. Every address behind it is
// sighted at each lookup, and not as lasting: such a name is for addresses that come and go. It is
// looked up every 30 s, and after 1 s, 2 s, 4 s, ... 30 s while that fails; each pause is cut by up
// to half (by the seed). The first failure is noticed, and that it is over.
//
// A lookup may take many seconds, so each has a thread of its own, one at a time. The descriptor
// becomes readable when it has its answer. One that nobody waits for any more is left to end by
// itself: it shares nothing with this but the answer.
class DnsName final : public Discovery {
 public:
  // Answers with all addresses, each with the port of `name`; if there are none, `why` says why. It
  // is called on another thread, and may still be running after the DnsName is gone.
  using Lookup = std::function<std::vector<Address>(const Address& name, std::string& why)>;
  // The system's resolver: IPv4 and IPv6 as far as this host has them.
  static std::vector<Address> ask_system(const Address& name, std::string& why);

  // More than a DNS answer of 64 KiB holds of either kind; the rest of a longer one is passed over.
  static constexpr std::size_t kMostAddresses = 8192;

  // Throws pp::Error when the process has no descriptor left. REQUIRES: the port is not 0.
  DnsName(Address name, std::uint64_t seed, Lookup lookup = ask_system);
  ~DnsName() override;

  void poll(Time now, Listener& listener) override;
  Time next_due(Time now) const override;
  std::vector<int> descriptors() const override;
  void leave() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pp::discovery

#pragma GCC visibility pop
