// Blobs alone: names, the store that forgets, and how one gets to many nodes.
#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <random>
#include <semaphore>

#include "blob_fetcher.hpp"
#include "blob_spread.hpp"
#include "blob_store.hpp"
#include "likenesses.hpp"
#include "result_name.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;
using Time = BlobFetcher::Time;

codec::Bytes bytes_of(std::size_t size, unsigned seed = 1) {
  codec::Bytes bytes(size);
  std::mt19937 random(seed);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

NodeId node(std::size_t number) {
  NodeId id;
  for (std::size_t i = 0; i < 8; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(number >> (8 * (7 - i)));
  id.bytes[15] = 1;
  return id;
}

// ---- ContentHash

// The definition, leaf by leaf, without anything side by side.
ContentHash by_definition(std::span<const std::byte> bytes) {
  std::vector<unsigned char> root(8);
  for (std::size_t i = 0; i < 8; ++i) root[i] = static_cast<unsigned char>(bytes.size() >> (8 * i));
  while (!bytes.empty()) {
    const std::size_t leaf = std::min(bytes.size(), ContentHasher::kLeafBytes);
    unsigned char hash[32];
    crypto_generichash(hash, sizeof hash, reinterpret_cast<const unsigned char*>(bytes.data()),
                       leaf, nullptr, 0);
    root.insert(root.end(), hash, hash + sizeof hash);
    bytes = bytes.subspan(leaf);
  }
  const std::string key = "pp: the root of leaves";
  ContentHash hash;
  crypto_generichash(hash.bytes.data(), hash.bytes.size(), root.data(), root.size(),
                     reinterpret_cast<const unsigned char*>(key.data()), key.size());
  return hash;
}

TEST(ContentHash, leaves_hashed_side_by_side_give_what_each_gives_alone) {
  constexpr std::size_t kLeaf = ContentHasher::kLeafBytes;
  const codec::Bytes bytes = bytes_of(20 * kLeaf);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kLeaf - 1, kLeaf, kLeaf + 1,
                                 8 * kLeaf, 8 * kLeaf + 1, 17 * kLeaf, 20 * kLeaf - 3}) {
    const auto part = std::span(bytes).first(size);
    EXPECT_EQ(content_hash(part), by_definition(part)) << size;
  }
}

TEST(ContentHash, is_the_same_however_the_bytes_are_handed_over) {
  const codec::Bytes bytes = bytes_of(1'000'003);
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    ContentHasher hasher;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t most = round % 2 == 0 ? 1000 : 400'000;
      const std::size_t size = std::min<std::size_t>(random() % most, bytes.size() - at);
      hasher.add(std::span(bytes).subspan(at, size));
      at += size;
    }
    EXPECT_EQ(hasher.finish(), content_hash(bytes));
  }
}

