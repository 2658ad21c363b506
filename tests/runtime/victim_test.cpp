// Victim: what a thief gets, and who waits for how long.
#include "victim.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace pp::runtime {
namespace {

using Gift = Victim::Gift;
using Stock = Victim::Stock;

constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();

Victim::Thief thief(std::uint32_t workers, std::uint64_t session = 1) {
  return {SessionId{session}, workers, workers};
}
Stock stock(std::size_t own, std::size_t borrowed, std::uint32_t workers, std::uint32_t idle) {
  return {.own = own, .borrowed = borrowed, .workers = workers, .idle = idle};
}

#define EXPECT_GIFT(gift, lent, returned) \
  do {                                    \
    const Gift got = gift;                \
    EXPECT_EQ(got.lend, lent);            \
    EXPECT_EQ(got.give_back, returned);   \
  } while (false)

TEST(Victim, between_equals_half_goes) {
  EXPECT_GIFT(Victim::decide(stock(100, 0, 4, 0), thief(4), false), 50u, 0u);
}

TEST(Victim, who_has_more_workers_gets_more) {
  EXPECT_GIFT(Victim::decide(stock(100, 0, 4, 0), thief(12), false), 75u, 0u);
  EXPECT_GIFT(Victim::decide(stock(100, 0, 12, 0), thief(4), false), 25u, 0u);
}

TEST(Victim, in_a_cluster_of_many_each_gets_half_its_part) {
  Stock has = stock(1000, 0, 4, 0);
  has.everybody = 100;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 20u, 0u);
  EXPECT_GIFT(Victim::decide(has, thief(16), false), 80u, 0u);
  has.everybody = 1'000'000;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 1u, 0u);
}

TEST(Victim, a_thief_gets_what_lasts_it_a_round_trip_but_never_more_than_half) {
  Stock has = stock(1000, 0, 4, 0);
  has.everybody = 100;
  Victim::Thief asks = thief(4);
  asks.wants = 100;
  EXPECT_GIFT(Victim::decide(has, asks, false), 100u, 0u);
  asks.wants = kMost;
  EXPECT_GIFT(Victim::decide(has, asks, false), 500u, 0u);
  has.everybody = 1;  // as if nobody else were there
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 500u, 0u);
}

TEST(Victim, borrowed_jobs_that_will_be_begun_before_more_could_come_stay) {
  Stock has = stock(0, 100, 4, 0);
  has.keep = 20;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 0u, 40u);
  has.keep = 100;
  EXPECT_TRUE(Victim::decide(has, thief(4), false).none());
  has.own = 1;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 1u, 0u);
}

TEST(Victim, our_own_idle_workers_come_first) {
  EXPECT_GIFT(Victim::decide(stock(10, 0, 4, 4), thief(4), false), 3u, 0u);
  EXPECT_TRUE(Victim::decide(stock(4, 0, 4, 4), thief(4), false).none());
  EXPECT_TRUE(Victim::decide(stock(3, 0, 4, 4), thief(400), false).none());
}

TEST(Victim, one_job_at_least_when_there_is_one_too_many) {
  EXPECT_GIFT(Victim::decide(stock(1, 0, 64, 0), thief(1), false), 1u, 0u);
  EXPECT_GIFT(Victim::decide(stock(5, 0, 64, 4), thief(1), false), 1u, 0u);
}

TEST(Victim, nothing_of_nothing) {
  EXPECT_TRUE(Victim::decide(stock(0, 0, 4, 0), thief(4), false).none());
  EXPECT_TRUE(Victim::decide(stock(0, 0, 4, 4), thief(4), false).none());
}

TEST(Victim, nothing_for_a_node_that_we_are_asking) {
  EXPECT_TRUE(Victim::decide(stock(100, 100, 4, 0), thief(4), true).none());
}

TEST(Victim, borrowed_jobs_go_back_only_when_there_are_none_of_our_own) {
  EXPECT_GIFT(Victim::decide(stock(0, 100, 4, 0), thief(4), false), 0u, 50u);
  EXPECT_GIFT(Victim::decide(stock(0, 10, 4, 4), thief(4), false), 0u, 3u);
  EXPECT_GIFT(Victim::decide(stock(1, 100, 4, 0), thief(4), false), 1u, 0u);
}

TEST(Victim, borrowed_jobs_feed_our_own_idle_workers_too) {
  EXPECT_GIFT(Victim::decide(stock(10, 4, 4, 4), thief(4), false), 5u, 0u);
  EXPECT_TRUE(Victim::decide(stock(2, 2, 4, 4), thief(4), false).none());
}

TEST(Victim, jobs_that_stay_here_feed_our_own_idle_workers) {
  Stock has = stock(10, 0, 4, 4);
  has.pinned = 4;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 5u, 0u);
  has = stock(0, 0, 4, 0);
  has.pinned = 100;
  EXPECT_TRUE(Victim::decide(has, thief(4), false).none());
}

