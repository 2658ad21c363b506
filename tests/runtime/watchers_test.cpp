// Watchers: whoever waits is woken or told, whenever the job is finished.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <pp/job.hpp>
#include <thread>
#include <vector>

#include "fake_jobs.hpp"
#include "parker.hpp"
#include "sanitized.hpp"

namespace pp::runtime {
namespace {

using Clock = Parker::Clock;

class Sleeper final : public Watcher {
 public:
  explicit Sleeper(Parker& parker) : Watcher(&parker) {}
  void done(Job&) noexcept override {}
};

// Notes when it was told.
class Counter final : public Watcher {
 public:
  explicit Counter(std::atomic<int>& told) : told_(told) {}
  void done(Job& job) noexcept override {
    EXPECT_TRUE(job.done());
    ++told_;
  }

 private:
  std::atomic<int>& told_;
};

class Watchers : public testing::Test {
 protected:
  Job* running() {
    Job* job = world.travelling();
    job->release();  // the world's reference is enough
    EXPECT_TRUE(job->claim(Job::kRunning));
    return job;
  }
  static bool woken(Parker& parker) { return parker.park_until(Clock::now()); }

  FakeJobs world;
};

TEST_F(Watchers, a_job_that_nobody_watches_needs_no_call) {
  Job* const job = running();
  EXPECT_EQ(job->mark_done() & Job::kWatched, 0u);
}

TEST_F(Watchers, the_watcher_of_a_job_is_woken_when_it_is_done) {
  Job* const job = running();
  Parker parker;
  Sleeper sleeper(parker);
  ASSERT_TRUE(watch(*job, sleeper));
  EXPECT_FALSE(woken(parker));
  finish(*job);
  EXPECT_TRUE(woken(parker));
  EXPECT_FALSE(woken(parker)) << "once";
}

TEST_F(Watchers, a_job_that_is_done_already_is_not_watched) {
  Job* const job = running();
  finish(*job);
  Parker parker;
  Sleeper sleeper(parker);
  EXPECT_FALSE(watch(*job, sleeper));
  tell_watchers(*job);
  EXPECT_FALSE(woken(parker)) << "nothing was left behind";
}

TEST_F(Watchers, everybody_who_watches_is_woken_and_nobody_else) {
  Job* const job = running();
  Job* const another = running();
  std::deque<Parker> parkers(4);
  std::deque<Sleeper> sleepers;
  for (Parker& parker : parkers) sleepers.emplace_back(parker);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(watch(*job, sleepers[i]));
  ASSERT_TRUE(watch(*another, sleepers[3]));
  finish(*job);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(woken(parkers[i])) << i;
  EXPECT_FALSE(woken(parkers[3]));
  finish(*another);
  EXPECT_TRUE(woken(parkers[3]));
}

TEST_F(Watchers, who_has_stopped_watching_is_left_alone) {
  Job* const job = running();
  Parker stays;
  Sleeper patient(stays);
  {
    Parker leaves;
    Sleeper impatient(leaves);
    ASSERT_TRUE(watch(*job, impatient));
    ASSERT_TRUE(watch(*job, patient));
    EXPECT_TRUE(unwatch(*job, impatient));
  }
  finish(*job);
  EXPECT_TRUE(woken(stays));
}

TEST_F(Watchers, stopping_after_the_job_was_done_is_harmless) {
  Job* const job = running();
  Parker parker;
  Sleeper sleeper(parker);
  ASSERT_TRUE(watch(*job, sleeper));
  finish(*job);
  EXPECT_FALSE(unwatch(*job, sleeper)) << "it was woken already";
  EXPECT_TRUE(woken(parker));
}

TEST_F(Watchers, jobs_that_are_queued_again_keep_their_watchers) {
  Job* const job = running();
  Parker parker;
  Sleeper sleeper(parker);
  std::atomic<int> told{0};
  Counter counter(told);
  ASSERT_TRUE(watch(*job, sleeper));
  ASSERT_TRUE(watch(*job, counter));
  job->unclaim();
  EXPECT_FALSE(woken(parker));
  nudge(*job);
  EXPECT_TRUE(woken(parker)) << "it looks at the job anew";
  EXPECT_EQ(told.load(), 0);
  ASSERT_TRUE(job->claim(Job::kLent)) << "the flag does not hinder the claim";
  finish(*job);
  EXPECT_TRUE(woken(parker));
  EXPECT_EQ(told.load(), 1);
}

TEST_F(Watchers, are_told_once_each_and_in_the_order_in_which_they_came) {
  Job* const job = running();
  static std::vector<int> order;
  order.clear();
  struct Note final : Watcher {
    explicit Note(int number_) : number(number_) {}
    void done(Job&) noexcept override { order.push_back(number); }
    const int number;
  };
  Note first(1), second(2), third(3);
  for (Note* note : {&first, &second, &third}) ASSERT_TRUE(watch(*job, *note));
  finish(*job);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(unwatch(*job, first));
}

TEST(Parkers, a_wake_up_before_the_sleep_is_not_lost) {
  Parker parker;
  parker.unpark();
  EXPECT_TRUE(parker.park_until(Clock::time_point::max()));
  EXPECT_FALSE(parker.park_until(Clock::now()));
}

// Would catch: a wake-up lost between the look at the job and the sleep (this test would hang), and
// a parker used after its thread went on (the sanitizers would tell).
TEST_F(Watchers, no_wake_up_is_lost_when_watching_and_finishing_race) {
  const std::size_t kRounds = times(20'000, 4'000);
  std::vector<Job*> jobs;
  for (std::size_t i = 0; i < kRounds; ++i) jobs.push_back(running());
  const auto wait_for_all = [&](bool impatient) {
    for (Job* job : jobs) {
      Parker parker;
      Sleeper sleeper(parker);
      if (!watch(*job, sleeper)) continue;
      while (impatient && !parker.park_until(Clock::now() + std::chrono::microseconds(1))) {
        unwatch(*job, sleeper);
        if (!watch(*job, sleeper)) break;
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
