// Approaches in virtual time: which member is dialled, at which of its addresses, and when again.
#include "approaches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using transport::RefusalReason;

const Address kA{"a", 1}, kB{"b", 2}, kC{"c", 3};

Time at(std::chrono::nanoseconds since_start) { return Time{} + seconds(1000) + since_start; }

NodeId id_of(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}
const NodeId kSmall = id_of(1), kSelf = id_of(5), kGreat = id_of(7), kGreatest = id_of(9);

class ApproachesOf5 : public ::testing::Test {
 protected:
  // Goes to the next moment at which something is wanted, and dials `ways` of everybody named.
  std::vector<Address> next(const std::vector<Address>& ways = {kA}) {
    now = std::max(now, approaches.next_due());
    std::vector<Address> dialled;
    for (const NodeId& node : approaches.due(now))
      if (const auto address = approaches.next_address(node, ways)) dialled.push_back(*address);
    return dialled;
  }

  Approaches approaches{1, kSelf};
  Time now = at(seconds(0));
};

TEST_F(ApproachesOf5, nobody_is_wanted_at_first) {
  EXPECT_EQ(approaches.next_due(), Time::max());
  EXPECT_THAT(approaches.due(now), IsEmpty());
  EXPECT_EQ(approaches.next_address(kGreat, {kA}), std::nullopt);
}

TEST_F(ApproachesOf5, the_one_with_the_smaller_id_dials_first) {
  approaches.set_neighbours({kSmall, kGreat, kGreatest}, now);
  EXPECT_THAT(approaches.due(now), UnorderedElementsAre(kGreat, kGreatest));
  approaches.next_address(kGreat, {kA});
  approaches.next_address(kGreatest, {kB});
  EXPECT_THAT(approaches.due(now), IsEmpty());
  EXPECT_EQ(approaches.next_due(), now + milliseconds(100));  // if it has not come until then
  EXPECT_THAT(approaches.due(now + milliseconds(100)), ElementsAre(kSmall));
}

TEST_F(ApproachesOf5, who_is_held_is_dialled_later) {
  approaches.want(kGreat, now, now + seconds(5));
  approaches.hold(kGreat, now + milliseconds(10));
  EXPECT_THAT(approaches.due(now), IsEmpty());
  EXPECT_EQ(approaches.next_due(), now + milliseconds(10));
  EXPECT_THAT(approaches.due(now + milliseconds(10)), ElementsAre(kGreat));
  approaches.hold(kSmall, now + seconds(1));  // nobody wants it
  EXPECT_THAT(approaches.due(now + milliseconds(10)), ElementsAre(kGreat));
}

TEST_F(ApproachesOf5, who_has_come_need_not_be_dialled) {
  approaches.set_neighbours({kSmall}, now);
  approaches.up(kSmall);
  EXPECT_EQ(approaches.next_due(), Time::max());
  EXPECT_THAT(approaches.due(now + seconds(1)), IsEmpty());
}

TEST_F(ApproachesOf5, a_neighbour_named_again_waits_no_longer) {
  approaches.set_neighbours({kSmall}, now);
  approaches.set_neighbours({kSmall}, now + milliseconds(80));
  EXPECT_EQ(approaches.next_due(), now + milliseconds(100));
}

TEST_F(ApproachesOf5, who_is_no_neighbour_any_more_is_not_dialled) {
  approaches.set_neighbours({kGreat}, now);
  approaches.set_neighbours({kGreatest}, now);
  EXPECT_THAT(approaches.due(now), ElementsAre(kGreatest));
}

TEST_F(ApproachesOf5, a_dial_under_way_is_not_repeated) {
  approaches.set_neighbours({kGreat}, now);
  EXPECT_THAT(next(), ElementsAre(kA));
  approaches.set_neighbours({kGreat}, now + seconds(1));
  approaches.want(kGreat, now + seconds(1), now + seconds(9));
  EXPECT_THAT(approaches.due(now + seconds(1)), IsEmpty());
  EXPECT_EQ(approaches.next_due(), Time::max());
}

TEST_F(ApproachesOf5, all_ways_are_tried_in_turn_and_then_there_is_a_pause) {
  const std::vector<Address> ways{kA, kB, kC};
  approaches.set_neighbours({kGreat}, now);
  for (const Address& way : ways) {
    EXPECT_THAT(next(ways), ElementsAre(way));
    EXPECT_EQ(now, at(seconds(0)));
    const auto failed = approaches.failed(way, now);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->node, kGreat);
    EXPECT_EQ(failed->all_ways, way == kC);
  }
  EXPECT_GT(approaches.next_due(), now);
  EXPECT_THAT(next(ways), ElementsAre(kA));  // the most promising first
}

TEST_F(ApproachesOf5, ways_that_have_become_fewer_are_not_counted) {
  approaches.set_neighbours({kGreat}, now);
  EXPECT_THAT(next({kA, kB, kC}), ElementsAre(kA));
  EXPECT_FALSE(approaches.failed(kA, now)->all_ways);
  EXPECT_THAT(next({kB}), ElementsAre(kB));
  EXPECT_TRUE(approaches.failed(kB, now)->all_ways);
}

