// The smallest efficient job, from curves of every shape.
#include "metg.hpp"

#include <gtest/gtest.h>

namespace pp::bench {
namespace {

TEST(Metg, lies_between_two_grains_on_a_logarithmic_scale) {
  const auto grain = metg({{1, 0}, {100, 100}}, 50);
  ASSERT_TRUE(grain);
  EXPECT_NEAR(*grain, 10, 1e-9);
}

TEST(Metg, is_nothing_when_no_job_is_large_enough) {
  EXPECT_FALSE(metg({{1, 0}, {100, 40}}, 50));
  EXPECT_FALSE(metg({}, 50));
}

TEST(Metg, is_the_smallest_grain_when_all_are_large_enough) {
  EXPECT_EQ(metg({{2, 60}, {100, 90}}, 50), 2);
}

TEST(Metg, counts_from_where_the_efficiency_stays) {
  // A lucky small job does not count.
  const auto grain = metg({{1, 80}, {10, 0}, {1000, 100}}, 50);
  ASSERT_TRUE(grain);
  EXPECT_NEAR(*grain, 100, 1e-9);
}

}  // namespace
}  // namespace pp::bench
