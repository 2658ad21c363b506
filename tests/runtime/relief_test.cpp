// Relief and Hope: who has the watch, and for how long the courier's own thread leaves it alone.
#include "relief.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace pp::runtime {
namespace {

using Clock = Relief::Clock;

unsigned left_out(Hope& hope) {
  unsigned times = 0;
  while (!hope.again()) ++times;
  return times;
}

TEST(Hope, leaves_ever_more_out_where_nothing_comes_of_it) {
  Hope hope;
  for (const unsigned expected : {1, 3, 7, 15, 31, 63, 63}) {
    hope.disappointed();
    EXPECT_EQ(left_out(hope), expected);
  }
}

TEST(Hope, begins_anew_when_it_was_fulfilled) {
  Hope hope;
  hope.give_up();
  EXPECT_EQ(left_out(hope), 63u);
  hope.fulfilled();
  EXPECT_EQ(left_out(hope), 0u);
  hope.disappointed();
  EXPECT_EQ(left_out(hope), 1u);
}

TEST(Relief, is_expected_while_somebody_looks_out_and_once_after_he_got_what_he_waited_for) {
  Relief relief;
  EXPECT_FALSE(relief.expected());
  relief.offer();
  EXPECT_TRUE(relief.expected());
  relief.withdraw(false);
  EXPECT_TRUE(relief.expected());
  EXPECT_FALSE(relief.expected());
}

TEST(Relief, is_not_expected_from_who_went_to_sleep) {
  Relief relief;
  relief.offer();
  relief.withdraw(true);
  EXPECT_FALSE(relief.expected());
}

TEST(Relief, a_rest_ends_by_itself_when_nobody_looks) {
  Relief relief;
  relief.rest(Clock::time_point::max());
  EXPECT_FALSE(relief.resting());
}

// Two would move the courier at once, or one that has gone would be waited for: a lost count, a
// race under ThreadSanitizer, or a hang.
TEST(Relief, one_at_a_time_has_the_watch_whoever_comes_and_goes) {
  constexpr int kThreads = 3, kLooks = 2000;
  Relief relief;
  long looks = 0;  // under the watch
  long own = 0;    // likewise
  std::atomic<int> busy{kThreads};
  std::vector<std::thread> helpers;
  for (int i = 0; i < kThreads; ++i) {
    helpers.emplace_back([&] {
      for (int done = 0; done < kLooks;) {
        relief.offer();
        for (int look = 0; look < 10; ++look) {
          if (const auto watch = relief.try_watch()) {
            ++looks;
            ++done;
          } else {
            std::this_thread::yield();
          }
        }
        relief.withdraw(done % 3 == 0);
      }
      busy.fetch_sub(1);
    });
  }
  while (busy.load() > 0) {
    {
      const auto watch = relief.watch();
      ++own;
    }
    if (relief.expected()) relief.rest(Clock::time_point::max());
  }
  for (std::thread& helper : helpers) helper.join();
  EXPECT_GE(looks, kThreads * kLooks);
  EXPECT_GT(own, 0);
}

}  // namespace
}  // namespace pp::runtime
