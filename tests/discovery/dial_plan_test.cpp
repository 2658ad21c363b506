// DialPlan in virtual time: who is dialled, when again, and who never.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <pp/dial_plan.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "sources.hpp"

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using transport::RefusalReason;

const Address kA{"a", 1};
const Address kB{"b", 2};
const Address kC{"c", 3};

NodeId id_of(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}
const NodeId kN = id_of(1);
const NodeId kM = id_of(2);

// Goes to the next moment at which the plan wants something, and returns what it wants.
struct Walk {
  DialPlan& plan;
  Time now = at(seconds(0));
  std::vector<Address> next() {
    now = std::max(now, plan.next_due(now));
    return plan.due(now);
  }
};

TEST(DialPlan, knows_nobody_and_wants_nothing) {
  DialPlan plan(1);
  EXPECT_THAT(plan.due(at(seconds(0))), IsEmpty());
  EXPECT_EQ(plan.next_due(at(seconds(0))), Time::max());
}

TEST(DialPlan, a_sighted_address_is_due_once_and_then_under_way) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.sighted(kA, at(seconds(0)));
  EXPECT_LE(plan.next_due(at(seconds(0))), at(seconds(0)));
  EXPECT_THAT(plan.due(at(seconds(0))), ElementsAre(kA));
  plan.sighted(kA, at(seconds(1)));
  EXPECT_THAT(plan.due(at(seconds(1))), IsEmpty());
}

TEST(DialPlan, a_dial_whose_end_nobody_tells_is_repeated_after_a_minute) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.due(at(seconds(0)));
  EXPECT_THAT(plan.due(at(milliseconds(59'999))), IsEmpty());
  EXPECT_EQ(plan.next_due(at(seconds(30))), at(seconds(60)));
  EXPECT_THAT(plan.due(at(seconds(60))), ElementsAre(kA));
}

TEST(DialPlan, failures_are_followed_by_pauses_from_a_tenth_of_a_second_to_five) {
  DialPlan plan(7);
  plan.sighted(kA, at(seconds(0)));
  Walk walk{plan};
  std::vector<milliseconds> pauses;
  ASSERT_THAT(walk.next(), ElementsAre(kA));
  for (int i = 0; i < 12; ++i) {
    const Time before = walk.now;
    plan.failed(kA, before);
    ASSERT_THAT(walk.next(), ElementsAre(kA));
    pauses.push_back(std::chrono::duration_cast<milliseconds>(walk.now - before));
  }
  milliseconds whole(100);
  for (const milliseconds pause : pauses) {
    EXPECT_GE(pause, whole / 2);
    EXPECT_LE(pause, whole);
    whole = std::min(2 * whole, milliseconds(5000));
  }
}

TEST(DialPlan, pauses_depend_on_the_seed_and_on_nothing_else) {
  const auto first_pauses = [](std::uint64_t seed) {
    DialPlan plan(seed);
    plan.sighted(kA, at(seconds(0)));
    Walk walk{plan};
    std::vector<Time> times;
    for (int i = 0; i < 5; ++i) {
      walk.next();
      times.push_back(walk.now);
      plan.failed(kA, walk.now);
    }
    return times;
  };
  EXPECT_EQ(first_pauses(1), first_pauses(1));
  EXPECT_NE(first_pauses(1), first_pauses(2));
}

TEST(DialPlan, a_member_is_not_dialled_at_any_address_it_is_sighted_at) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.sighted(kB, kN, at(seconds(0)));
  plan.due(at(seconds(0)));
  plan.up(kN, kA, {kA, kC});
  plan.failed(kB, at(seconds(1)));  // the other dial that was under way
  plan.sighted(kB, kN, at(seconds(1)));
  plan.sighted(kC, kN, at(seconds(1)));
  EXPECT_THAT(plan.due(at(seconds(1000))), IsEmpty());
  EXPECT_EQ(plan.next_due(at(seconds(1000))), Time::max());
}

TEST(DialPlan, a_node_that_dialled_us_is_not_dialled_though_its_address_was_written_down) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.up(kN, Address{"a", 54321}, {kA});
  EXPECT_THAT(plan.due(at(seconds(0))), IsEmpty());
  plan.down(kN, at(seconds(1)));
  // The port it dialled from is nobody's address.
  EXPECT_THAT(plan.due(at(seconds(1))), ElementsAre(kA));
}

TEST(DialPlan, a_lost_node_that_was_written_down_is_due_at_once_and_then_with_pauses) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.due(at(seconds(0)));
  for (int i = 0; i < 6; ++i) plan.failed(kA, at(seconds(0)));
  plan.up(kN, kA, {kA});
  plan.down(kN, at(seconds(100)));
  EXPECT_EQ(plan.next_due(at(seconds(100))), at(seconds(100)));
  EXPECT_THAT(plan.due(at(seconds(100))), ElementsAre(kA));
  plan.failed(kA, at(seconds(100)));
  EXPECT_THAT(plan.due(at(seconds(100))), IsEmpty());
  EXPECT_THAT(plan.due(at(seconds(100) + milliseconds(100))), ElementsAre(kA));
}

