// Patience and Collecting: who is kept waiting, for how long, and what ends it.
#include "patience.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <pp/event.hpp>
#include <thread>

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
