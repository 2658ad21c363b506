// Respawn: deaths in, replacements out.
#include "respawn.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pp::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Respawn, replaces_nobody_unless_it_was_asked_to) {
  const Respawn::Answer answer = Respawn(0).ended(1, seconds(100), Time{});
  EXPECT_FALSE(answer.start);
  EXPECT_THAT(answer.why_not, IsEmpty());
}

TEST(Respawn, replaces_a_worker_that_has_lived_for_a_while_at_once) {
  Respawn respawn(Respawn::kUnlimited);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(respawn.ended(1, Respawn::kShortLife, Time{seconds(i)}).start, Time{seconds(i)});
}

TEST(Respawn, waits_longer_after_each_short_life_and_gives_up_after_three) {
  Respawn respawn(Respawn::kUnlimited);
  const Time now{seconds(5)};
  EXPECT_EQ(respawn.ended(1, milliseconds(10), now).start, now + Respawn::kPause);
  EXPECT_EQ(respawn.ended(2, milliseconds(10), now).start, now + Respawn::kPause)
      << "each node is counted apart";
  EXPECT_EQ(respawn.ended(1, milliseconds(999), now).start, now + 2 * Respawn::kPause);
  const Respawn::Answer last = respawn.ended(1, milliseconds(10), now);
  EXPECT_FALSE(last.start);
  EXPECT_THAT(last.why_not, HasSubstr("within 1 s of its start 3 times in a row"));
}

TEST(Respawn, a_long_life_makes_up_for_short_ones) {
  Respawn respawn(Respawn::kUnlimited);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(respawn.ended(1, milliseconds(10), Time{}).start);
    EXPECT_TRUE(respawn.ended(1, milliseconds(10), Time{}).start);
    EXPECT_EQ(respawn.ended(1, seconds(2), Time{}).start, Time{});
  }
}

TEST(Respawn, no_more_are_replaced_than_were_allowed_in_all) {
  Respawn respawn(2);
  EXPECT_TRUE(respawn.ended(1, seconds(2), Time{}).start);
  EXPECT_TRUE(respawn.ended(2, seconds(2), Time{}).start);
  const Respawn::Answer third = respawn.ended(3, seconds(2), Time{});
  EXPECT_FALSE(third.start);
  EXPECT_THAT(third.why_not, HasSubstr("--respawn=2 has been used up"));
}

TEST(Respawn, reads_numbers_and_two_words) {
  EXPECT_EQ(parse_respawn("on"), Respawn::kUnlimited);
  EXPECT_EQ(parse_respawn("off"), 0u);
  EXPECT_EQ(parse_respawn("7"), 7u);
  for (const char* text : {"", "-1", "7x", "many", "99999999999"})
    EXPECT_EQ(parse_respawn(text), std::nullopt) << text;
}

}  // namespace
}  // namespace pp::tools
