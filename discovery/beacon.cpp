// Beacon's words on the wire: a header that is checked byte by byte, then Cap'n Proto under a seal.
#include "beacon.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <pp/error.hpp>

#include "beacon.capnp.h"

namespace pp::discovery {
namespace {

constexpr char kMagic[4] = {'p', 'p', 'b', '1'}, kDaemonMagic[4] = {'p', 'p', 'd', '1'},
               kSeekerMagic[4] = {'p', 'p', 'q', '1'};
constexpr std::size_t kVersionAt = 4, kSizeAt = 6, kClusterAt = 8, kSealAt = 16, kBodyAt = 32;
constexpr std::string_view kBeaconPurpose = "pp beacon", kClusterPurpose = "pp cluster id";

// The longest body: table of segments, root, three words of numbers, three pointers, node, name,
// pointers to the addresses; each text with a terminator and padding.
constexpr std::size_t kMaxBody =
    8 + 8 + 24 + 24 + 16 + (kMaxBeaconName + 8) + kMaxBeaconAddresses * (8 + 8) + kMaxAddressText;
static_assert(kBodyAt + kMaxBody <= kMaxBeacon);

std::uint16_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) |
                                    std::to_integer<unsigned>(bytes[at + 1]) << 8);
}

void put_number(std::span<std::byte> bytes, std::size_t at, std::size_t number) {
  bytes[at] = static_cast<std::byte>(number & 0xff);
  bytes[at + 1] = static_cast<std::byte>(number >> 8 & 0xff);
}

// What the seal is computed from. REQUIRES: at least a header.
std::vector<std::byte> without_seal(std::span<const std::byte> datagram) {
  std::vector<std::byte> bytes(datagram.size() - (kBodyAt - kSealAt));
  std::memcpy(bytes.data(), datagram.data(), kSealAt);
  std::memcpy(bytes.data() + kSealAt, datagram.data() + kBodyAt, datagram.size() - kBodyAt);
  return bytes;
}

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

// A name that its readers do not refuse: of one line, and cut between two characters of UTF-8.
std::string one_line(std::string_view text) {
  std::size_t size = std::min(text.size(), kMaxBeaconName);
  const auto continues = [text](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  while (size > 0 && size < text.size() && continues(size)) --size;
  std::string line(text.substr(0, size));
  std::replace_if(line.begin(), line.end(), is_control, '?');
  return line;
}

std::vector<std::string> those_that_fit(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  std::size_t size = 0;
  for (const Address& address : addresses) {
    std::string text = address.to_string();
    if (texts.size() == kMaxBeaconAddresses || size + text.size() > kMaxAddressText) break;
    size += text.size();
    texts.push_back(std::move(text));
  }
  return texts;
}

std::optional<Beacon::Kind> kind_of(schema::Kind kind) {
  switch (kind) {
    case schema::Kind::HELLO:
      return Beacon::Kind::kHello;
    case schema::Kind::HERE:
      return Beacon::Kind::kHere;
    case schema::Kind::LEAVE:
      return Beacon::Kind::kLeave;
  }
  return std::nullopt;  // a number that the schema does not name
}

// Nothing if it is longer than `limit`, or not of one line.
std::optional<std::string> read(capnp::Text::Reader in, std::size_t limit) {
  if (in.size() > limit || std::any_of(in.begin(), in.end(), is_control)) return std::nullopt;
  return std::string(in.cStr(), in.size());
}

std::optional<Beacon> read(schema::Beacon::Reader in) {
  Beacon beacon;
  const auto kind = kind_of(in.getKind());
  if (!kind || in.getNode().size() != beacon.node.bytes.size()) return std::nullopt;
  beacon.kind = *kind;
  std::memcpy(beacon.node.bytes.data(), in.getNode().begin(), beacon.node.bytes.size());
  if (beacon.node == NodeId{}) return std::nullopt;
  beacon.incarnation = in.getIncarnation();
  beacon.sequence = in.getSequence();
  beacon.workers = in.getWorkers();
  auto name = read(in.getName(), kMaxBeaconName);
  if (!name || in.getAddresses().size() > kMaxBeaconAddresses) return std::nullopt;
  beacon.name = std::move(*name);
  std::size_t left = kMaxAddressText;
  for (const auto text : in.getAddresses()) {
    const auto address = read(text, left);
    if (!address) return std::nullopt;
    left -= address->size();
    beacon.addresses.push_back(Address::parse(*address));
  }
  return beacon;
}

// REQUIRES: the seal is verified. What Cap'n Proto or Address object to is no beacon.
std::optional<Beacon> read_body(std::span<const std::byte> body) {
  capnp::word words[kMaxBody / sizeof(capnp::word)] = {};
  if (body.size() > sizeof words || body.size() % sizeof(capnp::word) != 0) return std::nullopt;
  std::memcpy(words, body.data(), body.size());
  try {
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(words, body.size() / sizeof(capnp::word)));
    return read(reader.getRoot<schema::Beacon>());
  } catch (const kj::Exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

kj::Array<capnp::word> body_of(const Beacon& beacon) {
  capnp::word scratch[kMaxBody / sizeof(capnp::word)] = {};
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch, std::size(scratch)));
  auto out = message.initRoot<schema::Beacon>();
  out.setKind(static_cast<schema::Kind>(beacon.kind));
  out.setNode(kj::arrayPtr(beacon.node.bytes.data(), beacon.node.bytes.size()));
  out.setIncarnation(beacon.incarnation);
  out.setSequence(beacon.sequence);
  out.setName(one_line(beacon.name).c_str());
  const std::vector<std::string> texts = those_that_fit(beacon.addresses);
  auto addresses = out.initAddresses(static_cast<unsigned>(texts.size()));
  for (unsigned i = 0; i < addresses.size(); ++i) addresses.set(i, texts[i].c_str());
  out.setWorkers(beacon.workers);
  return capnp::messageToFlatArray(message);
}

}  // namespace

