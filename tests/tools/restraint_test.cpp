// Restraint: a log that strangers cannot fill.
#include "restraint.hpp"

#include <gtest/gtest.h>

namespace pp::tools {
namespace {

TEST(Restraint, says_the_first_few_then_one_every_ten_seconds_and_counts_the_others) {
  Restraint restraint;
  Time now{std::chrono::hours(1)};
  int said = 0;
  for (int i = 0; i < 1000; ++i) said += restraint.may_say(now) ? 1 : 0;
  EXPECT_EQ(said, 10);
  EXPECT_EQ(restraint.left_out(), 990u);
  EXPECT_EQ(restraint.left_out(), 0u);
  now += std::chrono::seconds(10);
  EXPECT_TRUE(restraint.may_say(now));
  EXPECT_FALSE(restraint.may_say(now));
}

}  // namespace
}  // namespace pp::tools
