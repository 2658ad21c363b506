// SealedChannel: a frame opens once, in order, at its receiver, or not at all.
#include "channel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace pp::transport {
namespace {

using Frame = std::vector<std::byte>;

// Both ends of a channel: session 11 at a, session 22 at b.
class Channel : public ::testing::TestWithParam<Cipher> {
 protected:
  static Secret secret(std::uint8_t fill) {
    Secret s;
    s.bytes().fill(fill);
    return s;
  }
  void SetUp() override {
    const bool with_aes = GetParam() == Cipher::kAes256Gcm || GetParam() == Cipher::kSipHashAndGmac;
    if (with_aes && (available_ciphers() & static_cast<std::uint32_t>(Cipher::kAes256Gcm)) == 0)
      GTEST_SKIP() << "this machine has no instructions for it";
  }
  Frame sealed(SealedChannel& by, std::size_t payload = 64, std::byte fill = std::byte{42}) {
    Frame frame(kFrameOverhead + payload, std::byte{0});
    std::fill_n(frame.begin() + sizeof(FrameHeader), payload, fill);
    FrameHeader header;
    header.credit_frames = 5;
    header.credit_words = 6;
    header.acknowledged = 7;
    by.seal(frame, header);
    return frame;
  }
  FrameVerdict open(SealedChannel& by, Frame frame) { return by.open(frame, header_, payload_); }

  SealedChannel a_{GetParam(), secret(1), secret(2), 11, 22};
  SealedChannel b_{GetParam(), secret(2), secret(1), 22, 11};
  FrameHeader header_;
  std::span<std::byte> payload_;
};

INSTANTIATE_TEST_SUITE_P(Ciphers, Channel,
                         ::testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305,
                                           Cipher::kSipHash, Cipher::kSipHashAndGmac),
                         [](const auto& param) -> std::string {
                           switch (param.param) {
                             case Cipher::kAes256Gcm:
                               return "aes";
                             case Cipher::kChaCha20Poly1305:
                               return "chacha";
                             case Cipher::kSipHash:
                               return "siphash";
                             case Cipher::kSipHashAndGmac:
                               return "siphash_and_gmac";
                           }
                           return "unknown";
                         });

TEST_P(Channel, what_is_sealed_opens_as_it_was) {
  for (const std::size_t size : {0u, 8u, 64u, 1024u, unsigned{kMaxPayload}}) {
    Frame frame = sealed(a_, size);
    ASSERT_EQ(b_.open(frame, header_, payload_), FrameVerdict::kGood) << size;
    EXPECT_EQ(payload_.size(), size);
    EXPECT_TRUE(std::ranges::all_of(payload_, [](std::byte x) { return x == std::byte{42}; }));
    EXPECT_EQ(header_.credit_frames, 5u);
    EXPECT_EQ(header_.credit_words, 6u);
    EXPECT_EQ(header_.acknowledged, 7u);
  }
}

TEST_P(Channel, the_payload_cannot_be_read_on_the_way_and_no_two_frames_look_alike) {
  if (GetParam() == Cipher::kSipHash || GetParam() == Cipher::kSipHashAndGmac)
    GTEST_SKIP() << "it authenticates only: in shared memory there is nobody to hide from";
  const Frame one = sealed(a_), two = sealed(a_);
  EXPECT_NE(one[sizeof(FrameHeader)], std::byte{42});
  EXPECT_FALSE(
      std::equal(one.begin() + sizeof(FrameHeader), one.end(), two.begin() + sizeof(FrameHeader)));
}

TEST_P(Channel, any_altered_bit_is_noticed) {
  for (const std::size_t payload : {std::size_t{64}, std::size_t{256}}) {
    for (std::size_t byte = 0; byte < kFrameOverhead + payload; ++byte) {
      SealedChannel fresh_a{GetParam(), secret(1), secret(2), 11, 22};
      SealedChannel fresh_b{GetParam(), secret(2), secret(1), 22, 11};
      Frame frame = sealed(fresh_a, payload);
      frame[byte] ^= std::byte{1};
      const FrameVerdict verdict = open(fresh_b, frame);
      EXPECT_NE(verdict, FrameVerdict::kGood) << "byte " << byte;
      if (byte >= 16) {
        EXPECT_EQ(verdict, FrameVerdict::kForged) << "byte " << byte;
      }
    }
  }
}

