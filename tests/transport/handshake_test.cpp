// Handshake: who holds the key gets through, everybody else gets a sentence.
#include "handshake.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <pp/node_id.hpp>
#include <vector>

namespace pp::transport {
namespace {

using ::testing::HasSubstr;
using State = Handshake::State;
using Role = Handshake::Role;
using Words = std::vector<std::uint8_t>;

Hello hello(const std::string& name) {
  Hello hello;
  hello.introduction.node = NodeId::random();
  hello.introduction.name = name;
  hello.introduction.workers = 3;
  hello.introduction.function_table = 77;
  hello.introduction.build = "g++";
  hello.introduction.addresses = {{"10.0.0.1", 7001}, {"fd00::1", 7001}};
  hello.ciphers = available_ciphers();
  hello.session = 100;
  hello.credit_frames = 64;
  hello.fabric = {"tcp;ofi_rxm", std::vector<std::byte>(16, std::byte{9})};
  hello.eager_limit = 8192;
  hello.wanted = DataChannel::kFabric;
  return hello;
}

std::size_t hear(Handshake& to, const Words& words) {
  return to.receive(std::as_bytes(std::span(words)));
}

// A dialler and a listener, and what each sends to the other.
class HandshakeTest : public ::testing::Test {
 protected:
  Handshake dialler() { return {key_, Role::kDialler, a_}; }
  Handshake listener() { return {key_, Role::kListener, b_}; }

  ClusterKey key_ = ClusterKey::generate();
  ClusterKey other_key_ = ClusterKey::generate();
  Hello a_ = hello("a"), b_ = hello("b");
};

TEST(Hello, a_name_with_a_line_break_is_refused) {
  Hello good = hello("node 7");
  EXPECT_TRUE(decode_hello(encode(good)));
  for (const std::string name : {"a\nleft 12 everybody", "a\x1b[2J", "a\x7f"}) {
    good.introduction.name = name;
    EXPECT_FALSE(decode_hello(encode(good))) << "it would begin a line of its own in our log";
  }
}

TEST(Hello, says_whether_its_node_is_a_driver) {
  Hello said = hello("node 7");
  for (const bool driver : {false, true}) {
    said.introduction.driver = driver;
    const std::optional<Hello> heard = decode_hello(encode(said));
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->introduction.driver, driver);
  }
}

TEST_F(HandshakeTest, both_ends_agree_on_keys_and_know_each_other) {
  Handshake a = dialler(), b = listener();
  hear(b, a.take_output());
  ASSERT_EQ(b.state(), State::kDeciding);
  EXPECT_EQ(b.peer().introduction.node, a_.introduction.node);
  b.accept(200, DataChannel::kFabric);
  hear(a, b.take_output());
  ASSERT_EQ(a.state(), State::kDeciding);
  EXPECT_TRUE(a.fabric_wanted());
  a.accept(DataChannel::kFabric);
  ASSERT_EQ(a.state(), State::kProven);
  EXPECT_EQ(b.state(), State::kHearing);  // not before the third message
  hear(b, a.take_output());
  ASSERT_EQ(b.state(), State::kProven);

  const Agreement at_a = a.take_agreement(), at_b = b.take_agreement();
  EXPECT_EQ(at_a.control_sending.bytes(), at_b.control_receiving.bytes());
  EXPECT_EQ(at_a.control_receiving.bytes(), at_b.control_sending.bytes());
  EXPECT_EQ(at_a.data_sending.bytes(), at_b.data_receiving.bytes());
  EXPECT_EQ(at_a.data_receiving.bytes(), at_b.data_sending.bytes());
  const Secret::Bytes* keys[] = {&at_a.control_sending.bytes(), &at_a.control_receiving.bytes(),
                                 &at_a.data_sending.bytes(), &at_a.data_receiving.bytes()};
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < i; ++j) EXPECT_NE(*keys[i], *keys[j]);
  EXPECT_EQ(at_a.cipher, at_b.cipher);
  EXPECT_EQ(at_a.data, DataChannel::kFabric);
  EXPECT_EQ(at_b.data, DataChannel::kFabric);
  EXPECT_EQ(at_a.peer.session, 200u);
  EXPECT_EQ(at_b.peer.session, 100u);
  EXPECT_EQ(at_b.peer.introduction.addresses, a_.introduction.addresses);
  EXPECT_EQ(at_b.peer.introduction.name, "a");
  EXPECT_EQ(at_b.peer.fabric.bytes, a_.fabric.bytes);
  EXPECT_EQ(at_b.peer.introduction.workers, 3u);
}

