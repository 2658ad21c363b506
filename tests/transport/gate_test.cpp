// Gate: strangers are let in a few at a time, and counted by where they come from.
#include "gate.hpp"

#include <gtest/gtest.h>

#include "rate_limit.hpp"

namespace pp::transport {
namespace {

const Time kStart = Time{} + std::chrono::seconds(100);

TEST(Gate, a_few_newcomers_at_a_time_and_more_when_they_are_through) {
  Gate gate(64, 64);
  for (std::uint64_t i = 0; i < Gate::kFresh; ++i) {
    EXPECT_TRUE(gate.admits(kStart));
    gate.enter("a", kStart, i);
  }
  EXPECT_FALSE(gate.admits(kStart));
  gate.leave(0);
  EXPECT_TRUE(gate.admits(kStart));
}

TEST(Gate, silent_ones_stop_being_new) {
  Gate gate(64, 64);
  for (std::uint64_t i = 0; i < Gate::kFresh; ++i) gate.enter("a", kStart, i);
  const Time later = gate.until(kStart);
  EXPECT_EQ(later, kStart + Gate::kFreshFor);
  EXPECT_FALSE(gate.admits(later - std::chrono::milliseconds(1)));
  EXPECT_TRUE(gate.admits(later));
}

TEST(Gate, one_place_fills_its_own_share_only) {
  Gate gate(64, 2);
  EXPECT_EQ(gate.enter("a", kStart, 1), Gate::Entry::kAdmitted);
  EXPECT_EQ(gate.enter("a", kStart, 2), Gate::Entry::kAdmitted);
  EXPECT_EQ(gate.enter("a", kStart, 3), Gate::Entry::kSourceFull);
  EXPECT_EQ(gate.enter("b", kStart, 4), Gate::Entry::kAdmitted);
  gate.leave(1);
  EXPECT_EQ(gate.enter("a", kStart, 5), Gate::Entry::kAdmitted);
}

TEST(Gate, in_all_no_more_than_the_limit) {
  Gate gate(2, 2);
  gate.enter("a", kStart, 1);
  gate.enter("b", kStart, 2);
  EXPECT_EQ(gate.enter("c", kStart, 3), Gate::Entry::kFull);
}

TEST(RateLimit, a_burst_then_a_rate) {
  RateLimit limit(2, 4);
  EXPECT_TRUE(limit.allow(kStart));
  EXPECT_TRUE(limit.allow(kStart));
  EXPECT_FALSE(limit.allow(kStart));
  EXPECT_TRUE(limit.allow(kStart + std::chrono::milliseconds(250)));
  EXPECT_FALSE(limit.allow(kStart + std::chrono::milliseconds(250)));
}

}  // namespace
}  // namespace pp::transport
