// Farewell: left alone, asked, killed, given up; each at its time and once.
#include "farewell.hpp"

#include <gtest/gtest.h>

namespace pp::tools {
namespace {

using std::chrono::milliseconds;
using Step = Farewell::Step;

constexpr Farewell::Limits kLimits{milliseconds(50), milliseconds(20), milliseconds(30)};

TEST(Farewell, climbs_one_rung_at_a_time) {
  const Time start{};
  Farewell farewell(start, kLimits);
  EXPECT_EQ(farewell.step(start + milliseconds(49)), Step::kWait);
  EXPECT_EQ(farewell.step(start + milliseconds(50)), Step::kAsk);
  EXPECT_EQ(farewell.step(start + milliseconds(69)), Step::kWait);
  EXPECT_EQ(farewell.step(start + milliseconds(70)), Step::kKill);
  EXPECT_EQ(farewell.step(start + milliseconds(99)), Step::kWait);
  EXPECT_EQ(farewell.step(start + milliseconds(100)), Step::kGiveUp);
  EXPECT_EQ(farewell.step(start + milliseconds(999)), Step::kWait);
}

TEST(Farewell, asks_before_it_kills_even_when_it_was_not_looked_at_for_long) {
  const Time start{};
  Farewell farewell(start, kLimits);
  const Time late = start + milliseconds(1000);
  EXPECT_EQ(farewell.step(late), Step::kAsk);
  EXPECT_EQ(farewell.due(), late + milliseconds(20));
}

TEST(Farewell, takes_its_next_step_at_once_when_hurried) {
  const Time start{};
  Farewell farewell(start, kLimits);
  farewell.hurry(start);
  EXPECT_EQ(farewell.step(start), Step::kAsk);
  EXPECT_EQ(farewell.step(start), Step::kWait);
  farewell.hurry(start);
  EXPECT_EQ(farewell.step(start), Step::kKill);
  EXPECT_EQ(farewell.reached(), Step::kKill);
}

}  // namespace
}  // namespace pp::tools