TEST(Victim, jobs_that_may_not_run_here_go_whatever_our_own_idle_workers_need) {
  Stock has = stock(0, 0, 4, 4);
  has.elsewhere = 1;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 1u, 0u);
  EXPECT_GIFT(Victim::decide(has, thief(4), true), 1u, 0u);
  has.elsewhere = 100;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 50u, 0u);
  EXPECT_TRUE(Victim::decide(has, thief(0), false).none());
  has = stock(100, 0, 4, 0);
  has.elsewhere = 1;
  EXPECT_GIFT(Victim::decide(has, thief(4), false), 51u, 0u);
}

TEST(Victim, a_thief_without_workers_gets_nothing) {
  EXPECT_TRUE(Victim::decide(stock(100, 0, 4, 0), thief(0), false).none());
}

TEST(Victim, what_a_thief_claims_of_itself_breaks_nothing) {
  for (std::uint32_t workers = kMost - 8; workers != 0; ++workers) {  // up to the largest
    for (const std::uint32_t ours : {0u, 1u, 2u, 8u, kMost}) {
      const Gift gift = Victim::decide(stock(100, 0, ours, 0), thief(workers), false);
      EXPECT_GE(gift.lend, ours == kMost ? 1u : 99u) << workers << " to " << ours;
      EXPECT_LE(gift.lend, 100u) << workers << " to " << ours;
    }
  }
}

TEST(Victim, never_gives_more_than_it_has_to_spare) {
  for (std::size_t own = 0; own < 12; ++own) {
    for (std::size_t borrowed = 0; borrowed < 6; ++borrowed) {
      for (std::uint32_t idle = 0; idle < 8; ++idle) {
        for (const std::uint32_t workers : {1u, 3u, 100u}) {
          const Gift gift = Victim::decide(stock(own, borrowed, 8, idle), thief(workers), false);
          ASSERT_LE(gift.lend, own);
          ASSERT_LE(gift.give_back, borrowed);
          ASSERT_TRUE(gift.lend == 0 || gift.give_back == 0);
          ASSERT_TRUE(gift.none() || gift.lend + gift.give_back + idle <= own + borrowed);
          ASSERT_EQ(gift.none(), own + borrowed <= idle);
        }
      }
    }
  }
}

class Lifelines : public testing::Test {
 protected:
  std::vector<std::uint64_t> waiting() const {
    std::vector<std::uint64_t> sessions;
    for (const Victim::Thief& each : victim.parked()) {
      sessions.push_back(static_cast<std::uint64_t>(each.session));
    }
    return sessions;
  }
  using Sessions = std::vector<std::uint64_t>;

  Victim victim;
};

TEST_F(Lifelines, who_waits_longest_comes_first) {
  EXPECT_FALSE(victim.anybody_parked());
  for (const std::uint64_t session : {5u, 2u, 9u}) victim.park(thief(1, session));
  EXPECT_TRUE(victim.anybody_parked());
  EXPECT_EQ(waiting(), (Sessions{5, 2, 9}));
}

TEST_F(Lifelines, a_later_request_replaces_the_thiefs_earlier_one) {
  victim.park(thief(1, 5));
  victim.park(thief(1, 2));
  victim.park(thief(8, 5));
  EXPECT_EQ(waiting(), (Sessions{2, 5}));
  EXPECT_EQ(victim.parked().back().workers, 8u);
}

TEST_F(Lifelines, a_parked_thief_has_as_many_workers_as_it_last_said) {
  victim.park(thief(4, 5));
  victim.heard(SessionId{5}, 0, 0);
  victim.heard(SessionId{6}, 9, 9);
  ASSERT_EQ(waiting(), (Sessions{5}));
  EXPECT_EQ(victim.parked().front().workers, 0u);
}

TEST_F(Lifelines, a_parked_thief_is_sent_on_once_for_each_request) {
  victim.park(thief(1, 5));
  EXPECT_TRUE(victim.send_on(SessionId{5}));
  EXPECT_FALSE(victim.send_on(SessionId{5}));
  victim.park(thief(1, 5));
  EXPECT_TRUE(victim.send_on(SessionId{5}));
}

TEST_F(Lifelines, the_workers_of_those_that_wait_are_counted) {
  EXPECT_EQ(victim.parked_workers(), 0u);
  victim.park(thief(4, 5));
  victim.park(thief(8, 6));
  EXPECT_EQ(victim.parked_workers(), 12u);
  victim.park(thief(kMost, 7));
  EXPECT_EQ(victim.parked_workers(), kMost);
}

TEST_F(Lifelines, who_was_served_or_has_gone_waits_no_more) {
  for (const std::uint64_t session : {1u, 2u, 3u}) victim.park(thief(1, session));
  victim.unpark(SessionId{2});
  victim.unpark(SessionId{2});
  victim.unpark(SessionId{77});
  EXPECT_EQ(waiting(), (Sessions{1, 3}));
  victim.unpark(SessionId{1});
  victim.unpark(SessionId{3});
  EXPECT_FALSE(victim.anybody_parked());
}

}  // namespace
}  // namespace pp::runtime
