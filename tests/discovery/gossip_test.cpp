// Words of gossip: what goes out comes back, nothing longer than allowed comes in, and no news
// takes more room than was counted.
#include "gossip.hpp"

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include <functional>
#include <pp/transport.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gossip.capnp.h"

namespace pp::discovery {
namespace {

using Bytes = std::vector<std::byte>;

NodeId id_of(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}

Member member(std::uint8_t number, MemberState state = MemberState::kAlive) {
  return {id_of(number),
          "host:" + std::to_string(number),
          {{"10.0.0.1", 7400}, {"fd00::1", 7401}, {"node1.example", 0}},
          number * 3u,
          number % 2 == 0,
          "monday",
          number * 5u,
          state};
}

Word full_word(Word::Kind kind) {
  Word word;
  word.kind = kind;
  word.incarnation = 0xffffffff;
  word.digest = 0x0123456789abcdef;
  word.members = 1000;
  word.number = ~0ull;
  word.subject = id_of(7);
  word.load = {1, 2, 3};
  word.last = true;
  for (int state = 0; state <= static_cast<int>(MemberState::kLeft); ++state)
    word.news.push_back(
        member(static_cast<std::uint8_t>(state + 1), static_cast<MemberState>(state)));
  return word;
}

// As large as a member can be.
Member largest() {
  Member large = member(9);
  large.name.assign(64, 'n');
  large.launch.assign(64, 'l');
  large.addresses.assign(8, Address{std::string(253, 'a'), 65535});
  return large;
}

Member random_member(std::mt19937_64& random) {
  Member it;
  for (auto& byte : it.node.bytes) byte = static_cast<std::uint8_t>(random());
  it.name.assign(random() % 65, 'x');
  it.launch.assign(random() % 3 == 0 ? random() % 65 : 0, 'y');
  for (auto left = random() % 9; left > 0; --left) {
    const std::string host = random() % 4 == 0 ? "fd00::" + std::to_string(random() % 10'000)
                                               : std::string(1 + random() % 40, 'h');
    it.addresses.push_back({host, static_cast<std::uint16_t>(random())});
  }
  it.workers = static_cast<std::uint32_t>(random());
  it.driver = random() % 2 == 0;
  it.incarnation = static_cast<std::uint32_t>(random());
  it.state = static_cast<MemberState>(random() % 5);
  return it;
}

Bytes bytes_of(capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto* begin = reinterpret_cast<const std::byte*>(words.begin());
  return {begin, begin + words.size() * sizeof(capnp::word)};
}

// What a member that has gone wrong might say.
Bytes crafted(const std::function<void(wire::Word::Builder)>& fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<wire::Word>());
  return bytes_of(message);
}

Bytes crafted_member(const std::function<void(wire::Member::Builder)>& change) {
  return crafted([&](wire::Word::Builder word) {
    auto one = word.initNews(1)[0];
    const NodeId node = id_of(1);
    one.setNode(kj::arrayPtr(node.bytes.data(), node.bytes.size()));
    change(one);
  });
}

TEST(Gossip, a_word_of_each_kind_comes_back) {
  for (int kind = 0; kind <= static_cast<int>(Word::Kind::kRestYes); ++kind) {
    const Word said = full_word(static_cast<Word::Kind>(kind));
    const std::optional<Word> heard = decode(encode(said));
    ASSERT_TRUE(heard) << kind;
    EXPECT_EQ(*heard, said) << kind;
  }
}

TEST(Gossip, an_empty_word_comes_back_and_is_small) {
  const Bytes said = encode(Word{});
  EXPECT_LE(said.size(), 128u);
  EXPECT_EQ(decode(said), Word{});
}

TEST(Gossip, what_is_at_its_limits_comes_back) {
  Word said;
  said.news.push_back(largest());
  EXPECT_EQ(decode(encode(said)), said);
}

TEST(Gossip, addresses_beyond_the_limit_are_left_out) {
  Word said;
  said.news.push_back(member(1));
  said.news[0].addresses.assign(20, Address{"10.0.0.1", 7400});
  const std::optional<Word> heard = decode(encode(said));
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->news[0].addresses.size(), 8u);
}

TEST(Gossip, words_are_whole_words_of_memory_and_no_longer_than_the_transport_takes) {
  EXPECT_EQ(encode(full_word(Word::Kind::kPage)).size() % 8, 0u);
  EXPECT_FALSE(decode(Bytes(transport::kMaxWord + 8)));
  Bytes said = encode(full_word(Word::Kind::kPage));
  for (int i = 1; i < 8; ++i) {
    said.push_back(std::byte{0});
    EXPECT_FALSE(decode(said)) << "not a multiple of 8";
  }
}

TEST(Gossip, a_word_that_was_cut_off_does_no_harm) {
  const Bytes said = encode(full_word(Word::Kind::kPage));
  for (std::size_t size = 0; size < said.size(); ++size)
    decode(std::span(said).first(size));  // whatever it says, it ends
}

TEST(Gossip, members_without_a_right_id_are_refused) {
  const std::uint8_t bytes[17] = {1, 2, 3};
  for (const std::size_t size : {0, 1, 15, 17}) {
    EXPECT_FALSE(decode(crafted_member([&](auto one) { one.setNode(kj::arrayPtr(bytes, size)); })))
        << size;
  }
  const std::uint8_t zeros[16] = {};
  EXPECT_FALSE(decode(crafted_member([&](auto one) { one.setNode(kj::arrayPtr(zeros, 16)); })))
      << "no node is called so";
  EXPECT_TRUE(decode(crafted_member([&](auto one) { one.setNode(kj::arrayPtr(bytes, 16)); })));
}

TEST(Gossip, a_subject_of_another_size_is_refused) {
  const std::uint8_t bytes[17] = {1, 2, 3};
  for (const std::size_t size : {1, 15, 17}) {
    EXPECT_FALSE(decode(crafted([&](auto word) { word.setSubject(kj::arrayPtr(bytes, size)); })));
  }
  for (const std::size_t size : {0, 16}) {
    EXPECT_TRUE(decode(crafted([&](auto word) { word.setSubject(kj::arrayPtr(bytes, size)); })));
  }
}

TEST(Gossip, unknown_kinds_and_states_are_refused) {
  EXPECT_FALSE(decode(crafted([](auto word) { word.setKind(static_cast<wire::Word::Kind>(9)); })));
  EXPECT_FALSE(
      decode(crafted([](auto word) { word.setKind(static_cast<wire::Word::Kind>(0xffff)); })));
  for (const std::uint8_t state : {std::uint8_t{5}, std::uint8_t{255}})
    EXPECT_FALSE(decode(crafted_member([&](auto one) { one.setState(state); })));
}

TEST(Gossip, names_that_are_too_long_or_no_line_are_refused) {
  for (const std::string& text : {std::string(65, 'n'), std::string("a\nleft everybody"),
                                  std::string("a\x1b[2J"), std::string("a\x7f")}) {
    EXPECT_FALSE(decode(crafted_member([&](auto one) { one.setName(text.c_str()); }))) << text;
    EXPECT_FALSE(decode(crafted_member([&](auto one) { one.setLaunch(text.c_str()); }))) << text;
  }
  EXPECT_TRUE(decode(crafted_member([](auto one) { one.setName("M\xc3\xbcnchen"); })));
}

TEST(Gossip, addresses_that_are_none_or_too_many_are_refused) {
  for (const std::string& text : {std::string("host"), std::string("a b:1"), std::string(":1"),
                                  std::string("a:65536"), std::string(271, 'a')}) {
    EXPECT_FALSE(decode(crafted_member([&](auto one) {
      one.initAddresses(1).set(0, text.c_str());
    }))) << text;
  }
  for (const unsigned count : {8u, 9u}) {
    const Bytes said = crafted_member([&](auto one) {
      auto addresses = one.initAddresses(count);
      for (unsigned i = 0; i < count; ++i) addresses.set(i, "a:1");
    });
    EXPECT_EQ(decode(said).has_value(), count == 8) << count;
  }
}

// In the least room in which members with a NodeId can lie: no encoder of ours gets so many into a
// word.
TEST(Gossip, more_news_than_the_limit_are_refused_however_small_they_are) {
  for (const unsigned count : {1u, 64u, 65u, 100u}) {
    capnp::MallocMessageBuilder message;
    auto word = message.initRoot<capnp::AnyPointer>().initAsAnyStruct(0, 2);
    auto news = word.getPointerSection()[1].initAsListOfAnyStruct(0, 1, count);
    for (unsigned i = 0; i < count; ++i) {
      const NodeId node = id_of(static_cast<std::uint8_t>(i + 1));
      news[i].getPointerSection()[0].setAs<capnp::Data>(
          kj::arrayPtr(node.bytes.data(), node.bytes.size()));
    }
    const Bytes said = bytes_of(message);
    ASSERT_LE(said.size(), transport::kMaxWord);
    const std::optional<Word> heard = decode(said);
    EXPECT_EQ(heard.has_value(), count <= kMostNews) << count;
    if (heard) {
      EXPECT_EQ(heard->news.size(), count);
    }
  }
}

TEST(Gossip, no_member_takes_more_room_than_was_counted) {
  std::mt19937_64 random(1);
  std::vector<Member> members{largest(), Member{id_of(1), "", {}, 0, false, "", 0, {}}};
  for (int i = 0; i < 2000; ++i) members.push_back(random_member(random));
  for (std::size_t length = 0; length <= 64; ++length) {
    members.push_back(member(1));
    members.back().name.assign(length, 'n');
    members.back().launch.assign(64 - length, 'l');
    members.back().addresses = {{std::string(length + 1, 'a'), 9},
                                {"::" + std::string(length, '1'), 65535}};
  }
  const std::size_t empty = encode(Word{}).size();
  for (const Member& each : members) {
    Word word;
    word.news.push_back(each);
    const std::size_t taken = encode(word).size() - empty;
    EXPECT_LE(taken, size_of(each)) << each.name.size() << ", " << each.addresses.size();
    EXPECT_LE(size_of(each), 2 * taken) << "nor is most of the room wasted";
  }
}

TEST(Gossip, news_that_fill_their_room_fit_the_transport) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    Word word = full_word(Word::Kind::kPage);
    word.news.clear();
    std::size_t room = kRoomForNews;
    while (word.news.size() < kMostNews) {
      Member next = random_member(random);
      if (seed % 3 == 0) next.addresses.resize(std::min<std::size_t>(next.addresses.size(), 1));
      if (seed % 5 == 0) next = Member{next.node, "", {}, 0, false, "", 0, {}};
      if (size_of(next) > room) break;
      room -= size_of(next);
      word.news.push_back(next);
    }
    EXPECT_GT(word.news.size(), 1u);
    const Bytes said = encode(word);
    ASSERT_LE(said.size(), transport::kMaxWord) << "seed " << seed;
    ASSERT_EQ(decode(said), word) << "seed " << seed;
  }
}

TEST(Gossip, a_single_piece_of_news_always_fits) {
  EXPECT_LE(size_of(largest()), kRoomForNews);
  Word word = full_word(Word::Kind::kReport);
  word.news = {largest()};
  EXPECT_LE(encode(word).size(), transport::kMaxWord);
}

}  // namespace
}  // namespace pp::discovery
