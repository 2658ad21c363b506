// Spread: medians and quartiles, and ratios that a disturbance of both sides does not change.
#include "spread.hpp"

#include <gtest/gtest.h>

namespace pp::bench {
namespace {

TEST(Spread, is_nothing_without_readings) {
  EXPECT_FALSE(spread_of(std::vector<double>{}));
  EXPECT_FALSE(ratio({}, {{0, 1}}));
}

TEST(Spread, of_one_reading_is_that_reading) {
  const auto spread = spread_of(std::vector<double>{7});
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->median, 7);
  EXPECT_EQ(spread->lower, 7);
  EXPECT_EQ(spread->upper, 7);
  EXPECT_EQ(spread->readings, 1u);
}

TEST(Spread, has_the_middle_half_between_its_quartiles_whatever_the_order) {
  const auto spread = spread_of(std::vector<double>{50, 10, 40, 20, 30});
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->median, 30);
  EXPECT_EQ(spread->lower, 20);
  EXPECT_EQ(spread->upper, 40);
}

TEST(Spread, lies_between_two_readings_where_their_number_is_even) {
  EXPECT_EQ(spread_of(std::vector<double>{1, 2, 3, 10})->median, 2.5);
}

TEST(Spread, is_apart_only_where_the_middle_halves_do_not_touch) {
  const Spread low{10, 9, 11, 5}, higher{13, 12, 14, 5}, touching{11, 11, 15, 5};
  EXPECT_TRUE(low.apart_from(higher));
  EXPECT_TRUE(higher.apart_from(low));
  EXPECT_FALSE(low.apart_from(touching));
}

TEST(Spread, quantiles_are_linear_between_readings) {
  const std::vector<double> sorted{0, 10, 20};
  EXPECT_EQ(quantile(sorted, 0), 0);
  EXPECT_EQ(quantile(sorted, 0.25), 5);
  EXPECT_EQ(quantile(sorted, 1), 20);
}

TEST(Ratio, is_taken_within_each_repetition) {
  // The second repetition was disturbed, and so was its yardstick.
  const std::vector<Reading> ours{{0, 10}, {1, 100}, {2, 10}};
  const std::vector<Reading> theirs{{0, 5}, {1, 50}, {2, 5}};
  EXPECT_EQ(ratio(ours, theirs), 2);
}

TEST(Ratio, leaves_out_repetitions_that_only_one_side_has) {
  EXPECT_EQ(ratio({{0, 10}, {1, 12}}, {{1, 4}, {2, 1}}), 3);
  EXPECT_FALSE(ratio({{0, 10}}, {{1, 4}}));
}

TEST(Ratio, of_several_readings_in_a_repetition_is_that_of_their_medians) {
  EXPECT_EQ(ratio({{0, 1}, {0, 8}, {0, 9}}, {{0, 4}}), 2);
}

TEST(Ratio, does_not_divide_by_zero) { EXPECT_FALSE(ratio({{0, 1}}, {{0, 0}})); }

}  // namespace
}  // namespace pp::bench