ClusterId ClusterId::of(const ClusterKey& key, std::string_view launch,
                        std::uint64_t function_table) {
  std::string text(launch);
  for (int shift = 0; shift < 64; shift += 8)
    text.push_back(static_cast<char>(function_table >> shift & 0xff));
  const ClusterKey::Seal seal = key.seal(kClusterPurpose, std::as_bytes(std::span(text)));
  ClusterId id;
  std::copy_n(seal.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

std::string ClusterId::to_string() const {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::vector<std::byte> encode(const Beacon& beacon, const ClusterKey& key,
                              const ClusterId& cluster) {
  const kj::Array<capnp::word> words = body_of(beacon);
  const auto body = words.asBytes();
  std::vector<std::byte> datagram(kBodyAt + body.size());
  std::memcpy(datagram.data(),
              beacon.seeks    ? kSeekerMagic
              : beacon.daemon ? kDaemonMagic
                              : kMagic,
              sizeof kMagic);
  put_number(datagram, kVersionAt, kBeaconVersion);
  put_number(datagram, kSizeAt, body.size());
  std::memcpy(datagram.data() + kClusterAt, cluster.bytes.data(), cluster.bytes.size());
  std::memcpy(datagram.data() + kBodyAt, body.begin(), body.size());
  const ClusterKey::Seal seal = key.seal(kBeaconPurpose, without_seal(datagram));
  std::memcpy(datagram.data() + kSealAt, seal.data(), seal.size());
  return datagram;
}

std::variant<Beacon, NoBeacon> decode(std::span<const std::byte> datagram, const ClusterKey& key,
                                      const ClusterId& cluster) {
  using enum NoBeacon::Why;
  if (datagram.size() < kBodyAt || datagram.size() > kMaxBeacon) return NoBeacon{kMalformed, 0, {}};
  const bool seeks = std::memcmp(datagram.data(), kSeekerMagic, sizeof kSeekerMagic) == 0;
  const bool daemon = seeks || std::memcmp(datagram.data(), kDaemonMagic, sizeof kDaemonMagic) == 0;
  if (!daemon && std::memcmp(datagram.data(), kMagic, sizeof kMagic) != 0)
    return NoBeacon{kMalformed, 0, {}};
  const std::uint16_t version = number_at(datagram, kVersionAt);
  if (version != kBeaconVersion) return NoBeacon{kOtherVersion, version, {}};
  if (number_at(datagram, kSizeAt) != datagram.size() - kBodyAt) return NoBeacon{kMalformed, 0, {}};
  ClusterId named;
  std::memcpy(named.bytes.data(), datagram.data() + kClusterAt, named.bytes.size());
  if (named != cluster) return NoBeacon{kForeign, 0, named, daemon, seeks};
  ClusterKey::Seal seal;
  std::memcpy(seal.data(), datagram.data() + kSealAt, seal.size());
  if (!key.verify(kBeaconPurpose, without_seal(datagram), seal)) return NoBeacon{kForged, 0, {}};
  if (auto beacon = read_body(datagram.subspan(kBodyAt))) {
    beacon->daemon = daemon;
    beacon->seeks = seeks;
    return std::move(*beacon);
  }
  return NoBeacon{kMalformed, 0, {}};
}

}  // namespace pp::discovery