// Whoever believed a stranger that he is himself, or is known already, would not dial again.
TEST_F(HandshakeTest, a_hint_never_says_more_than_that_one_may_try_again) {
  for (int reason = 0; reason < 256; ++reason) {
    Handshake a = dialler();
    a.take_output();
    hear(a, Handshake::hint(static_cast<RefusalReason>(reason), "believe me"));
    ASSERT_EQ(a.state(), State::kRefused);
    EXPECT_FALSE(a.by_us());
    const RefusalReason heard = a.objection().reason;
    EXPECT_TRUE(heard == RefusalReason::kWrongKey || heard == RefusalReason::kVersion ||
                heard == RefusalReason::kTooMany || heard == RefusalReason::kTimeout ||
                heard == RefusalReason::kGarbage)
        << reason;
  }
}

TEST_F(HandshakeTest, it_does_not_matter_how_the_bytes_are_cut) {
  Handshake a = dialler(), b = listener();
  Words heard;
  for (const std::uint8_t byte : a.take_output()) {
    ASSERT_EQ(b.state(), State::kHearing);
    heard.push_back(byte);
    if (hear(b, heard) != 0) heard.clear();
  }
  EXPECT_EQ(b.state(), State::kDeciding);
  EXPECT_TRUE(heard.empty());
}

TEST_F(HandshakeTest, a_dialler_without_the_key_is_refused_before_anything_is_believed) {
  Handshake a(other_key_, Role::kDialler, a_), b = listener();
  hear(b, a.take_output());
  ASSERT_EQ(b.state(), State::kRefused);
  EXPECT_EQ(b.objection().reason, RefusalReason::kWrongKey);
  EXPECT_TRUE(b.by_us());
  hear(a, b.take_output());
  ASSERT_EQ(a.state(), State::kRefused);
  EXPECT_EQ(a.objection().reason, RefusalReason::kWrongKey);
  EXPECT_FALSE(a.by_us());
  EXPECT_THAT(a.objection().sentence, HasSubstr("same key file"));
}

TEST_F(HandshakeTest, a_listener_without_the_key_cannot_answer) {
  // It took the first message from somewhere else and answers with a key of its own.
  Handshake a = dialler();
  Handshake stranger(other_key_, Role::kDialler, a_), fool(other_key_, Role::kListener, b_);
  hear(fool, stranger.take_output());
  fool.accept(1, DataChannel::kControl);
  hear(a, fool.take_output());
  ASSERT_EQ(a.state(), State::kRefused);
  EXPECT_EQ(a.objection().reason, RefusalReason::kWrongKey);
}

TEST_F(HandshakeTest, a_recorded_first_message_does_not_get_past_the_third) {
  Handshake a = dialler(), first = listener();
  const Words recorded = a.take_output();
  hear(first, recorded);
  first.accept(200, DataChannel::kControl);
  hear(a, first.take_output());
  a.accept(DataChannel::kControl);
  const Words recorded_end = a.take_output();
  hear(first, recorded_end);
  ASSERT_EQ(first.state(), State::kProven);

  Handshake second = listener();
  hear(second, recorded);
  second.accept(201, DataChannel::kControl);
  hear(second, recorded_end);
  EXPECT_EQ(second.state(), State::kRefused);
}

TEST_F(HandshakeTest, any_altered_byte_of_any_message_ends_it) {
  // Lengths of the three messages, from an undisturbed run.
  for (int victim = 1; victim <= 3; ++victim) {
    for (std::size_t at = 0;; ++at) {
      Handshake a = dialler(), b = listener();
      const auto disturb = [&](int number, Words words) {
        if (number == victim && at < words.size()) words[at] ^= 0x10;
        return words;
      };
      Words one = a.take_output();
      const std::size_t sizes[] = {one.size(), 0, 0};
      hear(b, disturb(1, one));
      bool past = victim == 1 && at >= sizes[0];
      if (victim != 1) {
        ASSERT_EQ(b.state(), State::kDeciding);
        b.accept(200, DataChannel::kControl);
        const Words two = b.take_output();
        past = victim == 2 && at >= two.size();
        hear(a, disturb(2, two));
        if (victim == 3) {
          a.accept(DataChannel::kControl);
          const Words three = a.take_output();
          past = at >= three.size();
          hear(b, disturb(3, three));
        }
      }
      if (past) break;
      const Handshake& hearer = victim == 2 ? a : b;
      // A longer length in the prefix makes it wait for what never comes; everything else is
      // refused.
      const bool waits = hearer.state() == State::kHearing && (at == 4 || at == 5);
      EXPECT_TRUE(hearer.state() == State::kRefused || waits) << victim << ' ' << at;
    }
  }
}

