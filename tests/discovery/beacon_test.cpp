// Beacon's bytes: what comes out is what went in, sealed; anything else has a name.
#include "beacon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

namespace pp::discovery {
namespace {

using Why = NoBeacon::Why;

class Beacons : public testing::Test {
 protected:
  const ClusterKey key = ClusterKey::generate();
  const ClusterId cluster = ClusterId::of(key, "launch", 7);

  static Beacon beacon() {
    Beacon beacon;
    beacon.kind = Beacon::Kind::kHere;
    beacon.node = NodeId::random();
    beacon.incarnation = 3;
    beacon.sequence = 1'000'000'007;
    beacon.name = "node-1:4711";
    beacon.addresses = {{"10.0.0.1", 7001}, {"fd00::1", 7001}, {"node1.example", 7002}};
    beacon.workers = 16;
    return beacon;
  }

  std::optional<Beacon> heard(std::span<const std::byte> datagram) const {
    const auto decoded = decode(datagram, key, cluster);
    const auto* beacon = std::get_if<Beacon>(&decoded);
    return beacon != nullptr ? std::optional(*beacon) : std::nullopt;
  }
  NoBeacon refused(std::span<const std::byte> datagram) const {
    const auto decoded = decode(datagram, key, cluster);
    const auto* refused = std::get_if<NoBeacon>(&decoded);
    if (refused != nullptr) return *refused;
    ADD_FAILURE() << "a beacon was taken";
    return {};
  }
  Why why(std::span<const std::byte> datagram) const { return refused(datagram).why; }
};

TEST_F(Beacons, come_out_as_they_went_in) {
  for (const auto kind : {Beacon::Kind::kHello, Beacon::Kind::kHere, Beacon::Kind::kLeave}) {
    Beacon said = beacon();
    said.kind = kind;
    EXPECT_EQ(heard(encode(said, key, cluster)), said);
  }
}

TEST_F(Beacons, of_a_daemon_are_marked_and_the_mark_is_under_the_seal) {
  Beacon said = beacon();
  said.daemon = true;
  std::vector<std::byte> datagram = encode(said, key, cluster);
  EXPECT_EQ(heard(datagram), said);
  const auto mine = std::as_bytes(std::span("ppb1", 4));
  std::copy(mine.begin(), mine.end(), datagram.begin());
  EXPECT_EQ(why(datagram), Why::kForged);
}

TEST_F(Beacons, of_foreign_daemons_say_so) {
  Beacon said = beacon();
  const ClusterId other = ClusterId::of(key, "another launch", 7);
  EXPECT_FALSE(refused(encode(said, key, other)).daemon);
  said.daemon = true;
  EXPECT_TRUE(refused(encode(said, key, other)).daemon);
}

TEST_F(Beacons, may_be_almost_empty) {
  Beacon said;
  said.node = NodeId::random();
  EXPECT_EQ(heard(encode(said, key, cluster)), said);
}

TEST_F(Beacons, fit_into_one_packet_whatever_they_say) {
  Beacon said = beacon();
  said.name.assign(kMaxBeaconName, 'n');
  said.addresses.assign(kMaxBeaconAddresses, {std::string(104, 'a'), 65535});  // 110 bytes each
  const auto datagram = encode(said, key, cluster);
  EXPECT_LE(datagram.size(), kMaxBeacon);
  EXPECT_EQ(heard(datagram), said);
}

TEST_F(Beacons, leave_out_what_does_not_fit) {
  Beacon said = beacon();
  said.name.assign(200, 'n');
  said.addresses.assign(20, {"10.0.0.1", 7001});
  auto taken = heard(encode(said, key, cluster));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->name, std::string(kMaxBeaconName, 'n'));
  EXPECT_EQ(taken->addresses.size(), kMaxBeaconAddresses);

  said.addresses.assign(8, {std::string(253, 'a'), 65535});
  taken = heard(encode(said, key, cluster));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->addresses.size(), 3u);
}