TEST(Cipher, the_one_for_small_frames_does_not_pass_for_the_one_for_large_frames) {
  if ((available_ciphers() & static_cast<std::uint32_t>(Cipher::kAes256Gcm)) == 0)
    GTEST_SKIP() << "this machine has no instructions for it";
  Secret one, other;
  one.bytes().fill(1);
  other.bytes().fill(2);
  SealedChannel a(Cipher::kSipHash, one, other, 11, 22);
  SealedChannel b(Cipher::kSipHashAndGmac, other, one, 22, 11);
  FrameHeader header;
  std::span<std::byte> payload;
  Frame small(kSipHashMost), large(kSipHashMost + 8);
  a.seal(small, header);
  EXPECT_EQ(b.open(small, header, payload), FrameVerdict::kGood);
  a.seal(large, header);
  EXPECT_EQ(b.open(large, header, payload), FrameVerdict::kForged);
}

TEST_P(Channel, a_truncated_or_lengthened_frame_is_malformed) {
  const Frame frame = sealed(a_);
  for (std::size_t size = 0; size < frame.size(); ++size)
    EXPECT_EQ(open(b_, Frame(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size))),
              FrameVerdict::kMalformed);
  Frame longer = frame;
  longer.resize(frame.size() + 8);
  EXPECT_EQ(open(b_, longer), FrameVerdict::kMalformed);
}

TEST_P(Channel, a_truncated_frame_whose_length_was_adapted_is_forged) {
  Frame frame = sealed(a_);
  const auto shorter = static_cast<std::uint32_t>(frame.size() - 8);
  std::memcpy(frame.data() + 4, &shorter, sizeof shorter);
  frame.resize(shorter);
  EXPECT_EQ(open(b_, frame), FrameVerdict::kForged);
}

TEST_P(Channel, a_replayed_frame_is_noticed) {
  const Frame frame = sealed(a_);
  EXPECT_EQ(open(b_, frame), FrameVerdict::kGood);
  EXPECT_EQ(open(b_, frame), FrameVerdict::kReplayed);
}

TEST_P(Channel, a_lost_frame_leaves_a_gap_and_reordering_is_one) {
  const Frame first = sealed(a_), second = sealed(a_);
  EXPECT_EQ(open(b_, second), FrameVerdict::kGap);
  EXPECT_EQ(open(b_, first), FrameVerdict::kGood);
}

TEST_P(Channel, a_gap_cannot_be_faked_by_a_stranger) {
  Frame frame = sealed(a_);
  const std::uint64_t later = 9;
  std::memcpy(frame.data() + 16, &later, sizeof later);
  EXPECT_EQ(open(b_, frame), FrameVerdict::kForged);
}

TEST_P(Channel, a_reflected_frame_is_not_for_its_sender) {
  Frame frame = sealed(a_);
  EXPECT_EQ(open(a_, frame), FrameVerdict::kNotForUs);
  const std::uint64_t own = 11;
  std::memcpy(frame.data() + 8, &own, sizeof own);  // and not with the number adapted either
  EXPECT_EQ(open(a_, frame), FrameVerdict::kForged);
}

TEST_P(Channel, a_frame_of_another_session_is_not_for_us) {
  SealedChannel other{GetParam(), secret(1), secret(2), 11, 23};
  EXPECT_EQ(open(b_, sealed(other)), FrameVerdict::kNotForUs);
}

TEST_P(Channel, another_key_opens_nothing) {
  SealedChannel other{GetParam(), secret(3), secret(2), 11, 22};
  EXPECT_EQ(open(b_, sealed(other)), FrameVerdict::kForged);
}

TEST(Cipher, aes_is_chosen_only_where_both_have_it) {
  const auto chacha = static_cast<std::uint32_t>(Cipher::kChaCha20Poly1305);
  const std::uint32_t both = chacha | static_cast<std::uint32_t>(Cipher::kAes256Gcm);
  EXPECT_EQ(choose_cipher(both, both), Cipher::kAes256Gcm);
  EXPECT_EQ(choose_cipher(both, chacha), Cipher::kChaCha20Poly1305);
  EXPECT_EQ(choose_cipher(chacha, both), Cipher::kChaCha20Poly1305);
  EXPECT_NE(available_ciphers() & chacha, 0u);
}

}  // namespace
}  // namespace pp::transport
