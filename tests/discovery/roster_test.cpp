// Roster: which word counts, who stands where in the ring, and what two nodes compare.
#include "roster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <queue>
#include <random>
#include <set>
#include <vector>

#include "gossip.hpp"

namespace pp::discovery {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using Merged = Roster::Merged;

constexpr MemberState kStates[] = {MemberState::kAlive, MemberState::kSuspect, MemberState::kSilent,
                                   MemberState::kGone, MemberState::kLeft};

Time at(std::chrono::nanoseconds since_start) { return Time{} + since_start; }

// In order of their numbers.
NodeId id_of(std::uint32_t number) {
  NodeId id;
  for (std::size_t i = 0; i < 4; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(number >> (8 * (3 - i)));
  return id;
}

Member member(std::uint32_t number, std::uint32_t incarnation = 0,
              MemberState state = MemberState::kAlive) {
  return {id_of(number), "n" + std::to_string(number), {{"h", 1}}, 1, false, "", incarnation,
          state};
}

// Nodes 0 to count - 1; the roster is that of number `self`.
Roster ring_of(std::uint32_t count, std::uint32_t self = 0) {
  Roster roster(id_of(self));
  for (std::uint32_t i = 0; i < count; ++i)
    if (i != self) roster.merge(member(i), at(seconds(0)));
  return roster;
}

// ---- which word counts

TEST(Roster, a_later_incarnation_outweighs_an_earlier_one_and_a_graver_state_a_lighter_one) {
  for (const MemberState known : kStates) {
    for (const MemberState said : kStates) {
      for (const std::uint32_t known_in : {1u, 2u}) {
        for (const std::uint32_t said_in : {1u, 2u}) {
          Roster roster(id_of(0));
          ASSERT_EQ(roster.merge(member(1, known_in, known), at(seconds(0))), Merged::kNew);
          const bool final = known == MemberState::kLeft && said != MemberState::kLeft;
          const bool outweighs =
              !final && (said_in > known_in || (said_in == known_in && said > known));
          const Merged expected = !outweighs      ? Merged::kNothing
                                  : said == known ? Merged::kAgain
                                                  : Merged::kState;
          SCOPED_TRACE(std::string(to_string(known)) + std::to_string(known_in) + ", then " +
                       std::string(to_string(said)) + std::to_string(said_in));
          EXPECT_EQ(roster.merge(member(1, said_in, said), at(seconds(1))), expected);
          const Member& now = *roster.find(id_of(1));
          EXPECT_EQ(now.state, outweighs ? said : known);
          EXPECT_EQ(now.incarnation, outweighs ? said_in : known_in);
          EXPECT_EQ(roster.ring().size(), is_present(now.state) ? 2u : 1u);
          EXPECT_EQ(roster.merge(member(1, said_in, said), at(seconds(2))), Merged::kNothing)
              << "told again, it changes nothing";
        }
      }
    }
  }
}

TEST(Roster, a_goodbye_is_final_whatever_is_said_afterwards) {
  Roster roster(id_of(0));
  roster.merge(member(1, 3, MemberState::kLeft), at(seconds(0)));
  for (const MemberState state : kStates) {
    if (state == MemberState::kLeft) continue;
    EXPECT_EQ(roster.merge(member(1, 100, state), at(seconds(1))), Merged::kNothing);
  }
  // Others may know of a later incarnation, and have to hear that it is that one which left.
  EXPECT_EQ(roster.merge(member(1, 100, MemberState::kLeft), at(seconds(1))), Merged::kAgain);
  EXPECT_THAT(roster.ring(), ElementsAre(id_of(0)));
}

TEST(Roster, a_silent_node_is_taken_back_when_it_objects) {
  Roster roster(id_of(0));
  roster.merge(member(1, 1, MemberState::kSilent), at(seconds(0)));
  EXPECT_THAT(roster.ring(), ElementsAre(id_of(0)));
  EXPECT_EQ(roster.merge(member(1, 1), at(seconds(1))), Merged::kNothing);
  EXPECT_EQ(roster.merge(member(1, 2), at(seconds(1))), Merged::kState);
  EXPECT_THAT(roster.ring(), ElementsAre(id_of(0), id_of(1)));
}

TEST(Roster, what_a_node_says_of_itself_comes_with_a_later_incarnation_only) {
  Roster roster(id_of(0));
  Member said = member(1, 1);
  roster.merge(said, at(seconds(0)));
  said.workers = 8;
  EXPECT_EQ(roster.merge(said, at(seconds(1))), Merged::kNothing);
  EXPECT_EQ(roster.find(id_of(1))->workers, 1u);
  said.incarnation = 2;
  EXPECT_EQ(roster.merge(said, at(seconds(1))), Merged::kAgain);
  EXPECT_EQ(*roster.find(id_of(1)), said);
}

TEST(Roster, a_description_outlives_who_is_said_to_be_dead_by_somebody_who_knows_less) {
  Roster roster(id_of(0));
  roster.merge(member(1, 1), at(seconds(0)));
  Member bare{id_of(1), "", {}, 0, false, "", 2, MemberState::kSilent};
  EXPECT_EQ(roster.merge(bare, at(seconds(1))), Merged::kState);
  Member expected = member(1, 2, MemberState::kSilent);
  EXPECT_EQ(*roster.find(id_of(1)), expected);
  bare.incarnation = 2;
  bare.state = MemberState::kGone;
  roster.merge(bare, at(seconds(2)));
  expected.state = MemberState::kGone;
  EXPECT_EQ(*roster.find(id_of(1)), expected);
}

// As long as nobody leaves (a goodbye is final, and comes once), it does not matter in which order
// the words of a node's life arrive.
TEST(Roster, the_order_of_words_does_not_matter) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<Member> rumours;
    for (int i = 0; i < 12; ++i) {
      rumours.push_back(member(1 + static_cast<std::uint32_t>(random() % 3),
                               static_cast<std::uint32_t>(random() % 3), kStates[random() % 4]));
    }
    Roster one(id_of(0)), other(id_of(0));
    for (const Member& rumour : rumours) one.merge(rumour, at(seconds(0)));
    std::shuffle(rumours.begin(), rumours.end(), random);
    for (const Member& rumour : rumours) other.merge(rumour, at(seconds(0)));
    EXPECT_EQ(one.ring(), other.ring()) << seed;
    EXPECT_EQ(one.digest(0), other.digest(0)) << seed;
    one.each([&](const Member& known) { EXPECT_EQ(known, *other.find(known.node)) << seed; });
  }
}

