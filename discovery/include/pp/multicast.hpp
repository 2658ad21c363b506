// Multicast: nodes of one network find each other without anybody writing an address down.
#pragma once

#include <cstdint>
#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/discovery.hpp>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::discovery {

struct MulticastOptions {
  std::string group = "239.255.77.80";  // IPv4, administratively scoped (RFC 2365); empty: none
  std::string group6 = "ff02::7070";    // IPv6, of one link only; empty: none
  std::uint16_t port = 7707;            // UDP, shared by all nodes of a host
  // Names. Empty: each that is usable (pp/interfaces.hpp) and can multicast. Loopback only if
  // named.
  std::vector<std::string> interfaces;
  int ttl = 1;         // how many networks it crosses, 1 to 255
  std::string launch;  // with function_table and the key: which cluster this is
  std::uint64_t function_table = 0;
  std::uint64_t seed = 0;  // of all jitter; 0: drawn, so that no two nodes have the same

  // Reads "on", or any of "group=...,group6=...,port=...,interfaces=eth0+eth1,ttl=..." ("group="
  // for none); the others stay as they are above. Throws pp::Error that names the part that is
  // wrong and what was expected.
  static MulticastOptions parse(std::string_view text);
};

// Each datagram that came is counted once, under the first name that fits.
struct BeaconCounters {
  std::uint64_t sent = 0;           // datagrams of ours: one for each interface and family
  std::uint64_t heard = 0;          // valid, and heard for the first time
  std::uint64_t malformed = 0;      // nothing that pp writes
  std::uint64_t other_version = 0;  // of a pp that writes its beacons in another way
  std::uint64_t foreign = 0;        // of another cluster
  std::uint64_t forged = 0;         // says to be of ours, and its seal is wrong
  std::uint64_t own = 0;            // ours came back, as multicast does
  std::uint64_t copies = 0;         // heard before, on another interface or in the other family
  std::uint64_t replayed = 0;       // heard before, or older than what was
  std::uint64_t limited = 0;        // valid, but one address sent too many
};

// Says who we are to a multicast group, and sights who else does (announcer.hpp has the rules). A
// new node is answered within milliseconds; a cluster at rest says a few datagrams a minute,
// whatever its size. Only what a holder of the key has sealed for this launch and program is
// sighted; anything else is counted, and noticed once. One thread; nothing blocks.
//
// Interfaces may come and go: it looks every three seconds (less often where there are hundreds),
// and greets those that are new.
class Multicast final : public Discovery {
 public:
  // Throws pp::Error when not one socket could be opened, with all that was tried and why it
  // failed. An interface that fails beside others is noticed at the first poll().
  Multicast(ClusterKey key, MulticastOptions options);
  ~Multicast() override;

  void poll(Time now, Listener& listener) override;
  Time next_due(Time now) const override;
  std::vector<int> descriptors() const override;
  void introduce(const Self& self) override;
  void leave() override;
  // As in counters(); those of another version count as foreign.
  Ignored ignored() const override;

  BeaconCounters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pp::discovery

#pragma GCC visibility pop