TEST(ContentHash, of_much_is_the_same_by_several_threads) {
  for (const std::size_t size : {(std::size_t{16} << 20) - 1, std::size_t{16} << 20,
                                 (std::size_t{27} << 20) + 123'457, std::size_t{40} << 20}) {
    const codec::Bytes bytes = bytes_of(size);
    ContentHasher alone;
    alone.add(bytes);
    EXPECT_EQ(content_hash(bytes), alone.finish()) << size;
  }
}

TEST(ContentHash, another_byte_or_length_is_another_name) {
  codec::Bytes bytes = bytes_of(300'000);
  const ContentHash before = content_hash(bytes);
  bytes[123'456] ^= std::byte{1};
  EXPECT_NE(content_hash(bytes), before);
  bytes[123'456] ^= std::byte{1};
  EXPECT_EQ(content_hash(bytes), before);
  bytes.push_back(std::byte{0});
  EXPECT_NE(content_hash(bytes), before);
  EXPECT_NE(content_hash({}), content_hash(codec::Bytes(1)));
}

// ---- BlobStore

TEST(BlobStore, forgets_what_was_asked_for_the_longest_ago) {
  BlobStore store(2500);
  std::vector<BlobId> ids;
  for (unsigned i = 0; i < 3; ++i) {
    ids.push_back(store.put(Blob::make(bytes_of(1000, i)))->id());
    if (i == 1) {
      EXPECT_NE(store.find(ids[0]), nullptr);  // used
    }
  }
  EXPECT_NE(store.find(ids[0]), nullptr);
  EXPECT_EQ(store.find(ids[1]), nullptr);
  EXPECT_NE(store.find(ids[2]), nullptr);
  EXPECT_EQ(store.figures().bytes, 2000U);
  EXPECT_EQ(store.figures().forgotten, 1U);
}

TEST(BlobStore, never_forgets_what_is_in_use) {
  BlobStore store(0);
  BlobPtr used = store.put(Blob::make(bytes_of(1000, 1)));
  const BlobId id = used->id();
  store.put(Blob::make(bytes_of(1000, 2)));
  store.trim();
  store.drop(id);
  EXPECT_EQ(store.find(id), used);
  EXPECT_EQ(store.figures().blobs, 1U);
  used.reset();
  store.trim();
  EXPECT_EQ(store.find(id), nullptr);
}

TEST(BlobStore, keeps_one_of_each_content) {
  BlobStore store(1 << 20);
  const BlobPtr first = store.put(Blob::make(bytes_of(1000)));
  EXPECT_EQ(store.put(Blob::make(bytes_of(1000))), first);
  EXPECT_EQ(store.figures().bytes, 1000U);
  store.drop(first->id());
  EXPECT_NE(store.find(first->id()), nullptr);  // we hold it
}

// ---- BlobFetcher

// One that fetches, and what a node would answer.
class Fetching : public testing::Test {
 protected:
  using Took = BlobFetcher::Took;

  Fetching() {
    fetcher_.need(id_, owner_);
    fetcher_.reachable(owner_);
    fetcher_.reachable(other_);
  }

  Took give(const BlobFetcher::Want& want) { return give(want, bytes_); }
  Took give(const BlobFetcher::Want& want, const codec::Bytes& content) {
    return fetcher_.take_piece(want.to, want.id, want.at,
                               std::span(content).subspan(want.at, want.length), now_);
  }
  // Answers everything, whoever is asked.
  Took give_all() {
    Took last = Took::kNotNow;
    for (auto wants = fetcher_.poll(now_); !wants.empty(); wants = fetcher_.poll(now_))
      for (const BlobFetcher::Want& want : wants) last = give(want);
    return last;
  }

  const NodeId owner_ = node(1), other_ = node(2), second_ = node(3);
  const codec::Bytes bytes_ = bytes_of(3 * 1024 * 1024 + 5);
  const BlobId id_{content_hash(bytes_), bytes_.size()};
  BlobFetcher fetcher_{{.piece = 64 * 1024, .window = 256 * 1024}};
  Time now_{};
};

TEST_F(Fetching, asks_for_pieces_in_order_and_never_for_more_than_its_window) {
  std::uint64_t next = 0;
  std::deque<BlobFetcher::Want> open;
  Took took = Took::kMore;
  while (took == Took::kMore) {
    for (const BlobFetcher::Want& want : fetcher_.poll(now_)) {
      EXPECT_EQ(want.to, owner_);
      EXPECT_EQ(want.at, next);
      next += want.length;
      open.push_back(want);
    }
    ASSERT_LE(open.size(), 4U);
    ASSERT_FALSE(open.empty());
    took = give(open.front());
    open.pop_front();
  }
  EXPECT_EQ(took, Took::kWhole);
  EXPECT_EQ(fetcher_.take(id_), bytes_);
  EXPECT_EQ(fetcher_.open(), 0U);
  EXPECT_TRUE(fetcher_.poll(now_).empty());
}

TEST_F(Fetching, several_blobs_come_side_by_side) {
  const codec::Bytes small = bytes_of(100, 9);
  const BlobId small_id{content_hash(small), small.size()};
  fetcher_.need(small_id, owner_);
  const auto wants = fetcher_.poll(now_);
  EXPECT_EQ(std::count_if(wants.begin(), wants.end(),
                          [&](const auto& want) { return want.id == small_id; }),
            1);
}

TEST_F(Fetching, asks_again_where_it_was_when_a_session_is_lost) {
  const auto wants = fetcher_.poll(now_);
  give(wants[0]);
  give(wants[1]);
  fetcher_.lost(owner_);
  EXPECT_TRUE(fetcher_.poll(now_).empty());
  fetcher_.reachable(owner_);
  const auto again = fetcher_.poll(now_);
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front().at, 128U * 1024);
  // What the old session still brings is no harm.
  give(wants[2]);
  EXPECT_EQ(give(wants[2]), Took::kNotNow);
  for (const auto& want : again) give(want);
  EXPECT_EQ(give_all(), Took::kWhole);
  EXPECT_EQ(fetcher_.take(id_), bytes_);
}

TEST_F(Fetching, asks_the_one_that_was_named_instead) {
  EXPECT_EQ(fetcher_.poll(now_).front().to, owner_);
  fetcher_.ask_instead(owner_, id_, other_, now_);
  for (const auto& want : fetcher_.poll(now_)) {
    EXPECT_EQ(want.to, other_);
    EXPECT_EQ(want.at % (64 * 1024), 0U);
    give(want);
  }
  EXPECT_EQ(give_all(), Took::kWhole);
  EXPECT_EQ(fetcher_.take(id_), bytes_);
}

TEST_F(Fetching, goes_back_to_the_owner_and_insists_when_the_named_one_is_no_help) {
  const auto insists = [&] {
    const auto wants = fetcher_.poll(now_);
    return !wants.empty() && wants.front().to == owner_ && wants.front().insist;
  };
  const auto named = [&] {
    fetcher_.forget(id_);
    fetcher_.need(id_, owner_);
    fetcher_.reachable(other_);
    fetcher_.poll(now_);
    fetcher_.ask_instead(owner_, id_, other_, now_);
    return fetcher_.poll(now_).front().to == other_;
  };
  ASSERT_TRUE(named());
  fetcher_.not_here(other_, id_);
  EXPECT_TRUE(insists());
  ASSERT_TRUE(named());
  fetcher_.lost(other_);
  EXPECT_TRUE(insists());
  ASSERT_TRUE(named());
  fetcher_.gone(other_);
  EXPECT_TRUE(insists());
  ASSERT_TRUE(named());
  EXPECT_EQ(fetcher_.next_due(), now_ + 1s);
  now_ += 1s;
  EXPECT_TRUE(insists());
  // Whoever insists is not sent elsewhere again.
  fetcher_.ask_instead(owner_, id_, other_, now_);
  fetcher_.lost(owner_);  // with what it was asked for above
  fetcher_.reachable(owner_);
  EXPECT_EQ(give_all(), Took::kWhole);
  EXPECT_EQ(fetcher_.take(id_), bytes_);
}

TEST_F(Fetching, names_strangers_that_somebody_has_to_dial) {
  fetcher_.poll(now_);
  fetcher_.ask_instead(owner_, id_, node(9), now_);
  EXPECT_EQ(fetcher_.take_strangers(), std::set<NodeId>{node(9)});
  EXPECT_TRUE(fetcher_.take_strangers().empty());
  EXPECT_TRUE(fetcher_.poll(now_).empty());
  fetcher_.reachable(node(9));
  EXPECT_EQ(fetcher_.poll(now_).front().to, node(9));
}

TEST_F(Fetching, wrong_content_is_noticed_before_anybody_sees_it) {
  codec::Bytes wrong = bytes_;
  wrong[2'000'000] ^= std::byte{4};
  fetcher_.need(id_, second_);
  fetcher_.reachable(second_);
  Took took = Took::kMore;
  while (took == Took::kMore)
    for (const auto& want : fetcher_.poll(now_)) took = give(want, wrong);
  EXPECT_EQ(took, Took::kWrong);
  // The other one that was named has it.
  const auto wants = fetcher_.poll(now_);
  ASSERT_FALSE(wants.empty());
  EXPECT_EQ(wants.front().to, second_);
  EXPECT_EQ(wants.front().at, 0U);
  for (const auto& want : wants) give(want);
  EXPECT_EQ(give_all(), Took::kWhole);
  EXPECT_EQ(fetcher_.take(id_), bytes_);
}

// Large enough for another thread to hash it.
class Assaying : public Fetching {
 protected:
  Assaying() {
    fetcher_.assay_with(assayer_);
    fetcher_.forget(id_);
    fetcher_.need(large_id_, owner_);
  }
  // Of `content` everything; then the verdict.
  BlobFetcher::Assayed assay(const codec::Bytes& content) {
    Took took = Took::kMore;
    while (took == Took::kMore)
      for (const auto& want : fetcher_.poll(now_)) took = give(want, content);
    EXPECT_EQ(took, Took::kAssayed);
    finished_.acquire();
    const auto assayed = fetcher_.take_assayed();
    EXPECT_EQ(assayed.size(), 1U);
    EXPECT_TRUE(fetcher_.take_assayed().empty() || assayed.front().took == Took::kWhole);
    return assayed.front();
  }

  const codec::Bytes large_ = bytes_of(6 * 1024 * 1024 + 77);
  const BlobId large_id_{content_hash(large_), large_.size()};
  std::counting_semaphore<> finished_{0};
  Assayer assayer_{[this] { finished_.release(); }};
};

TEST_F(Assaying, what_was_hashed_elsewhere_is_whole_when_its_name_is_right) {
  const auto verdict = assay(large_);
  EXPECT_EQ(verdict.id, large_id_);
  EXPECT_EQ(verdict.took, Took::kWhole);
  EXPECT_EQ(verdict.from, owner_);
  EXPECT_EQ(fetcher_.take(large_id_), large_);
  EXPECT_EQ(fetcher_.open(), 0U);
}

TEST_F(Assaying, what_is_wrong_is_noticed_before_anybody_sees_it_there_too) {
  fetcher_.need(large_id_, second_);
  fetcher_.reachable(second_);
  codec::Bytes wrong = large_;
  wrong.back() ^= std::byte{1};
  EXPECT_EQ(assay(wrong).took, Took::kWrong);
  EXPECT_TRUE(fetcher_.needs(large_id_));
  const auto verdict = assay(large_);
  EXPECT_EQ(verdict.took, Took::kWhole);
  EXPECT_EQ(verdict.from, second_);
  EXPECT_EQ(fetcher_.take(large_id_), large_);
}

TEST_F(Assaying, what_has_come_is_kept_though_who_has_sent_it_is_gone) {
  Took took = Took::kMore;
  while (took == Took::kMore)
    for (const auto& want : fetcher_.poll(now_)) took = give(want, large_);
  fetcher_.not_here(owner_, large_id_);
  fetcher_.gone(owner_);
  EXPECT_TRUE(fetcher_.take_failed().empty());
  EXPECT_TRUE(fetcher_.poll(now_).empty());
  finished_.acquire();
  ASSERT_EQ(fetcher_.take_assayed().size(), 1U);
  EXPECT_EQ(fetcher_.take(large_id_), large_);
}

TEST_F(Assaying, what_nobody_needs_any_more_is_dropped_while_it_is_hashed) {
  for (const auto& want : fetcher_.poll(now_)) give(want, large_);
  fetcher_.forget(large_id_);
  fetcher_.need(large_id_, owner_);
  EXPECT_EQ(assay(large_).took, Took::kWhole);
}

TEST_F(Fetching, what_its_sender_has_to_prove_comes_from_that_one_alone) {
  const BlobId result =
      result_name(owner_, node(9), 7, bytes_.size(), {});  // no hash of these bytes
  fetcher_.need(result, owner_, BlobFetcher::Proof::kSender);
  fetcher_.need(result, other_);  // says that it is its own
  const std::span<const std::byte> some = std::span(bytes_).first(1000);
  fetcher_.poll(now_);
  EXPECT_EQ(fetcher_.take_piece(other_, result, 0, some, now_), Took::kNotNow);
  EXPECT_EQ(fetcher_.take_piece(owner_, result, 0, some, now_), Took::kMore);
  EXPECT_EQ(fetcher_.take_piece(other_, result, 1000, some, now_), Took::kNotNow);
  EXPECT_EQ(fetcher_.take_piece(owner_, result, 1000, std::span(bytes_).subspan(1000), now_),
            Took::kWhole);
  EXPECT_EQ(fetcher_.take(result), bytes_);
}

TEST_F(Fetching, what_its_sender_has_to_prove_fails_with_it) {
  const BlobId result = result_name(owner_, node(9), 7, bytes_.size(), {});
  fetcher_.need(result, owner_, BlobFetcher::Proof::kSender);
  fetcher_.need(result, other_);
  fetcher_.forget(id_);
  fetcher_.gone(owner_);
  EXPECT_EQ(fetcher_.take_failed(), std::vector{result});
  EXPECT_TRUE(fetcher_.poll(now_).empty());
}

TEST(ResultName, tells_its_owner_whose_it_is_and_nobody_else_what_it_is_called) {
  const ResultSecret secret{1, 2, 3}, another{1, 2, 4};
  const BlobId id = result_name(node(1), node(2), 7, 100, secret);
  EXPECT_EQ(id.size, 100U);
  EXPECT_TRUE(is_result_name(id, node(1), node(2), 7));
  EXPECT_FALSE(is_result_name(id, node(3), node(2), 7));
  EXPECT_FALSE(is_result_name(id, node(1), node(3), 7));
  EXPECT_FALSE(is_result_name(id, node(1), node(2), 8));
  EXPECT_FALSE(is_result_name(BlobId{content_hash(bytes_of(100)), 100}, node(1), node(2), 7));
  EXPECT_NE(id, result_name(node(1), node(2), 7, 100, another));
  EXPECT_NE(id, result_name(node(1), node(2), 8, 100, secret));
}

TEST(ResultName, of_an_argument_is_that_of_its_place_as_well) {
  const ResultSecret secret{1, 2, 3};
  const BlobId id = argument_name(node(1), node(2), 7, 0, 100, secret);
  EXPECT_EQ(id.size, 100U);
  EXPECT_TRUE(is_argument_name(id, node(1), node(2), 7, 0));
  EXPECT_FALSE(is_argument_name(id, node(1), node(2), 7, 1));
  EXPECT_FALSE(is_argument_name(id, node(1), node(2), 8, 0));
  EXPECT_FALSE(is_argument_name(id, node(2), node(1), 7, 0));
  EXPECT_FALSE(is_result_name(id, node(1), node(2), 7));
  EXPECT_NE(id, argument_name(node(1), node(2), 7, 1, 100, secret));
}

// ---- loose bytes

codec::Bytes joined(const std::array<std::span<const std::byte>, 2>& parts) {
  codec::Bytes all(parts[0].begin(), parts[0].end());
  all.insert(all.end(), parts[1].begin(), parts[1].end());
  return all;
}

TEST(LooseBytes, any_part_of_them_is_that_of_the_whole) {
  const codec::Bytes all = bytes_of(50);
  for (const std::size_t front : {std::size_t{0}, std::size_t{8}, std::size_t{50}}) {
    LooseBytes loose{codec::Bytes(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(front)),
                     std::span(all).subspan(front), nullptr};
    for (std::size_t at = 0; at <= all.size(); ++at) {
      for (std::size_t length = 0; at + length <= all.size(); ++length) {
        const auto part = std::span(all).subspan(at, length);
        ASSERT_EQ(joined(loose.part(at, length)), codec::Bytes(part.begin(), part.end()))
            << front << ' ' << at << ' ' << length;
      }
    }
    const Blob blob(BlobId{{}, all.size()}, LooseBytes(loose));
    EXPECT_TRUE(std::equal(all.begin(), all.end(), blob.bytes().begin(), blob.bytes().end()));
    EXPECT_EQ(std::move(loose).whole(), all);
  }
}

TEST(Likenesses, know_what_was_there_lately_by_its_samples) {
  const codec::Bytes one = bytes_of(1'000'000, 1), other = bytes_of(1'000'000, 2);
  const auto as_loose = [](const codec::Bytes& bytes) {
    return LooseBytes{codec::Bytes(8), bytes, nullptr};
  };
  Likenesses known;
  EXPECT_FALSE(known.know(as_loose(one)));
  EXPECT_FALSE(known.know(as_loose(other)));
  EXPECT_TRUE(known.know(as_loose(one)));
  codec::Bytes changed = one;
  changed.back() ^= std::byte{1};
  EXPECT_FALSE(known.know(as_loose(changed)));
  changed.pop_back();
  EXPECT_FALSE(known.know(as_loose(changed)));
  EXPECT_FALSE(known.know(LooseBytes{one, {}, nullptr}));
  EXPECT_FALSE(known.know(LooseBytes{{}, std::span(one).first(1), nullptr}));
  for (unsigned i = 0; i < 300; ++i) known.know(LooseBytes{bytes_of(100, i), {}, nullptr});
  EXPECT_FALSE(known.know(as_loose(one)));  // it has been forgotten
}

// ---- memory

TEST(LargeMemory, what_was_put_aside_is_taken_by_the_next_that_needs_as_much) {
  constexpr std::size_t kSize = 3 * codec::kLarge;
  codec::Bytes first = codec::large_room(kSize);
  first.resize(kSize);
  const std::byte* const where = first.data();
  codec::put_aside(std::move(first));
  EXPECT_NE(codec::large_room(kSize + 1).data(), where);      // too small
  EXPECT_NE(codec::large_room(codec::kLarge).data(), where);  // too large
  codec::Bytes second = codec::large_room(kSize - 1000);
  EXPECT_EQ(second.data(), where);
  EXPECT_TRUE(second.empty());
}

TEST(LargeMemory, what_nobody_takes_goes_back) {
  constexpr std::size_t kSize = 5 * codec::kLarge;
  const auto now = std::chrono::steady_clock::now();
  codec::Bytes first = codec::large_room(kSize);
  const std::size_t room = first.capacity();
  codec::put_aside(std::move(first));
  codec::give_back_large(now);
  first = codec::large_room(kSize - 1000);
  EXPECT_EQ(first.capacity(), room);  // it was still there
  codec::put_aside(std::move(first));
  codec::give_back_large(now + 1h);
  EXPECT_EQ(codec::large_room(kSize - 1000).capacity(), kSize - 1000);
}

TEST(LargeMemory, growing_keeps_what_is_there) {
  codec::Bytes bytes = bytes_of(codec::kLarge);
  const codec::Bytes before = bytes;
  codec::append(bytes, before.data(), before.size());
  ASSERT_EQ(bytes.size(), 2 * before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), bytes.begin()));
  EXPECT_TRUE(std::equal(before.begin(), before.end(),
                         bytes.begin() + static_cast<std::ptrdiff_t>(before.size())));
}

// ---- the rest of fetching

TEST_F(Fetching, fails_when_nobody_who_was_named_has_it) {
  fetcher_.not_here(other_, id_);  // was not asked
  EXPECT_TRUE(fetcher_.take_failed().empty());
  fetcher_.not_here(owner_, id_);
  EXPECT_EQ(fetcher_.take_failed(), std::vector{id_});
  EXPECT_EQ(fetcher_.open(), 0U);
}

TEST_F(Fetching, of_several_owners_one_that_can_be_asked_is_asked) {
  fetcher_.need(id_, second_);
  fetcher_.reachable(second_);
  fetcher_.lost(owner_);
  EXPECT_EQ(fetcher_.poll(now_).front().to, second_);
}

TEST_F(Fetching, does_not_believe_a_size_that_no_memory_could_hold) {
  const BlobId vast{id_.hash, std::uint64_t{1} << 62};
  fetcher_.need(vast, owner_);
  Took took = Took::kMore;
  for (const auto& want : fetcher_.poll(now_))
    if (want.id == vast && took == Took::kMore) took = give(want);
  EXPECT_EQ(took, Took::kNoRoom);
  EXPECT_EQ(fetcher_.take_failed(), std::vector{vast});
}

TEST_F(Fetching, what_was_not_asked_for_or_does_not_fit_is_dropped) {
  EXPECT_EQ(fetcher_.take_piece(owner_, id_, 0, std::span(bytes_).first(10), now_), Took::kNotNow);
  const auto wants = fetcher_.poll(now_);
  EXPECT_EQ(fetcher_.take_piece(owner_, id_, 7, std::span(bytes_).first(10), now_), Took::kNotNow);
  EXPECT_EQ(fetcher_.take_piece(owner_, id_, 0, {}, now_), Took::kNotNow);
  EXPECT_EQ(fetcher_.take_piece(owner_, {{}, 5}, 0, std::span(bytes_).first(5), now_),
            Took::kNotNow);
  for (const auto& want : wants) give(want);
  EXPECT_EQ(give_all(), Took::kWhole);
}

TEST_F(Fetching, nothing_is_a_blob_too) {
  const BlobId nothing{content_hash({}), 0};
  BlobFetcher fetcher;
  fetcher.need(nothing, owner_);
  fetcher.reachable(owner_);
  const auto wants = fetcher.poll(now_);
  ASSERT_EQ(wants.size(), 1U);
  EXPECT_TRUE(fetcher.poll(now_).empty());
  EXPECT_EQ(fetcher.take_piece(owner_, nothing, 0, {}, now_), Took::kWhole);
  EXPECT_TRUE(fetcher.take(nothing).empty());
}

// ---- many nodes

// Nodes whose links carry so many bytes a second in each direction, in virtual time: what fetcher
// and spread do with them.
class Crowd {
 public:
  Crowd(std::size_t readers, std::size_t bytes) : content_(bytes_of(bytes)), nodes_(readers + 1) {
    id_ = {content_hash(content_), content_.size()};
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      nodes_[i].fetcher.need(id_, node(0));
      for (std::size_t j = 0; j < nodes_.size(); ++j) nodes_[i].fetcher.reachable(node(j));
      at(Time{}, [this, i] { poll(i); });
    }
  }

  // Until all have it; how long that took.
  std::chrono::duration<double> run() {
    Time last{};
    while (!events_.empty() && whole_ + 1 < nodes_.size()) {
      const Event event = events_.top();
      events_.pop();
      now_ = last = event.when;
      event.act();
    }
    EXPECT_EQ(whole_ + 1, nodes_.size()) << "somebody waits for ever";
    return last - Time{};
  }

  void kill(std::size_t victim, std::chrono::milliseconds when) {
    at(Time{} + when, [this, victim] {
      if (!nodes_[victim].whole) ++whole_;  // nobody waits for it
      nodes_[victim].dead = true;
      nodes_[victim].wants.clear();
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        nodes_[i].fetcher.gone(node(victim));
        nodes_[i].spread.gone(node(victim));
        std::erase_if(nodes_[i].wants, [&](const Asked& asked) { return asked.by == victim; });
        poll(i);
      }
    });
  }

  std::uint64_t given_by(std::size_t i) const { return nodes_[i].given; }

 private:
  static constexpr double kBytesPerSecond = 1e9;
  static constexpr auto kDelay = 50us;

  struct Asked {
    std::size_t by;
    BlobFetcher::Want want;
  };
  struct Member {
    BlobFetcher fetcher{{.piece = 64 * 1024, .window = std::size_t{1} << 20}};
    BlobSpread spread;
    std::deque<Asked> wants;
    Time sends_until{};
    bool whole = false, dead = false;
    std::uint64_t given = 0;
  };
  struct Event {
    Time when;
    std::uint64_t number;
    std::function<void()> act;
    bool operator<(const Event& other) const {
      return std::pair(other.when, other.number) < std::pair(when, number);
    }
  };

  void at(Time when, std::function<void()> act) {
    events_.push({when, events_made_++, std::move(act)});
  }

  static std::size_t number(const NodeId& id) {
    std::size_t number = 0;
    for (std::size_t i = 0; i < 8; ++i) number = number << 8 | id.bytes[i];
    return number;
  }

  void poll(std::size_t i) {
    if (nodes_[i].dead) return;
    for (const BlobFetcher::Want& want : nodes_[i].fetcher.poll(now_)) {
      const std::size_t to = number(want.to);
      at(now_ + kDelay, [this, i, to, want] {
        if (nodes_[to].dead) return;
        nodes_[to].wants.push_back({i, want});
        serve(to);
      });
    }
    if (const Time due = nodes_[i].fetcher.next_due(); due != Time::max())
      at(due, [this, i] { poll(i); });
  }

  void serve(std::size_t i) {
    Member& self = nodes_[i];
    if (self.dead) return;
    const bool whole = i == 0 || self.whole;
    for (std::size_t n = 0; n < self.wants.size();) {
      const auto [by, want] = self.wants[n];
      if (whole && !want.insist) {
        if (const auto other = self.spread.instead(id_, node(by))) {
          std::erase_if(self.wants, [by = by](const Asked& asked) { return asked.by == by; });
          at(now_ + kDelay, [this, i, by = by, other = *other] {
            nodes_[by].fetcher.ask_instead(node(i), id_, other, now_);
            poll(by);
          });
          n = 0;
          continue;
        }
      }
      if (!whole && self.fetcher.so_far(id_).size() < want.at + want.length) {
        ++n;
        continue;
      }
      self.sends_until = std::max(self.sends_until, now_) +
                         std::chrono::duration_cast<Time::duration>(
                             std::chrono::duration<double>(want.length / kBytesPerSecond));
      self.given += want.length;
      self.wants.erase(self.wants.begin() + static_cast<std::ptrdiff_t>(n));
      at(self.sends_until + kDelay, [this, i, by = by, want = want] {
        Member& reader = nodes_[by];
        if (nodes_[i].dead || reader.dead) return;
        const auto took = reader.fetcher.take_piece(
            node(i), id_, want.at, std::span(content_).subspan(want.at, want.length), now_);
        if (took == BlobFetcher::Took::kWhole) {
          reader.fetcher.take(id_);
          reader.whole = true;
          ++whole_;
        }
        poll(by);
        serve(by);
      });
    }
  }

  const codec::Bytes content_;
  BlobId id_;
  std::vector<Member> nodes_;
  std::priority_queue<Event> events_;
  std::uint64_t events_made_ = 0;
  std::size_t whole_ = 0;
  Time now_{};
};