TEST_F(HandshakeTest, garbage_is_known_by_its_first_byte) {
  Handshake b = listener();
  EXPECT_EQ(hear(b, {'G'}), 1u);
  EXPECT_EQ(b.state(), State::kRefused);
  EXPECT_EQ(b.objection().reason, RefusalReason::kGarbage);
  EXPECT_TRUE(b.take_output().empty());  // no word to those who do not speak our language
}

TEST_F(HandshakeTest, garbage_is_printed_escaped) {
  Handshake b = listener();
  hear(b, {0x1b, '[', '2', 'J', 0x00, 0xff});
  EXPECT_THAT(b.objection().sentence, HasSubstr("\\x1b[2J\\x00\\xff"));
}

TEST_F(HandshakeTest, a_message_longer_than_the_limit_is_refused_before_it_arrives) {
  Handshake b = listener();
  const std::size_t size = Handshake::kMaxBody + 1;
  hear(b, {'p', 'p', 'h', Handshake::kVersion, static_cast<std::uint8_t>(size & 0xff),
           static_cast<std::uint8_t>(size >> 8), 1, 0});
  EXPECT_EQ(b.state(), State::kRefused);
  EXPECT_EQ(b.objection().reason, RefusalReason::kGarbage);
}

TEST_F(HandshakeTest, another_version_is_answered_with_both_versions) {
  Handshake a = dialler(), b = listener();
  Words one = a.take_output();
  one[3] = 9;
  hear(b, one);
  ASSERT_EQ(b.state(), State::kRefused);
  EXPECT_EQ(b.objection().reason, RefusalReason::kVersion);
  EXPECT_THAT(b.objection().sentence, HasSubstr("version " + std::to_string(Handshake::kVersion)));
  EXPECT_THAT(b.objection().sentence, HasSubstr("version 9"));
  // Its hint is in its own version.
  Words hint = b.take_output();
  EXPECT_EQ(hint[3], Handshake::kVersion);
  hint[3] = 9;
  hear(a, hint);
  ASSERT_EQ(a.state(), State::kRefused);
  EXPECT_EQ(a.objection().reason, RefusalReason::kVersion);
  EXPECT_THAT(a.objection().sentence, HasSubstr("version " + std::to_string(Handshake::kVersion)));
  EXPECT_THAT(a.objection().sentence, HasSubstr("version 9"));
  EXPECT_THAT(a.objection().sentence, HasSubstr("run the same release"));
}

TEST_F(HandshakeTest, another_function_table_is_told_to_both_with_both_values) {
  a_.introduction.function_table = 0xabc;
  Handshake a = dialler(), b = listener();
  hear(b, a.take_output());
  ASSERT_EQ(b.state(), State::kRefused);
  hear(a, b.take_output());
  ASSERT_EQ(a.state(), State::kRefused);
  for (const Handshake* end : {&a, &b}) {
    EXPECT_EQ(end->objection().reason, RefusalReason::kFunctionTable);
    EXPECT_THAT(end->objection().sentence, HasSubstr("0000000000000abc"));
    EXPECT_THAT(end->objection().sentence, HasSubstr("000000000000004d"));
  }
}

TEST_F(HandshakeTest, another_launch_is_refused_but_who_has_none_serves_everybody) {
  a_.introduction.launch = "red";
  b_.introduction.launch = "blue";
  Handshake a = dialler(), b = listener();
  hear(b, a.take_output());
  EXPECT_EQ(b.objection().reason, RefusalReason::kLaunch);
  EXPECT_THAT(b.objection().sentence, ::testing::AllOf(HasSubstr("red"), HasSubstr("blue")));

  b_.introduction.launch = "";
  Handshake c = dialler(), d = listener();
  hear(d, c.take_output());
  EXPECT_EQ(d.state(), State::kDeciding);
}

TEST_F(HandshakeTest, ones_own_node_is_refused) {
  b_ = a_;
  Handshake a = dialler(), b = listener();
  hear(b, a.take_output());
  ASSERT_EQ(b.state(), State::kRefused);
  EXPECT_EQ(b.objection().reason, RefusalReason::kSelf);
}

TEST_F(HandshakeTest, a_reflected_first_message_is_no_answer) {
  Handshake a = dialler();
  hear(a, a.take_output());
  EXPECT_EQ(a.state(), State::kRefused);
}

TEST_F(HandshakeTest, either_end_can_refuse_once_the_other_is_proven) {
  Handshake a = dialler(), b = listener();
  hear(b, a.take_output());
  b.accept(200, DataChannel::kControl);
  hear(a, b.take_output());
  a.refuse(RefusalReason::kDuplicate, "we have met");
  hear(b, a.take_output());
  ASSERT_EQ(b.state(), State::kRefused);
  EXPECT_FALSE(b.by_us());
  EXPECT_EQ(b.objection().reason, RefusalReason::kDuplicate);
  EXPECT_EQ(b.objection().sentence, "we have met");
}