TEST(Roster, one_gone_wrong_cannot_fill_the_memory) {
  Roster roster(id_of(0));
  for (std::uint32_t i = 1; i <= 65'536; ++i)
    roster.merge(member(i, 0, MemberState::kGone), at(seconds(0)));
  EXPECT_EQ(roster.merge(member(65'537), at(seconds(0))), Merged::kNothing);
  EXPECT_EQ(roster.size(), 65'536u);
  EXPECT_EQ(roster.merge(member(5, 1), at(seconds(0))), Merged::kState) << "those known are heard";
}

// ---- the ring

TEST(Roster, a_node_alone_is_its_own_successor_and_has_no_neighbours) {
  const Roster roster(id_of(5));
  EXPECT_THAT(roster.ring(), ElementsAre(id_of(5)));
  EXPECT_EQ(roster.successor(0), id_of(5));
  EXPECT_EQ(roster.successor(1), id_of(5));
  EXPECT_EQ(roster.predecessor(), id_of(5));
  EXPECT_THAT(roster.neighbours(16), IsEmpty());
  EXPECT_EQ(roster.size(), 0u);
  EXPECT_EQ(roster.find(id_of(5)), nullptr);
}

TEST(Roster, the_ring_goes_round) {
  const Roster roster = ring_of(5, 3);
  EXPECT_EQ(roster.successor(1), id_of(4));
  EXPECT_EQ(roster.successor(2), id_of(0));
  EXPECT_EQ(roster.successor(4), id_of(2));
  EXPECT_EQ(roster.successor(5), id_of(3));
  EXPECT_EQ(roster.predecessor(), id_of(2));
}

TEST(Roster, only_those_present_stand_in_the_ring) {
  Roster roster = ring_of(6);
  roster.merge(member(1, 0, MemberState::kSuspect), at(seconds(1)));  // it may still object
  roster.merge(member(2, 0, MemberState::kSilent), at(seconds(1)));
  roster.merge(member(3, 0, MemberState::kGone), at(seconds(1)));
  roster.merge(member(4, 0, MemberState::kLeft), at(seconds(1)));
  EXPECT_THAT(roster.ring(), ElementsAre(id_of(0), id_of(1), id_of(5)));
  EXPECT_EQ(roster.size(), 5u);
}

TEST(Roster, a_small_ring_is_a_mesh) {
  const Roster roster = ring_of(17, 4);
  EXPECT_EQ(roster.neighbours(16).size(), 16u);
  std::set<NodeId> all;
  for (const NodeId& node : roster.neighbours(16)) all.insert(node);
  EXPECT_EQ(all.size(), 16u);
  EXPECT_FALSE(all.contains(id_of(4)));
  EXPECT_THAT(roster.neighbours(15),
              ElementsAre(id_of(5), id_of(6), id_of(8), id_of(12), id_of(3)));
}

TEST(Roster, neighbours_stand_at_distances_one_two_four) {
  EXPECT_THAT(ring_of(2).neighbours(0), ElementsAre(id_of(1)));
  EXPECT_THAT(ring_of(3).neighbours(0), ElementsAre(id_of(1), id_of(2)));
  EXPECT_THAT(ring_of(4).neighbours(0), ElementsAre(id_of(1), id_of(2)));
  EXPECT_THAT(ring_of(5).neighbours(0), ElementsAre(id_of(1), id_of(2), id_of(4)));
  EXPECT_THAT(ring_of(40, 39).neighbours(16),
              ElementsAre(id_of(0), id_of(1), id_of(3), id_of(7), id_of(15), id_of(31)));
  EXPECT_THAT(ring_of(5).neighbours_of(id_of(3), 0), ElementsAre(id_of(4), id_of(0), id_of(2)));
  EXPECT_THAT(ring_of(5).neighbours_of(id_of(9), 0), IsEmpty()) << "not present";
}

TEST(Roster, any_two_nodes_are_few_steps_apart_and_each_has_few_neighbours) {
  for (const std::uint32_t count : {2u, 3u, 4u, 5u, 7u, 8u, 9u, 31u, 32u, 33u, 100u, 257u}) {
    const Roster roster = ring_of(count);
    const auto bits = static_cast<std::size_t>(std::bit_width(count - 1));
    for (std::uint32_t from = 0; from < count; from += 1 + count / 16) {
      EXPECT_EQ(roster.neighbours_of(id_of(from), 0).size(), bits);
      std::map<NodeId, std::size_t> steps{{id_of(from), 0}};
      std::queue<NodeId> next({id_of(from)});
      while (!next.empty()) {
        const NodeId node = next.front();
        next.pop();
        for (const NodeId& neighbour : roster.neighbours_of(node, 0))
          if (steps.emplace(neighbour, steps[node] + 1).second) next.push(neighbour);
      }
      EXPECT_EQ(steps.size(), count);
      for (const auto& [node, far] : steps) EXPECT_LE(far, bits) << count;
    }
  }
}

TEST(Roster, one_that_joins_moves_few_neighbours) {
  const auto all_neighbours = [](const Roster& roster) {
    std::set<std::pair<NodeId, NodeId>> pairs;
    for (const NodeId& node : roster.ring())
      for (const NodeId& other : roster.neighbours_of(node, 0)) pairs.emplace(node, other);
    return pairs;
  };
  Roster roster(id_of(0));
  for (std::uint32_t i = 2; i < 200; i += 2) roster.merge(member(i), at(seconds(0)));
  const auto before = all_neighbours(roster);
  roster.merge(member(101), at(seconds(1)));
  std::size_t changed = 0;
  for (const auto& pair : all_neighbours(roster)) changed += !before.contains(pair);
  // Of each distance d, those d or fewer places before the new one: 1 + 2 + 4 + ... + 64, and its
  // own.
  EXPECT_LE(changed, 127u + 7u);
}

// ---- comparing

TEST(Roster, digests_are_equal_for_the_same_members_in_the_same_incarnations_whoever_knows_them) {
  constexpr std::uint32_t kCount = 20;
  std::set<std::uint64_t> digests;
  for (std::uint32_t self = 0; self < kCount; ++self) {
    Roster roster(id_of(self));
    for (std::uint32_t step = 0; step < kCount; ++step) {
      const std::uint32_t i = (step * 7 + self) % kCount;  // in another order for each
      if (i != self) roster.merge(member(i, i % 3), at(seconds(0)));
    }
    digests.insert(roster.digest(self % 3));
  }
  EXPECT_EQ(digests.size(), 1u);
}

TEST(Roster, digests_tell_of_each_member_and_each_incarnation) {
  std::set<std::uint64_t> digests{ring_of(20).digest(0), ring_of(20).digest(1),
                                  ring_of(19).digest(0), ring_of(21).digest(0)};
  EXPECT_EQ(digests.size(), 4u);
  for (std::uint32_t i = 1; i < 20; ++i) {
    Roster roster = ring_of(20);
    roster.merge(member(i, 1), at(seconds(1)));
    digests.insert(roster.digest(0));
    roster.merge(member(i, 1, MemberState::kGone), at(seconds(1)));
    digests.insert(roster.digest(0));
  }
  EXPECT_EQ(digests.size(), 4u + 2 * 19 - 1) << "without its last node it is the ring of 19";
}

TEST(Roster, suspicion_does_not_change_a_digest_and_who_is_not_present_does_not_count) {
  Roster roster = ring_of(5);
  const std::uint64_t digest = roster.digest(0);
  roster.merge(member(2, 0, MemberState::kSuspect), at(seconds(1)));
  EXPECT_EQ(roster.digest(0), digest);
  roster.merge(member(9, 0, MemberState::kGone), at(seconds(1)));
  EXPECT_EQ(roster.digest(0), digest);
}

// ---- pages

TEST(Roster, pages_hold_everybody_once_and_in_order) {
  std::mt19937_64 random(3);
  for (const std::size_t room : {std::size_t{0}, std::size_t{500}, kRoomForNews}) {
    Roster roster(id_of(500));
    for (std::uint32_t i = 1; i < 300; ++i) {
      Member each = member(i * 5, 0, kStates[random() % 5]);  // those not present included
      each.name.assign(random() % 65, 'x');
      if (each.node != id_of(500)) roster.merge(each, at(seconds(0)));
    }
    std::vector<Member> read;
    NodeId after{};
    bool last = false;
    for (int pages = 0; !last; ++pages) {
      ASSERT_LT(pages, 400);
      const std::vector<Member> page = roster.page(after, room, last);
      ASSERT_FALSE(page.empty());
      std::size_t used = 0;
      for (const Member& each : page) used += size_of(each);
      EXPECT_TRUE(used <= room || page.size() == 1);
      EXPECT_LE(page.size(), kMostNews);
      read.insert(read.end(), page.begin(), page.end());
      after = page.back().node;
    }
    std::vector<Member> all;
    roster.each([&](const Member& each) { all.push_back(each); });
    EXPECT_EQ(read, all) << room;
    EXPECT_EQ(all.size(), 298u);
  }
}

TEST(Roster, a_page_after_the_last_one_is_empty_and_the_last) {
  const Roster roster = ring_of(5);
  bool last = false;
  EXPECT_THAT(roster.page(id_of(4), kRoomForNews, last), IsEmpty());
  EXPECT_TRUE(last);
  EXPECT_THAT(Roster(id_of(1)).page({}, kRoomForNews, last), IsEmpty());
  EXPECT_TRUE(last);
}

// ---- forgetting

TEST(Roster, who_is_no_member_any_more_is_forgotten_some_time_after_the_last_word) {
  Roster roster(id_of(0));
  roster.merge(member(1), at(seconds(0)));
  roster.merge(member(2, 0, MemberState::kSuspect), at(seconds(0)));
  roster.merge(member(3, 0, MemberState::kGone), at(seconds(0)));
  roster.merge(member(4, 0, MemberState::kLeft), at(seconds(10)));
  roster.merge(member(5), at(seconds(0)));
  roster.merge(member(5, 0, MemberState::kSilent), at(seconds(20)));
  roster.forget(at(seconds(5)));
  EXPECT_EQ(roster.find(id_of(3)), nullptr);
  EXPECT_EQ(roster.size(), 4u);
  roster.forget(at(seconds(15)));
  EXPECT_EQ(roster.find(id_of(4)), nullptr);
  roster.forget(at(seconds(1000)));
  EXPECT_EQ(roster.find(id_of(5)), nullptr);
  EXPECT_THAT(roster.ring(), ElementsAre(id_of(0), id_of(1), id_of(2))) << "who is present stays";
  EXPECT_EQ(roster.merge(member(3), at(seconds(1001))), Merged::kNew);
}

}  // namespace
}  // namespace pp::discovery