TEST(DialPlan, a_node_that_said_goodbye_is_forgotten_unless_somebody_wrote_it_down) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.due(at(seconds(0)));
  plan.up(kN, kA, {kA, kB});
  plan.up(kM, kC, {kC});
  plan.left(kN, at(seconds(10)));
  plan.left(kM, at(seconds(10)));
  EXPECT_THAT(plan.due(at(seconds(11))), IsEmpty());
  EXPECT_THAT(plan.due(at(seconds(60))), ElementsAre(kA));
}

TEST(DialPlan, a_peer_that_takes_sessions_only_to_drop_them_is_not_dialled_in_a_circle) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  Walk walk{plan};
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(walk.next(), ElementsAre(kA));
    plan.up(kN, kA, {kA});
    plan.down(kN, walk.now);
  }
  EXPECT_GE(walk.now, at(seconds(9)));
}

TEST(DialPlan, a_lost_node_that_was_only_sighted_is_forgotten) {
  DialPlan plan(1);
  plan.sighted(kA, kN, at(seconds(0)));
  plan.sighted(kB, std::nullopt, at(seconds(0)));
  plan.due(at(seconds(0)));
  plan.up(kN, kA, {kA, kB, kC});
  plan.down(kN, at(seconds(1)));
  EXPECT_EQ(plan.next_due(at(seconds(1))), Time::max());
  plan.failed(kA, at(seconds(2)));  // a dial that was under way brings nothing back
  EXPECT_EQ(plan.next_due(at(seconds(2))), Time::max());
}

TEST(DialPlan, a_member_named_again_and_again_is_none_when_it_is_lost_once) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  for (int i = 0; i < 3; ++i) plan.up(kN, kA, {kA});
  EXPECT_THAT(plan.due(at(seconds(1))), IsEmpty());
  plan.down(kN, at(seconds(2)));
  EXPECT_THAT(plan.due(at(seconds(2))), ElementsAre(kA));
  plan.down(kN, at(seconds(3)));  // one too many is nothing
}

TEST(DialPlan, what_a_member_says_of_itself_is_not_dialled_when_it_is_lost) {
  DialPlan plan(1);
  plan.up(kN, Address{}, {kA, kB});
  plan.down(kN, at(seconds(1)));
  EXPECT_EQ(plan.next_due(at(seconds(1))), Time::max());
}

TEST(DialPlan, somebody_sighted_is_not_dialled_before_the_time_given) {
  DialPlan plan(1);
  plan.sighted(kA, kN, at(seconds(3)));
  plan.sighted(kB, std::nullopt, at(seconds(4)));
  plan.sighted(kA, kN, at(seconds(1)));  // seen again: that makes it no more urgent
  EXPECT_EQ(plan.next_due(at(seconds(0))), at(seconds(3)));
  EXPECT_THAT(plan.due(at(seconds(3))), ElementsAre(kA));
  EXPECT_THAT(plan.due(at(seconds(4))), ElementsAre(kB));
}

TEST(DialPlan, what_somebody_wrote_down_does_not_wait_for_a_sightings_time) {
  DialPlan plan(1);
  plan.sighted(kA, kN, at(seconds(3)));
  plan.sighted(kA, at(seconds(0)));
  EXPECT_LE(plan.next_due(at(seconds(0))), at(seconds(5)));
}

