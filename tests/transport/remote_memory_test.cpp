// Remote memory over the sockets' provider: what one Fabric exposes, another reads without frames.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fabric.hpp"
#include "fabric_pair.hpp"
#include "remote_reader.hpp"

namespace pp::transport {
namespace {

using testing::frame_of;
using testing::Pair;
using testing::read_all;
using testing::some_bytes;

TEST(RemoteMemory, a_blob_is_read_in_pieces_while_frames_go_both_ways) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  ASSERT_EQ(pair.left.why_no_remote_memory(), "");
  const auto blob = some_bytes(5'000'003);
  std::string why;
  const auto exposed = pair.right.expose(blob, why);
  ASSERT_TRUE(exposed) << why;
  EXPECT_EQ(exposed->memory.bytes, blob.size());
  const auto size = [](std::uint64_t number) { return 8 + number * 8 % Fabric::kMaxFrame; };
  testing::Stream rightward{pair.left, pair.to_right, pair.at_right, size, 2000, 64};
  rightward.listen();
  EXPECT_EQ(read_all(pair, exposed->memory, pair.left.longest_read(), [&] { rightward.push(); }),
            blob);
  EXPECT_TRUE(pair.until([&] {
    rightward.push();
    return rightward.done();
  }));
  EXPECT_TRUE(rightward.intact);
  pair.right.withdraw(exposed->id);
  pair.right.withdraw(exposed->id);  // twice is once
}

TEST(RemoteMemory, small_odd_and_unaligned_pieces_are_read_as_they_are) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  const auto blob = some_bytes(70'001);
  std::string why;
  const auto exposed = pair.right.expose(std::span(blob).subspan(1), why);
  ASSERT_TRUE(exposed) << why;
  EXPECT_EQ(read_all(pair, exposed->memory, 777),
            std::vector<std::byte>(blob.begin() + 1, blob.end()));
}

// Catches a key that is a counter, or the same for all.
TEST(RemoteMemory, keys_cannot_be_guessed_and_numbers_are_not_used_again) {
  Fabric fabric(testing::here());
  const auto blob = some_bytes(4096);
  std::map<std::uint64_t, int> keys, high_halves;
  std::map<ExposureId, int> ids;
  std::string why;
  for (int i = 0; i < 100; ++i) {
    const auto exposed = fabric.expose(blob, why);
    ASSERT_TRUE(exposed) << why;
    ++keys[exposed->memory.key];
    ++high_halves[exposed->memory.key >> 32];
    ++ids[exposed->id];
    if (i % 2 == 0) fabric.withdraw(exposed->id);
  }
  EXPECT_EQ(keys.size(), 100u);
  EXPECT_GE(high_halves.size(), 99u);
  EXPECT_EQ(ids.size(), 100u);
}

TEST(RemoteMemory, what_is_withdrawn_cannot_be_read) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  const auto blob = some_bytes(100'000);
  std::string why;
  const auto exposed = pair.right.expose(blob, why);
  ASSERT_TRUE(exposed) << why;
  EXPECT_EQ(read_all(pair, exposed->memory, 100'000), blob);
  pair.right.withdraw(exposed->id);
  bool sent = false;
  EXPECT_TRUE(pair.until([&] {
    if (!sent)
      sent =
          pair.left.read(pair.to_right, exposed->memory.piece(0, 1000), 5) == Fabric::Sent::kSent;
    return !pair.at_left.failed_reads.empty();
  }));
  ASSERT_FALSE(pair.at_left.failed_reads.empty());
  EXPECT_EQ(pair.at_left.failed_reads.front().first, 5u);
  EXPECT_FALSE(pair.at_left.failed_reads.front().second.empty());
}

TEST(RemoteMemory, a_wrong_key_or_too_many_bytes_read_nothing) {
  for (const int fault : {0, 1}) {
    Pair pair;
    ASSERT_TRUE(pair.connect());
    const auto blob = some_bytes(1000);
    std::string why;
    const auto exposed = pair.right.expose(blob, why);
    ASSERT_TRUE(exposed) << why;
    RemoteMemory bad = exposed->memory;
    if (fault == 0) bad.key ^= 1;
    if (fault == 1) bad.bytes = 1001;
    bool sent = false;
    EXPECT_TRUE(pair.until([&] {
      if (!sent) sent = pair.left.read(pair.to_right, bad, 1) == Fabric::Sent::kSent;
      return !pair.at_left.failed_reads.empty() || pair.at_left.pieces > 0;
    }));
    EXPECT_EQ(pair.at_left.pieces, 0u);
  }
}

TEST(RemoteMemory, nothing_is_exposed_for_nothing_and_a_stranger_is_no_peer) {
  Fabric fabric(testing::here());
  std::string why;
  EXPECT_FALSE(fabric.expose({}, why));
  EXPECT_FALSE(why.empty());
  EXPECT_EQ(fabric.read(FabricPeer{77}, {0, 1, 8}, 1), Fabric::Sent::kGone);
}

// One who does not answer holds a share of the buffers, and who is removed is not heard of again.
TEST(RemoteMemory, a_peer_that_does_not_answer_blocks_nobody_else) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  Fabric silent(testing::here());
  testing::Heard at_silent;
  const FabricPeer to_silent = pair.left.add(silent.address());
  const auto blob = some_bytes(500'000);
  std::string why;
  const auto exposed = pair.right.expose(blob, why);
  const auto dead_end = silent.expose(blob, why);
  ASSERT_TRUE(exposed && dead_end) << why;
  std::size_t asked = 0;
  ASSERT_TRUE(pair.until([&] {  // until it is connected
    silent.poll(at_silent);
    if (pair.left.send(to_silent, frame_of(1, 8)) == Fabric::Sent::kSent) ++asked;
    return asked > 0;
  }));
  asked = 0;
  int again = 0;
  while (again < 100) {
    const auto sent = pair.left.read(to_silent, dead_end->memory.piece(0, 1000), asked);
    if (sent == Fabric::Sent::kSent) ++asked;
    if (sent == Fabric::Sent::kAgain) ++again;
    pair.left.poll(pair.at_left);
  }
  EXPECT_GT(asked, 0u);
  EXPECT_EQ(read_all(pair, exposed->memory, 100'000), blob);
  pair.left.remove(to_silent);
  const std::size_t before = pair.at_left.pieces;
  for (int i = 0; i < 1000; ++i) {
    silent.poll(at_silent);
    pair.left.poll(pair.at_left);
  }
  EXPECT_EQ(pair.at_left.pieces, before);
  EXPECT_TRUE(pair.at_left.failed_reads.empty());
}

}  // namespace
}  // namespace pp::transport
