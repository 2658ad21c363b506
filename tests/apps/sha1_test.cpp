// SHA-1 by both ways against the known digests of FIPS 180, and children against whole messages.
#include "sha1.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace uts {
namespace {

std::string hex(const State& state) {
  std::string text;
  for (std::uint32_t number : state) {
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[number >> shift & 15];
  }
  return text;
}

std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

class Sha1Ways : public testing::TestWithParam<Sha1> {
 protected:
  void SetUp() override {
    if (!available(GetParam())) GTEST_SKIP() << "not on this processor: " << name(GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Both, Sha1Ways, testing::Values(Sha1::kPortable, Sha1::kInstructions),
                         [](const testing::TestParamInfo<Sha1>& way) {
                           return way.param == Sha1::kPortable ? "portable" : "instructions";
                         });

TEST_P(Sha1Ways, give_the_digests_of_the_standard) {
  EXPECT_EQ(hex(digest(GetParam(), "")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex(digest(GetParam(), "abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(digest(GetParam(), "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex(digest(GetParam(), std::string(1'000'000, 'a'))),
            "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST_P(Sha1Ways, agree_where_the_padding_needs_another_block) {
  for (std::size_t length = 0; length <= 130; ++length) {
    const std::string message(length, 'x');
    EXPECT_EQ(digest(GetParam(), message), digest(Sha1::kPortable, message)) << length;
  }
}

TEST_P(Sha1Ways, hash_children_as_messages_of_parent_and_number) {
  const State parent = digest(Sha1::kPortable, "parent");
  std::string bytes;
  for (std::uint32_t number : parent) bytes += big_endian(number);

  for (const std::uint32_t first : {0u, 1u, 100u, 0xfffffff0u}) {
    for (std::size_t count = 0; count <= 9; ++count) {
      std::vector<State> children(count + 1, State{});
      hash_children(GetParam(), parent, first, {children.data(), count});
      for (std::uint32_t i = 0; i < count; ++i) {
        EXPECT_EQ(children[i], digest(Sha1::kPortable, bytes + big_endian(first + i)));
      }
      EXPECT_EQ(children[count], State{}) << "wrote behind the last child";
    }
  }
}

TEST_P(Sha1Ways, repeating_a_hash_changes_nothing) {
  const State parent = digest(Sha1::kPortable, "parent");
  std::vector<State> once(7), often(7);
  hash_children(GetParam(), parent, 0, once);
  hash_children(GetParam(), parent, 0, often, 5);
  EXPECT_EQ(once, often);
}

TEST(Sha1, the_fastest_way_is_available) {
  EXPECT_TRUE(available(Sha1::kPortable));
  EXPECT_TRUE(available(fastest()));
}

}  // namespace
}  // namespace uts
