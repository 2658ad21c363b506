// Patience, Collecting, Coalescing: who is kept waiting, for how long, and what ends it.
#include "patience.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <pp/event.hpp>
#include <thread>

#include "coalescing.hpp"

namespace pp::runtime {
namespace {

using Clock = Patience::Clock;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Clock::duration kNone = Clock::duration::zero();
const Clock::time_point kStart{hours(1)};

TEST(Collecting, waits_for_a_first_result_without_delay) {
  Collecting collecting;
  EXPECT_EQ(collecting.begin_wait(kStart), kNone);
}

TEST(Collecting, sleeps_for_a_part_of_the_time_since_its_first_wait_and_never_for_long) {
  Collecting collecting;
  Clock::duration longest{};
  for (Clock::time_point now = kStart; now < kStart + seconds(1); now += microseconds(100)) {
    const Clock::duration part = collecting.begin_wait(now);
    EXPECT_LE(part, (now - kStart) / 8);
    EXPECT_GE(part, longest);
    longest = std::max(longest, part);
    collecting.end_wait(now);
  }
  EXPECT_GT(longest, milliseconds(1));
  EXPECT_LE(longest, milliseconds(10));
}

// A program that does something with each result, or submits the next step, is not kept waiting.
TEST(Collecting, begins_anew_after_a_pause_or_a_submit) {
  Collecting collecting;
  const auto collect = [&](Clock::time_point from) {
    for (int i = 0; i < 1000; ++i) {
      collecting.begin_wait(from + i * microseconds(100));
      collecting.end_wait(from + i * microseconds(100));
    }
    return from + 1000 * microseconds(100);
  };
  Clock::time_point now = collect(kStart);
  ASSERT_GT(collecting.begin_wait(now), kNone);
  EXPECT_EQ(collecting.begin_wait(now + milliseconds(1)), kNone);
  now = collect(now + seconds(1));
  ASSERT_GT(collecting.begin_wait(now), kNone);
  collecting.submitted();
  EXPECT_EQ(collecting.begin_wait(now), kNone);
}

TEST(Coalescing, keeps_no_result_that_comes_alone) {
  Coalescing coalescing;
  coalescing.plan(kStart, false);
  EXPECT_FALSE(coalescing.keeps(kStart));
  coalescing.sent();
  coalescing.plan(kStart, true);
  EXPECT_FALSE(coalescing.keeps(kStart)) << "everybody has only just begun to work";
  coalescing.plan(kStart + seconds(1), true);
  EXPECT_FALSE(coalescing.keeps(kStart + seconds(1))) << "it follows on no other";
}

TEST(Coalescing, keeps_what_follows_for_a_part_of_the_time_that_everybody_works) {
  Coalescing coalescing;
  coalescing.plan(kStart, false);
  for (const Clock::duration working : {milliseconds(1), milliseconds(8), milliseconds(400)}) {
    const Clock::time_point now = kStart + working;
    coalescing.sent();
    coalescing.plan(now, true);
    ASSERT_TRUE(coalescing.keeps(now));
    EXPECT_LE(coalescing.due() - now, working / 8);
    EXPECT_LE(coalescing.due() - now, milliseconds(10));
    EXPECT_FALSE(coalescing.keeps(coalescing.due()));
    // What else there is to do meanwhile changes nothing.
    const Clock::time_point due = coalescing.due();
    coalescing.plan(now + microseconds(1), true);
    EXPECT_EQ(coalescing.due(), due);
  }
}

TEST(Coalescing, ends_and_begins_anew_as_soon_as_somebody_has_no_work) {
  Coalescing coalescing;
  coalescing.plan(kStart, false);
  const Clock::time_point later = kStart + milliseconds(400);
  coalescing.sent();
  coalescing.plan(later, true);
  ASSERT_TRUE(coalescing.keeps(later));
  coalescing.plan(later, false);
  EXPECT_FALSE(coalescing.keeps(later));
  coalescing.sent();
  coalescing.plan(later + milliseconds(1), true);
  EXPECT_LE(coalescing.due() - (later + milliseconds(1)), Clock::duration(milliseconds(1)) / 8);
}

class PatienceWith : public ::testing::Test {
 protected:
  void sleep(Clock::duration part, Clock::time_point deadline = Clock::time_point::max()) {
    patience_.sleep_for(*event_, part, deadline);
  }

  const Event event_ = make_event(nullptr);
  Patience patience_;
};

// Each of these would hang if it slept.
TEST_F(PatienceWith, nobody_sleeps_where_somebody_has_no_work) { sleep(hours(1)); }

TEST_F(PatienceWith, nobody_sleeps_for_what_is_done) {
  patience_.set_busy(true);
  happen(*event_);
  sleep(hours(1));
}

TEST_F(PatienceWith, nobody_sleeps_past_the_deadline) {
  patience_.set_busy(true);
  sleep(hours(1), Clock::now());
  sleep(hours(1), Clock::now() + milliseconds(1));
}

// Would hang where the wake-up is lost between a sleeper's look and its sleep.
TEST_F(PatienceWith, whoever_runs_out_of_work_wakes_all_sleepers) {
  for (int round = 0; round < 300; ++round) {
    patience_.set_busy(true);
    std::thread one([&] { sleep(hours(1)); });
    std::thread another([&] { sleep(hours(1)); });
    patience_.set_busy(false);
    one.join();
    another.join();
  }
}

TEST_F(PatienceWith, a_long_job_is_not_slept_for_for_ever) {
  patience_.set_busy(true);
  sleep(microseconds(50));
  EXPECT_FALSE(event_->done());
}

}  // namespace
}  // namespace pp::runtime