TEST_F(ApproachesOf5, a_member_without_an_address_is_given_up) {
  approaches.set_neighbours({kGreat}, now);
  EXPECT_THAT(next({}), IsEmpty());
  EXPECT_EQ(approaches.next_due(), Time::max());
}

TEST_F(ApproachesOf5, pauses_grow_from_a_tenth_of_a_second_to_five_and_are_jittered) {
  approaches.set_neighbours({kGreat}, now);
  ASSERT_THAT(next(), ElementsAre(kA));
  milliseconds whole(100);
  for (int i = 0; i < 12; ++i) {
    const Time before = now;
    EXPECT_TRUE(approaches.failed(kA, now)->all_ways);
    ASSERT_THAT(next(), ElementsAre(kA));
    EXPECT_GE(now - before, whole / 2);
    EXPECT_LE(now - before, whole);
    whole = std::min(2 * whole, milliseconds(5000));
  }
}

TEST(Approaches, pauses_depend_on_the_seed_and_on_nothing_else) {
  const auto first_pauses = [](std::uint64_t seed) {
    Approaches approaches(seed, kSelf);
    approaches.set_neighbours({kGreat}, at(seconds(0)));
    std::vector<Time> times;
    for (int i = 0; i < 5; ++i) {
      const Time now = std::max(at(seconds(0)), approaches.next_due());
      approaches.due(now);
      approaches.next_address(kGreat, {kA});
      approaches.failed(kA, now);
      times.push_back(now);
    }
    return times;
  };
  EXPECT_EQ(first_pauses(1), first_pauses(1));
  EXPECT_NE(first_pauses(1), first_pauses(2));
}

TEST_F(ApproachesOf5, a_pause_outlives_the_wish) {
  approaches.want(kGreat, now, now + seconds(1));
  ASSERT_THAT(next(), ElementsAre(kA));
  approaches.failed(kA, now);
  const Time again = approaches.next_due();
  approaches.set_neighbours({}, now + seconds(2));
  EXPECT_EQ(approaches.next_due(), Time::max());
  approaches.set_neighbours({kGreat}, now);
  EXPECT_EQ(approaches.next_due(), again);
  approaches.want(kGreat, now, now + seconds(1));
  EXPECT_EQ(approaches.next_due(), again) << "wishing does not help against a closed door";
}

TEST_F(ApproachesOf5, somebody_forgotten_is_met_as_for_the_first_time) {
  approaches.set_neighbours({kGreat}, now);
  ASSERT_THAT(next(), ElementsAre(kA));
  approaches.failed(kA, now);
  approaches.forget(kGreat);
  EXPECT_EQ(approaches.next_due(), Time::max());
  approaches.set_neighbours({kGreat}, now);
  EXPECT_EQ(approaches.next_due(), now);
}

TEST_F(ApproachesOf5, who_is_wanted_is_dialled_at_once_whoever_has_the_smaller_id) {
  approaches.want(kSmall, now, now + seconds(5));
  EXPECT_THAT(approaches.due(now), ElementsAre(kSmall));
}

TEST_F(ApproachesOf5, a_neighbour_that_is_wanted_is_not_waited_for) {
  approaches.set_neighbours({kSmall}, now);
  approaches.want(kSmall, now, now + seconds(5));
  EXPECT_THAT(approaches.due(now), ElementsAre(kSmall));
}

TEST_F(ApproachesOf5, who_was_wanted_is_not_any_more_when_its_time_is_over) {
  approaches.want(kGreat, now, now + seconds(2));
  for (int dials = 0; !next().empty(); ++dials) {
    ASSERT_LT(dials, 30);
    ASSERT_LE(now, at(seconds(2)));
    approaches.failed(kA, now);
  }
  EXPECT_EQ(approaches.next_due(), Time::max());
}

TEST_F(ApproachesOf5, a_later_wish_prolongs_an_earlier_one_and_an_earlier_one_shortens_none) {
  approaches.want(kGreat, now, now + seconds(2));
  approaches.want(kGreat, now, now + seconds(60));
  approaches.want(kGreat, now, now + seconds(1));
  for (int dials = 0; now < at(seconds(50)); ++dials) {
    ASSERT_THAT(next(), ElementsAre(kA));
    approaches.failed(kA, now);
  }
}

TEST_F(ApproachesOf5, a_neighbour_is_dialled_for_ever) {
  approaches.set_neighbours({kGreat}, now);
  for (int dials = 0; dials < 100; ++dials) {
    ASSERT_THAT(next(), ElementsAre(kA));
    approaches.failed(kA, now);
  }
}

TEST_F(ApproachesOf5, what_was_no_dial_of_ours_is_nobodys_failure) {
  approaches.set_neighbours({kGreat}, now);
  EXPECT_FALSE(approaches.failed(kA, now));
  ASSERT_THAT(next(), ElementsAre(kA));
  EXPECT_FALSE(approaches.failed(kB, now));
  approaches.refused(kB, RefusalReason::kWrongKey, now);
  EXPECT_TRUE(approaches.failed(kA, now));
  EXPECT_FALSE(approaches.failed(kA, now)) << "told twice";
}

