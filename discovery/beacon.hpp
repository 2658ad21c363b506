// Beacon: the sealed datagram in which a node says to everybody that it is there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <pp/address.hpp>
#include <pp/cluster_key.hpp>
#include <pp/node_id.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pp::discovery {

// On the wire: 32 bytes in the clear, then beacon.capnp.
//
//    0   4   "ppb1" of a node, "ppd1" of a node daemon, "ppq1" of who looks for one
//    4   2   version           little endian
//    6   2   size of the body  little endian, in bytes
//    8   8   cluster id
//   16  16   seal              over bytes 0 to 15 and the body
//   32       body
//
// A reader goes through it from the top and stops at the first thing that is not as it should be:
// Cap'n Proto sees nothing that somebody without the key has written.
struct Beacon {
  enum class Kind : std::uint16_t {
    kHello,  // just started, or new on this network: answer me
    kHere,   // an answer, or the slow repetition
    kLeave,  // about to go
  };

  Kind kind = Kind::kHello;
  NodeId node;
  std::uint32_t incarnation = 0;
  std::uint64_t sequence = 0;  // grows with each beacon of this process life
  std::string name;
  std::vector<Address> addresses;  // the most promising first
  std::uint32_t workers = 0;
  bool daemon = false;  // of a node daemon (ppd), or of who looks for one: no node of a launch
  bool seeks = false;   // of who looks for one

  friend bool operator==(const Beacon&, const Beacon&) = default;
};

inline constexpr std::uint16_t kBeaconVersion = 1;
// Whole, so that no network on the way cuts it in pieces: IPv6 carries 1280 bytes everywhere.
inline constexpr std::size_t kMaxBeacon = 1200;
inline constexpr std::size_t kMaxBeaconName = 64, kMaxBeaconAddresses = 8;
// All addresses of a beacon together, as text.
inline constexpr std::size_t kMaxAddressText = 880;

// Which cluster a beacon is for. Computed under the key, so that it tells a stranger nothing;
// another key, launch or program makes another one.
struct ClusterId {
  std::array<std::uint8_t, 8> bytes{};

  static ClusterId of(const ClusterKey& key, std::string_view launch, std::uint64_t function_table);
  // 16 hexadecimal digits.
  std::string to_string() const;

  friend auto operator<=>(const ClusterId&, const ClusterId&) = default;
};

// Why bytes are no beacon of this cluster.
struct NoBeacon {
  enum class Why {
    kMalformed,     // nothing that this program writes
    kOtherVersion,  // of a pp that writes its beacons in another way
    kForeign,       // of another cluster: another key, launch or program
    kForged,        // says to be of this cluster, and its seal is wrong
  };

  Why why{};
  std::uint16_t version = 0;  // kOtherVersion: which
  ClusterId cluster;          // kForeign: which
  bool daemon = false;        // kForeign: of daemons
  bool seeks = false;         // kForeign: of who looks for one
};

// At most kMaxBeacon bytes. What does not fit is left out: the end of a long name, the last of many
// addresses.
std::vector<std::byte> encode(const Beacon& beacon, const ClusterKey& key,
                              const ClusterId& cluster);

// A Beacon only if a holder of `key` sealed it for `cluster` and all in it is within its limits.
std::variant<Beacon, NoBeacon> decode(std::span<const std::byte> datagram, const ClusterKey& key,
                                      const ClusterId& cluster);

}  // namespace pp::discovery
