// Prefetch: short jobs are asked for early, long ones are not hoarded.
#include "prefetch.hpp"

#include <gtest/gtest.h>

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;

constexpr Prefetch::Time kNow = Prefetch::Time{} + 1h;

TEST(Prefetch, without_experience_a_node_asks_when_it_is_idle) {
  Prefetch prefetch;
  EXPECT_EQ(prefetch.low_water(4, kNow), 0u);
  prefetch.answered(100us);
  EXPECT_EQ(prefetch.low_water(4, kNow), 0u) << "nothing is known of the jobs yet";
}

TEST(Prefetch, short_jobs_are_asked_for_while_the_rest_lasts_a_round_trip) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100us, kNow);
  EXPECT_EQ(prefetch.low_water(1, kNow), 10u);
  EXPECT_EQ(prefetch.low_water(4, kNow), 40u);
}

TEST(Prefetch, jobs_longer_than_a_round_trip_are_not_hoarded) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100ms, kNow);
  EXPECT_EQ(prefetch.low_water(64, kNow), 0u);
}

TEST(Prefetch, of_jobs_that_last_several_round_trips_one_is_kept_waiting) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 10ms, kNow);
  EXPECT_EQ(prefetch.low_water(1, kNow), 1u);
  EXPECT_EQ(prefetch.low_water(8, kNow), 1u);
  EXPECT_EQ(prefetch.low_water(64, kNow), 7u) << "so many end in a round trip";
  EXPECT_EQ(prefetch.low_water(64, prefetch.until()), 7u);
  EXPECT_EQ(prefetch.low_water(64, prefetch.until() + 1ns), 0u);
}

TEST(Prefetch, what_is_asked_for_has_a_limit) {
  Prefetch prefetch;
  prefetch.answered(1s);
  prefetch.ran(1'000'000, 1ms, kNow);
  EXPECT_EQ(prefetch.low_water(64, kNow), 1024u);
}

TEST(Prefetch, the_last_few_jobs_and_answers_count) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100us, kNow);
  for (std::uint64_t n = 1; n <= 40; ++n) prefetch.ran(10 + n, 100us + n * 10ms, kNow);
  EXPECT_EQ(prefetch.low_water(1, kNow), 0u);
  for (int n = 0; n < 40; ++n) prefetch.answered(50ms);
  EXPECT_GE(prefetch.low_water(1, kNow), 4u);
}

TEST(Prefetch, once_none_has_ended_for_a_while_those_that_run_are_taken_for_long) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100us, kNow);
  EXPECT_EQ(prefetch.low_water(1, kNow + 200us), 10u);
  prefetch.ran(10, 100us, kNow + 5ms);
  EXPECT_EQ(prefetch.low_water(1, kNow + 5ms), 0u);
  prefetch.ran(11, 110us, kNow + 6ms);
  EXPECT_EQ(prefetch.low_water(1, kNow + 6ms), 10u);
}

TEST(Prefetch, no_new_jobs_change_nothing) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100us, kNow);
  prefetch.ran(10, 100us, kNow);
  EXPECT_EQ(prefetch.low_water(1, kNow), 10u);
}

}  // namespace
}  // namespace pp::runtime
