// Prefetch: short jobs are asked for early, long ones are not hoarded.
#include "prefetch.hpp"

#include <gtest/gtest.h>

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;

TEST(Prefetch, without_experience_a_node_asks_when_it_is_idle) {
  Prefetch prefetch;
  EXPECT_EQ(prefetch.low_water(4), 0u);
  prefetch.answered(100us);
  EXPECT_EQ(prefetch.low_water(4), 0u) << "nothing is known of the jobs yet";
}

TEST(Prefetch, short_jobs_are_asked_for_while_the_rest_lasts_a_round_trip) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100us);
  EXPECT_EQ(prefetch.low_water(1), 10u);
  EXPECT_EQ(prefetch.low_water(4), 40u);
}

TEST(Prefetch, jobs_longer_than_a_round_trip_are_not_hoarded) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 10ms);
  EXPECT_EQ(prefetch.low_water(64), 0u);
}

TEST(Prefetch, what_is_asked_for_has_a_limit) {
  Prefetch prefetch;
  prefetch.answered(1s);
  prefetch.ran(1'000'000, 1ms);
  EXPECT_EQ(prefetch.low_water(64), 1024u);
}

TEST(Prefetch, the_last_few_jobs_and_answers_count) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100us);
  for (std::uint64_t n = 1; n <= 40; ++n) prefetch.ran(10 + n, 100us + n * 1ms);
  EXPECT_EQ(prefetch.low_water(1), 0u);
  for (int n = 0; n < 40; ++n) prefetch.answered(5ms);
  EXPECT_GE(prefetch.low_water(1), 4u);
}

TEST(Prefetch, no_new_jobs_change_nothing) {
  Prefetch prefetch;
  prefetch.answered(100us);
  prefetch.ran(10, 100us);
  prefetch.ran(10, 100us);
  EXPECT_EQ(prefetch.low_water(1), 10u);
}

}  // namespace
}  // namespace pp::runtime