TEST(BlobSpread, the_time_to_reach_many_grows_with_their_logarithm) {
  constexpr std::size_t kBytes = 8 << 20;
  const double one = Crowd(1, kBytes).run().count();
  std::map<std::size_t, double> times;
  for (const std::size_t readers : {2, 8, 32, 128}) {
    Crowd crowd(readers, kBytes);
    times[readers] = crowd.run().count();
    // From the owner twice, however many there are.
    EXPECT_LE(crowd.given_by(0), 3 * kBytes) << readers;
    RecordProperty("times one, " + std::to_string(readers), std::to_string(times[readers] / one));
  }
  // One by one it would take 8, 32 and 128 times as long.
  EXPECT_LT(times[8], 3 * one);
  EXPECT_LT(times[32], 4 * one);
  EXPECT_LT(times[128], 5 * one);
}

TEST(BlobSpread, whoever_loses_the_node_that_it_was_sent_to_gets_it_all_the_same) {
  Crowd crowd(20, 8 << 20);
  crowd.kill(1, 5ms);
  crowd.kill(4, 8ms);
  crowd.kill(9, 10ms);
  EXPECT_LT(crowd.run().count(), 1.0);
}

TEST(BlobSpread, small_ones_and_early_readers_are_served_at_once) {
  BlobSpread spread;
  const BlobId small{{}, 1000}, large{{}, 64 << 20};
  for (std::size_t i = 1; i < 10; ++i) EXPECT_FALSE(spread.instead(small, node(i)));
  EXPECT_FALSE(spread.instead(large, node(1)));
  EXPECT_FALSE(spread.instead(large, node(2)));
  EXPECT_EQ(spread.instead(large, node(3)), node(1));
  EXPECT_EQ(spread.instead(large, node(4)), node(1));
  EXPECT_EQ(spread.instead(large, node(5)), node(2));
  EXPECT_EQ(spread.instead(large, node(7)), node(2));
  EXPECT_EQ(spread.instead(large, node(6)), node(3));
  EXPECT_EQ(spread.instead(large, node(3)), node(1));  // the same answer for the same one
  spread.gone(node(1));
  EXPECT_FALSE(spread.instead(large, node(4)));
}

}  // namespace
}  // namespace pp::runtime