TEST_F(HandshakeTest, the_fabric_is_used_only_if_both_want_the_same) {
  const auto wanted = [&] {
    Handshake a = dialler(), b = listener();
    hear(b, a.take_output());
    return b.fabric_wanted();
  };
  EXPECT_TRUE(wanted());
  a_.wanted = DataChannel::kControl;
  EXPECT_FALSE(wanted());
  a_.wanted = DataChannel::kFabric;
  a_.fabric.provider = "verbs;ofi_rxm";
  EXPECT_FALSE(wanted());
  a_.fabric.provider = b_.fabric.provider;
  a_.eager_limit = 4096;
  EXPECT_FALSE(wanted());
}

TEST_F(HandshakeTest, memory_is_shared_only_if_both_offer_it_at_one_place_to_one_user) {
  const auto wanted = [&] {
    Handshake a = dialler(), b = listener();
    hear(b, a.take_output());
    b.accept(200, DataChannel::kControl);
    hear(a, b.take_output());
    EXPECT_EQ(a.memory_wanted(), b.memory_wanted());
    return a.memory_wanted();
  };
  EXPECT_FALSE(wanted());
  a_.memory = {"boot/1", 7, "pp-a"};
  EXPECT_FALSE(wanted());
  b_.memory = {"boot/1", 7, "pp-b"};
  EXPECT_TRUE(wanted());
  b_.memory.user = 8;
  EXPECT_FALSE(wanted());
  b_.memory = {"boot/2", 7, "pp-b"};
  EXPECT_FALSE(wanted());
}

TEST_F(HandshakeTest, both_ends_of_shared_memory_have_the_same_token_and_seals_that_hide_nothing) {
  a_.memory = {"boot/1", 7, "pp-a"};
  b_.memory = {"boot/1", 7, "pp-b"};
  Handshake a = dialler(), b = listener();
  hear(b, a.take_output());
  b.accept(200, DataChannel::kControl);
  hear(a, b.take_output());
  a.accept(DataChannel::kMemory);
  hear(b, a.take_output());
  ASSERT_EQ(b.state(), State::kProven);
  const Agreement at_a = a.take_agreement(), at_b = b.take_agreement();
  EXPECT_EQ(at_b.data, DataChannel::kMemory);
  EXPECT_EQ(at_a.peer.memory.door, "pp-b");
  EXPECT_EQ(at_a.data_cipher, at_b.data_cipher);
  EXPECT_EQ(at_a.data_cipher, authentication_only(at_a.cipher));
  EXPECT_TRUE(at_a.memory_token.is(at_b.memory_token.bytes()));
  EXPECT_FALSE(at_a.memory_token.is(at_a.data_sending.bytes()));
}

TEST_F(HandshakeTest, memory_that_was_not_offered_cannot_be_chosen) {
  // The listener has had its troubles with this dialler; a dialler that does not care is refused.
  a_.memory = {"boot/1", 7, "pp-a"};
  b_.memory = {"boot/1", 7, "pp-b"};
  Handshake a = dialler(), b = listener(), changed_its_mind = listener();
  const Words first = a.take_output();
  hear(b, first);
  b.offer_no_memory();
  b.accept(200, DataChannel::kControl);
  hear(a, b.take_output());
  EXPECT_FALSE(a.memory_wanted());

  Handshake c = dialler();
  hear(changed_its_mind, c.take_output());
  changed_its_mind.accept(200, DataChannel::kControl);
  hear(c, changed_its_mind.take_output());
  changed_its_mind.offer_no_memory();
  c.accept(DataChannel::kMemory);
  hear(changed_its_mind, c.take_output());
  EXPECT_EQ(changed_its_mind.state(), State::kRefused);
  EXPECT_EQ(changed_its_mind.objection().reason, RefusalReason::kGarbage);
}

TEST_F(HandshakeTest, the_largest_hello_fits_and_a_larger_one_is_refused) {
  a_.introduction.name = std::string(kMaxName, 'n');
  a_.introduction.build = std::string(kMaxBuild, 'b');
  a_.memory = {std::string(kMaxPlace, 'p'), 7, std::string(kMaxDoor, 'd')};
  a_.introduction.addresses.assign(kMaxAddresses, {std::string(253, 'h'), 65535});
  Handshake a = dialler(), b = listener();
  hear(b, a.take_output());
  EXPECT_EQ(b.state(), State::kDeciding);

  a_.introduction.name += 'n';
  Handshake c = dialler(), d = listener();
  hear(d, c.take_output());
  EXPECT_EQ(d.objection().reason, RefusalReason::kGarbage);
}

}  // namespace
}  // namespace pp::transport