TEST_F(Beacons, have_names_of_one_line_that_end_with_a_whole_character) {
  Beacon said = beacon();
  said.name = "two\nlines\x7f" + std::string(1, '\0') + "!";
  EXPECT_EQ(heard(encode(said, key, cluster))->name,
            "two?lines?"
            "?!");
  said.name = std::string(kMaxBeaconName - 1, 'n') + "\xc3\xa4";
  EXPECT_EQ(heard(encode(said, key, cluster))->name, std::string(kMaxBeaconName - 1, 'n'));
}

TEST_F(Beacons, of_another_key_launch_or_program_are_foreign) {
  const ClusterKey another_key = ClusterKey::generate();
  for (const ClusterId& other :
       {ClusterId::of(another_key, "launch", 7), ClusterId::of(key, "another", 7),
        ClusterId::of(key, "launch", 8)}) {
    EXPECT_NE(other, cluster);
    const NoBeacon foreign = refused(encode(beacon(), another_key, other));
    EXPECT_EQ(foreign.why, Why::kForeign);
    EXPECT_EQ(foreign.cluster, other);
  }
}

TEST_F(Beacons, of_our_cluster_without_our_key_are_forged) {
  EXPECT_EQ(why(encode(beacon(), ClusterKey::generate(), cluster)), Why::kForged);
}

TEST_F(Beacons, of_another_version_say_which) {
  auto datagram = encode(beacon(), key, cluster);
  datagram[4] = std::byte{2};
  datagram[5] = std::byte{1};
  const NoBeacon other = refused(datagram);
  EXPECT_EQ(other.why, Why::kOtherVersion);
  EXPECT_EQ(other.version, 0x102);
}

TEST_F(Beacons, of_nobody_are_malformed) {
  Beacon said = beacon();
  said.node = {};
  EXPECT_EQ(why(encode(said, key, cluster)), Why::kMalformed);
}

TEST_F(Beacons, with_an_address_that_is_none_are_malformed) {
  Beacon said = beacon();
  said.addresses.push_back({"no host", 1});
  EXPECT_EQ(why(encode(said, key, cluster)), Why::kMalformed);
}

TEST_F(Beacons, are_refused_with_any_bit_flipped) {
  const auto datagram = encode(beacon(), key, cluster);
  const auto expected = [](std::size_t at) {
    if (at < 4) return Why::kMalformed;     // "ppb1"
    if (at < 6) return Why::kOtherVersion;  // version
    if (at < 8) return Why::kMalformed;     // size
    return at < 16 ? Why::kForeign : Why::kForged;
  };
  for (std::size_t bit = 0; bit < 8 * datagram.size(); ++bit) {
    auto flipped = datagram;
    flipped[bit / 8] ^= std::byte{1} << bit % 8;
    ASSERT_EQ(why(flipped), expected(bit / 8)) << "bit " << bit;
  }
}

TEST_F(Beacons, are_malformed_if_they_are_too_short_or_too_long) {
  auto datagram = encode(beacon(), key, cluster);
  for (std::size_t size = 0; size < datagram.size(); ++size)
    ASSERT_EQ(why(std::span(datagram).first(size)), Why::kMalformed) << size;
  datagram.resize(kMaxBeacon + 1);
  EXPECT_EQ(why(datagram), Why::kMalformed);
}

TEST_F(Beacons, are_not_found_in_noise) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::byte> noise(random() % 1400);
    for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
    ASSERT_EQ(why(noise), Why::kMalformed);
  }
}

TEST_F(Beacons, of_one_key_launch_and_program_belong_together) {
  EXPECT_EQ(ClusterId::of(key, "launch", 7), cluster);
  EXPECT_EQ(cluster.to_string().size(), 16u);
  EXPECT_EQ(ClusterId({0x1f, 0x3c, 0, 0, 0, 0, 0, 0xab}).to_string(), "1f3c0000000000ab");
}

}  // namespace
}  // namespace pp::discovery