TEST_F(ApproachesOf5, a_duplicate_is_no_failure_but_is_not_repeated_at_once) {
  approaches.set_neighbours({kGreat}, now);
  for (int i = 0; i < 20; ++i) {
    const Time before = now;
    ASSERT_THAT(next(), ElementsAre(kA));
    if (i > 0) {
      EXPECT_GE(now - before, milliseconds(50));
      EXPECT_LE(now - before, milliseconds(100)) << "pauses do not grow";
    }
    approaches.refused(kA, RefusalReason::kDuplicate, now);
  }
}

TEST_F(ApproachesOf5, whoever_wants_a_session_does_not_repeat_a_duplicate_at_once) {
  for (int i = 0; i < 20; ++i) {
    const Time before = now;
    approaches.want(kGreat, now, now + std::chrono::seconds(5));
    ASSERT_THAT(next(), ElementsAre(kA));
    if (i > 0) {
      EXPECT_GE(now - before, milliseconds(50));
    }
    approaches.refused(kA, RefusalReason::kDuplicate, now);
  }
}

TEST_F(ApproachesOf5, other_refusals_are_followed_by_growing_pauses) {
  for (const RefusalReason reason : {RefusalReason::kWrongKey, RefusalReason::kFunctionTable,
                                     RefusalReason::kTooMany, RefusalReason::kTimeout}) {
    Approaches fresh(1, kSelf);
    fresh.set_neighbours({kGreat}, now);
    Time time = now;
    for (int i = 0; i < 10; ++i) {
      time = std::max(time, fresh.next_due());
      ASSERT_THAT(fresh.due(time), ElementsAre(kGreat));
      fresh.next_address(kGreat, {kA, kB});
      fresh.refused(i % 2 == 0 ? kA : kB, reason, time);
      fresh.refused(i % 2 == 0 ? kB : kA, reason, time);  // whichever it was
    }
    EXPECT_GE(time - now, seconds(5)) << to_string(reason);
  }
}

TEST_F(ApproachesOf5, an_address_that_leads_to_ourselves_is_passed_over) {
  approaches.set_neighbours({kGreat}, now);
  ASSERT_THAT(next({kA, kB}), ElementsAre(kA));
  approaches.refused(kA, RefusalReason::kSelf, now);
  EXPECT_EQ(approaches.next_due(), now);
  ASSERT_THAT(next({kA, kB}), ElementsAre(kB));
  approaches.refused(kB, RefusalReason::kSelf, now);
  EXPECT_GT(approaches.next_due(), now);
}

TEST_F(ApproachesOf5, a_session_that_lasted_leaves_no_grudge_and_a_short_one_does) {
  const auto lose = [&](Clock::duration lasted) {
    const Time since = now;
    approaches.up(kGreat);
    now += lasted;
    approaches.down(kGreat, since, now);
    approaches.set_neighbours({kGreat}, now);
    return std::max(now, approaches.next_due()) - now;
  };
  EXPECT_EQ(lose(seconds(2)), seconds(0));
  EXPECT_EQ(lose(milliseconds(1)), milliseconds(50));
  EXPECT_EQ(lose(milliseconds(1)), milliseconds(100));
  for (int i = 0; i < 10; ++i) lose(milliseconds(1));
  EXPECT_EQ(lose(milliseconds(1)), milliseconds(100)) << "what is open waits for the next one";
  EXPECT_EQ(lose(seconds(2)), seconds(0));
}

// Whoever is told to look again finds something to do, or is told of a later time.
TEST(Approaches, next_due_never_asks_in_a_circle) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    Approaches approaches(seed, kSelf);
    Time now = at(seconds(0));
    const std::vector<Address> all{kA, kB, kC};
    const auto node = [&] { return id_of(static_cast<std::uint8_t>(1 + random() % 8)); };
    for (int step = 0; step < 300; ++step) {
      switch (random() % 8) {
        case 0:
          approaches.set_neighbours({node(), node()}, now);
          break;
        case 1:
          approaches.want(node(), now, now + milliseconds(random() % 5000));
          break;
        case 2:
          approaches.forget(node());
          break;
        case 3:
          approaches.up(node());
          break;
        case 4:
          approaches.down(node(), now - milliseconds(random() % 4000), now);
          break;
        case 5:
          approaches.failed(all[random() % 3], now);
          break;
        case 6:
          approaches.refused(all[random() % 3], static_cast<RefusalReason>(random() % 9), now);
          break;
        case 7:
          now += milliseconds(random() % 3000);
          break;
      }
      for (const NodeId& due : approaches.due(now)) {
        std::vector<Address> ways = all;
        ways.resize(random() % 4);
        approaches.next_address(due, ways);
      }
      ASSERT_GT(approaches.next_due(), now) << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace pp::discovery
