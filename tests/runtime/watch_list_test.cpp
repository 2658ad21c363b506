// WatchList: whoever waits is woken, whenever the job is finished.
#include "watch_list.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <thread>

#include "fake_jobs.hpp"
#include "sanitized.hpp"

namespace pp::runtime {
namespace {

using Clock = Parker::Clock;

class WatchLists : public testing::Test {
 protected:
  Job* running() {
    Job* job = world.travelling();
    job->release();  // the world's reference is enough
    EXPECT_TRUE(job->claim(Job::kRunning));
    return job;
  }
  void finish(Job& job) {
    if (job.finish() & Job::kWatched) watch_list.done(&job);
  }
  static bool woken(Parker& parker) { return parker.park_until(Clock::now()); }

  FakeJobs world;
  WatchList watch_list;
};

TEST_F(WatchLists, a_job_that_nobody_watches_needs_no_call) {
  Job* const job = running();
  EXPECT_EQ(job->finish() & Job::kWatched, 0u);
}

TEST_F(WatchLists, the_watcher_of_a_job_is_woken_when_it_is_done) {
  Job* const job = running();
  Parker parker;
  ASSERT_TRUE(watch_list.watch(*job, parker));
  EXPECT_FALSE(woken(parker));
  EXPECT_NE(job->finish() & Job::kWatched, 0u);
  watch_list.done(job);
  EXPECT_TRUE(woken(parker));
  EXPECT_FALSE(woken(parker)) << "once";
}

TEST_F(WatchLists, a_job_that_is_done_already_is_not_watched) {
  Job* const job = running();
  finish(*job);
  Parker parker;
  EXPECT_FALSE(watch_list.watch(*job, parker));
  watch_list.done(job);
  EXPECT_FALSE(woken(parker)) << "nothing was left behind";
}

TEST_F(WatchLists, everybody_who_watches_is_woken_and_nobody_else) {
  Job* const job = running();
  Job* const another = running();
  std::deque<Parker> parkers(4);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(watch_list.watch(*job, parkers[i]));
  ASSERT_TRUE(watch_list.watch(*another, parkers[3]));
  finish(*job);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(woken(parkers[i])) << i;
  EXPECT_FALSE(woken(parkers[3]));
  finish(*another);
  EXPECT_TRUE(woken(parkers[3]));
}

TEST_F(WatchLists, who_has_stopped_watching_is_left_alone) {
  Job* const job = running();
  Parker stays;
  {
    Parker leaves;
    ASSERT_TRUE(watch_list.watch(*job, leaves));
    ASSERT_TRUE(watch_list.watch(*job, stays));
    watch_list.unwatch(*job, leaves);
  }
  finish(*job);
  EXPECT_TRUE(woken(stays));
}

TEST_F(WatchLists, stopping_after_the_job_was_done_is_harmless) {
  Job* const job = running();
  Parker parker;
  ASSERT_TRUE(watch_list.watch(*job, parker));
  finish(*job);
  watch_list.unwatch(*job, parker);
  EXPECT_TRUE(woken(parker));
}

TEST_F(WatchLists, jobs_that_are_queued_again_keep_their_watchers) {
  Job* const job = running();
  Parker parker;
  ASSERT_TRUE(watch_list.watch(*job, parker));
  job->unclaim();
  EXPECT_FALSE(woken(parker));
  ASSERT_TRUE(job->claim(Job::kLent)) << "the flag does not hinder the claim";
  finish(*job);
  EXPECT_TRUE(woken(parker));
}

TEST(Parkers, a_wake_up_before_the_sleep_is_not_lost) {
  Parker parker;
  parker.unpark();
  EXPECT_TRUE(parker.park_until(Clock::time_point::max()));
  EXPECT_FALSE(parker.park_until(Clock::now()));
}

// Would catch: a wake-up lost between the look at the job and the sleep (this test would hang), and
// a parker used after its thread went on (the sanitizers would tell).
TEST_F(WatchLists, no_wake_up_is_lost_when_watching_and_finishing_race) {
  const std::size_t kRounds = times(20'000, 4'000);
  std::vector<Job*> jobs;
  for (std::size_t i = 0; i < kRounds; ++i) jobs.push_back(running());
  const auto wait_for_all = [&](bool impatient) {
    for (Job* job : jobs) {
      Parker parker;
      if (!watch_list.watch(*job, parker)) continue;
      while (impatient && !parker.park_until(Clock::now() + std::chrono::microseconds(1))) {
        watch_list.unwatch(*job, parker);
        if (!watch_list.watch(*job, parker)) break;
      }
      if (!impatient) parker.park_until(Clock::time_point::max());
      EXPECT_TRUE(job->done());
    }
  };
  std::jthread patient(wait_for_all, false);
  std::jthread impatient(wait_for_all, true);
  for (Job* job : jobs) finish(*job);
}

}  // namespace
}  // namespace pp::runtime
