// Finds datagrams that pass for a beacon without the key's seal, or whose words pass their limits
// or change on the way. An input's first byte: 0 is a datagram as it came, 1 a body that is sealed
// first.
#include <algorithm>
#include <cstring>

#include "beacon.hpp"
#include "fixed_random.hpp"
#include "memory.hpp"
#include "promise.hpp"

namespace {

using namespace pp::discovery;
using pp::fuzz::promise;
using Bytes = std::vector<std::byte>;

// The header of beacon.hpp, written down a second time.
constexpr std::size_t kSealAt = 16, kBodyAt = 32;

Bytes without_seal(const Bytes& datagram) {
  Bytes bytes(datagram.size() - (kBodyAt - kSealAt));
  std::copy_n(datagram.begin(), kSealAt, bytes.begin());
  std::copy(datagram.begin() + kBodyAt, datagram.end(), bytes.begin() + kSealAt);
  return bytes;
}

Bytes sealed(std::span<const std::byte> body, const pp::ClusterKey& key, const ClusterId& cluster) {
  Bytes datagram(kBodyAt + body.size());
  std::memcpy(datagram.data(), "ppb1", 4);
  datagram[4] = std::byte{kBeaconVersion};
  datagram[6] = static_cast<std::byte>(body.size() & 0xff);
  datagram[7] = static_cast<std::byte>(body.size() >> 8 & 0xff);
  std::memcpy(datagram.data() + 8, cluster.bytes.data(), cluster.bytes.size());
  std::copy(body.begin(), body.end(), datagram.begin() + kBodyAt);
  const auto seal = key.seal("pp beacon", without_seal(datagram));
  std::memcpy(datagram.data() + kSealAt, seal.data(), seal.size());
  return datagram;
}

void check(const Beacon& beacon) {
  std::size_t text = 0;
  for (const pp::Address& address : beacon.addresses) text += address.to_string().size();
  promise(beacon.name.size() <= kMaxBeaconName && beacon.addresses.size() <= kMaxBeaconAddresses &&
              text <= kMaxAddressText,
          "nothing in a beacon is longer than beacon.capnp allows");
  promise(std::none_of(beacon.name.begin(), beacon.name.end(),
                       [](unsigned char c) { return c < ' ' || c == 0x7f; }),
          "a name is of one line");
  promise(beacon.node != pp::NodeId{}, "somebody says it");
}

void hear(const Bytes& datagram, const pp::ClusterKey& key, const ClusterId& cluster) {
  const pp::fuzz::Memory memory;
  const auto decoded = decode(datagram, key, cluster);
  promise(memory.peak() <= 16 * datagram.size() + 16 * 1024, "memory is bounded by what arrived");
  const auto* beacon = std::get_if<Beacon>(&decoded);
  if (beacon == nullptr) return;
  pp::ClusterKey::Seal seal;
  std::memcpy(seal.data(), datagram.data() + kSealAt, seal.size());
  promise(key.verify("pp beacon", without_seal(datagram), seal), "a beacon is sealed by the key");
  check(*beacon);
  const Bytes again = encode(*beacon, key, cluster);
  promise(again.size() <= kMaxBeacon, "a beacon fits into one packet");
  const auto twice = decode(again, key, cluster);
  promise(std::holds_alternative<Beacon>(twice) && std::get<Beacon>(twice) == *beacon,
          "what is said again is understood in the same way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const pp::ClusterKey key = [] {
    pp::ClusterKey::generate();  // starts libsodium, which draws numbers of its own
    pp::fuzz::fix_random();
    return pp::ClusterKey::generate();
  }();
  static const ClusterId cluster = ClusterId::of(key, "launch", 77);
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const Bytes rest(bytes + 1, bytes + size);
  hear(data[0] % 2 == 0 ? rest : sealed(rest, key, cluster), key, cluster);
  return 0;
}