TEST(DialPlan, a_new_process_at_an_old_address_is_met_under_its_own_name) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.up(kN, kA, {kA});
  plan.down(kN, at(seconds(1)));
  EXPECT_THAT(plan.due(at(seconds(1))), ElementsAre(kA));
  plan.up(kM, kA, {kA});
  EXPECT_THAT(plan.due(at(seconds(100))), IsEmpty());
  plan.down(kM, at(seconds(101)));
  EXPECT_THAT(plan.due(at(seconds(101))), ElementsAre(kA));
}

TEST(DialPlan, two_addresses_of_one_node_are_tried_in_turn) {
  DialPlan plan(1);
  plan.sighted(kA, kN, at(seconds(0)));
  plan.sighted(kB, kN, at(seconds(0)));
  const auto first = plan.due(at(seconds(0)));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_THAT(plan.due(at(seconds(1))), IsEmpty());
  plan.failed(first.front(), at(seconds(1)));
  const auto second = plan.due(at(seconds(1)));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_NE(first, second);
}

TEST(DialPlan, nodes_are_dialled_beside_each_other) {
  DialPlan plan(1);
  plan.sighted(kA, kN, at(seconds(0)));
  plan.sighted(kB, kM, at(seconds(0)));
  plan.sighted(kC, at(seconds(0)));
  EXPECT_THAT(plan.due(at(seconds(0))), UnorderedElementsAre(kA, kB, kC));
}

TEST(DialPlan, an_address_only_sighted_is_forgotten_and_one_written_down_is_not) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.sighted(kB, kN, at(seconds(0)));
  Walk walk{plan};
  std::size_t dials_of_b = 0;
  std::size_t dials_of_a = 0;
  while (dials_of_a < 100) {
    for (const Address& address : walk.next()) {
      plan.failed(address, walk.now);
      ++(address == kA ? dials_of_a : dials_of_b);
    }
  }
  EXPECT_EQ(dials_of_b, 10u);
  plan.sighted(kB, kN, walk.now);
  EXPECT_THAT(plan.due(walk.now), ElementsAre(kB)) << "told again, it is tried again";
}

TEST(DialPlan, what_is_written_down_is_kept_though_it_was_sighted_first) {
  DialPlan plan(1);
  plan.sighted(kA, kN, at(seconds(0)));
  plan.sighted(kA, at(seconds(0)));
  Walk walk{plan};
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(walk.next(), ElementsAre(kA));
    plan.failed(kA, walk.now);
  }
}

TEST(DialPlan, this_very_node_is_never_dialled_again_whoever_tells_of_it) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.due(at(seconds(0)));
  plan.refused(kA, RefusalReason::kSelf, at(seconds(0)));
  plan.sighted(kA, at(seconds(1)));
  plan.sighted(kA, kN, at(seconds(1)));
  EXPECT_THAT(plan.due(at(seconds(1000))), IsEmpty());
  EXPECT_EQ(plan.next_due(at(seconds(1000))), Time::max());
}

TEST(DialPlan, what_somebody_must_mend_is_tried_slowly_and_for_ever) {
  for (const RefusalReason reason :
       {RefusalReason::kWrongKey, RefusalReason::kVersion, RefusalReason::kFunctionTable,
        RefusalReason::kLaunch, RefusalReason::kGarbage}) {
    DialPlan plan(1);
    plan.sighted(kA, at(seconds(0)));
    Walk walk{plan};
    for (int i = 0; i < 50; ++i) {
      const Time before = walk.now;
      ASSERT_THAT(walk.next(), ElementsAre(kA)) << to_string(reason);
      if (i > 0) {
        EXPECT_GE(walk.now - before, milliseconds(2500));
        EXPECT_LE(walk.now - before, seconds(60));
      }
      plan.refused(kA, reason, walk.now);
    }
  }
}

TEST(DialPlan, a_crowded_or_slow_node_is_tried_again_soon) {
  for (const RefusalReason reason : {RefusalReason::kTooMany, RefusalReason::kTimeout}) {
    DialPlan plan(1);
    plan.sighted(kA, at(seconds(0)));
    plan.due(at(seconds(0)));
    plan.refused(kA, reason, at(seconds(0)));
    EXPECT_LE(plan.next_due(at(seconds(0))), at(milliseconds(100)));
  }
}

TEST(DialPlan, a_duplicate_is_no_failure_and_waits_for_its_session) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.due(at(seconds(0)));
  plan.refused(kA, RefusalReason::kDuplicate, at(seconds(0)));
  EXPECT_THAT(plan.due(at(seconds(1))), IsEmpty());
  plan.up(kN, Address{"a", 54321}, {kA});
  EXPECT_THAT(plan.due(at(seconds(100))), IsEmpty());
}

TEST(DialPlan, hearsay_about_a_met_node_changes_nothing) {
  DialPlan plan(1);
  plan.sighted(kA, at(seconds(0)));
  plan.due(at(seconds(0)));
  plan.up(kN, kA, {kA});
  plan.sighted(kA, kM, at(seconds(1)));
  EXPECT_THAT(plan.due(at(seconds(1))), IsEmpty());
  plan.sighted(kB, at(seconds(1)));
  plan.up(kM, kB, {kB, kA});  // another host calls the same address its own
  plan.down(kM, at(seconds(2)));
  for (const Address& address : plan.due(at(seconds(200)))) EXPECT_NE(address, kA);
}

TEST(DialPlan, sightings_cannot_fill_the_memory_and_what_is_written_down_is_heard) {
  DialPlan plan(1);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    NodeId node;
    std::memcpy(node.bytes.data(), &i, sizeof i);
    plan.sighted(Address{std::to_string(i), 1}, node, at(seconds(0)));
  }
  EXPECT_EQ(plan.due(at(seconds(0))).size(), 16'384u);
  plan.sighted(kA, at(seconds(0)));
  EXPECT_THAT(plan.due(at(seconds(0))), ElementsAre(kA));
}

// Whatever happens, the plan does not ask to be called again and again for nothing.
TEST(DialPlan, next_due_never_lies) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    DialPlan plan(seed);
    Time now = at(seconds(0));
    const std::vector<Address> all = {kA, kB, kC, {"d", 4}, {"e", 5}};
    for (int step = 0; step < 300; ++step) {
      const Address& address = all[random() % all.size()];
      const NodeId node = id_of(static_cast<std::uint8_t>(random() % 3));
      switch (random() % 7) {
        case 0:
          plan.sighted(address, now);
          break;
        case 1:
          plan.sighted(address, random() % 2 == 0 ? std::optional(node) : std::nullopt,
                       now + milliseconds(random() % 2000));
          break;
        case 2:
          plan.up(node, address, {all[random() % all.size()]});
          break;
        case 3:
          plan.down(node, now);
          break;
        case 4:
          plan.failed(address, now);
          break;
        case 5:
          plan.refused(address, static_cast<RefusalReason>(random() % 9), now);
          break;
        case 6:
          now += milliseconds(random() % 3000);
          break;
      }
      const Time next = plan.next_due(now);
      const bool any = !plan.due(now).empty();
      ASSERT_EQ(any, next <= now) << "seed " << seed << ", step " << step;
      ASSERT_GT(plan.next_due(now), now) << "seed " << seed << ", step " << step;
    }
  }
}

TEST(FixedList, tells_everything_once_and_for_ever) {
  FixedList list({kA, kB});
  Heard heard;
  EXPECT_EQ(list.next_due(at(seconds(1))), at(seconds(1)));
  list.poll(at(seconds(1)), heard);
  for (const Sighting& sighting : heard.sightings) {
    EXPECT_TRUE(sighting.lasting);
    EXPECT_FALSE(sighting.node);
  }
  EXPECT_THAT(heard.take_addresses(), ElementsAre("a:1", "b:2"));
  list.poll(at(seconds(1)), heard);
  EXPECT_THAT(heard.sightings, IsEmpty());
  EXPECT_EQ(list.next_due(at(seconds(1))), Time::max());
  EXPECT_EQ(FixedList({}).next_due(at(seconds(1))), Time::max());
}

}  // namespace
}  // namespace pp::discovery
