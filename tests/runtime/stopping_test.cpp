// Cancellation and limits of time: never ran, told to stop, finished anyway; on one node and across
// three.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "runtimes.hpp"

namespace pp::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Gate gate;
std::atomic<int> ran{0};
std::atomic<int> told{0};

int behind(int value) {
  ++ran;
  gate.pass();
  return value;
}
// Runs until it is told to stop, and obeys.
int until_told() {
  gate.pass();
  while (!this_job().stop_requested()) std::this_thread::yield();
  ++told;
  this_job().throw_if_stopped();
  return 0;
}
// Hears it through the token's callback, and gives its value all the same.
int until_called() {
  std::atomic<bool> called{false};
  const std::stop_callback callback(this_job().stop_token(), [&] { called = true; });
  gate.pass();
  while (!called) std::this_thread::yield();
  ++told;
  return 42;
}
int waits_for_a_child() {
  const auto child = pp::spawn<behind>(7);
  return child.get();
}

class Stopping : public OnNodes {
 protected:
  Stopping() {
    gate.close();
    ran = 0;
    told = 0;
  }
  ~Stopping() override { gate.open(); }
  JobOptions elsewhere() const { return {.where = away()}; }
};

TEST_P(Stopping, what_nobody_has_begun_never_runs) {
  // A job that waits for a place of its own: nobody begins it before the others have ended.
  std::vector<Future<int>> busy;
  for (std::size_t i = 0; i < nodes_.size(); ++i) busy.push_back(rt_.submit<behind>(1));
  gate.wait_until_reached(static_cast<int>(nodes_.size()));
  const auto unwanted = rt_.submit<behind>(JobOptions{.where = Where::here(), .label = "later"}, 2);
  EXPECT_EQ(unwanted.cancel(), Cancellation::kNeverRan);
  EXPECT_TRUE(unwanted.ready());
  EXPECT_THROW(unwanted.get(), Cancelled);
  EXPECT_EQ(unwanted.cancel(), Cancellation::kFinished);
  gate.open();
  for (const auto& one : busy) EXPECT_EQ(one.get(), 1);
  EXPECT_EQ(ran.load(), static_cast<int>(nodes_.size()));
}

TEST_P(Stopping, what_runs_is_told_and_may_obey) {
  const auto job = rt_.submit<until_told>(elsewhere());
  gate.wait_until_reached();
  EXPECT_EQ(job.cancel(), Cancellation::kToldToStop);
  gate.open();
  EXPECT_THROW(job.get(), Cancelled);
  EXPECT_EQ(told.load(), 1);
}

TEST_P(Stopping, what_runs_may_finish_anyway) {
  const auto job = rt_.submit<until_called>(elsewhere());
  gate.wait_until_reached();
  EXPECT_EQ(job.cancel(), Cancellation::kToldToStop);
  gate.open();
  EXPECT_EQ(job.get(), 42);
  EXPECT_EQ(told.load(), 1);
}

TEST_P(Stopping, what_is_done_stays_done) {
  gate.open();
  const auto job = rt_.submit<behind>(elsewhere(), 3);
  job.wait();
  EXPECT_EQ(job.cancel(), Cancellation::kFinished);
  EXPECT_EQ(job.get(), 3);
}

TEST_P(Stopping, what_waits_in_another_nodes_queue_never_runs) {
  if (nodes_.size() == 1) return;
  // Every node's worker is busy, so that what is lent lies in a queue or stays here.
  std::vector<Future<int>> busy;
  for (std::size_t i = 0; i < nodes_.size(); ++i) busy.push_back(rt_.submit<behind>(1));
  gate.wait_until_reached(static_cast<int>(nodes_.size()));
  std::vector<Future<int>> placed;
  for (int i = 0; i < 5; ++i)
    placed.push_back(rt_.submit<behind>(JobOptions{.where = Where::node(nodes_[1].id())}, 2));
  while (rt_.stats().lent < nodes_.size() - 1 + placed.size()) std::this_thread::yield();
  for (const auto& one : placed) EXPECT_EQ(one.cancel(), Cancellation::kToldToStop);
  for (const auto& one : placed) EXPECT_THROW(one.get(), Cancelled);
  gate.open();
  for (const auto& one : busy) EXPECT_EQ(one.get(), 1);
  EXPECT_EQ(ran.load(), static_cast<int>(nodes_.size()));
}

// Would catch: a job cancelled between its steps (queued, lent, running, home again) that is lost,
// runs although it was called back, or is settled twice.
TEST_P(Stopping, cancelling_at_any_moment_leaves_nothing_open) {
  gate.open();
  for (int round = 0; round < 30; ++round) {
    std::vector<Future<int>> jobs;
    for (int i = 0; i < 100; ++i) jobs.push_back(rt_.submit<behind>(i));
    int never = 0;
    for (int i = 0; i < 100; i += 2)
      never += jobs[static_cast<std::size_t>(i)].cancel() == Cancellation::kNeverRan;
    for (int i = 0; i < 100; ++i) {
      const auto& job = jobs[static_cast<std::size_t>(i)];
      try {
        ASSERT_EQ(job.get(), i);
      } catch (const Cancelled&) {
        ASSERT_EQ(i % 2, 0);
        --never;
      }
    }
    EXPECT_LE(never, 0) << "who was said never to run fails with Cancelled";
  }
}

TEST_P(Stopping, a_job_past_its_limit_fails_at_once_and_is_told) {
  const auto job =
      rt_.submit<until_told>(JobOptions{.timeout = 5ms, .where = away(), .label = "slow"});
  try {
    job.get();
    FAIL() << "it has no value";
  } catch (const Timeout& error) {
    EXPECT_THAT(error.what(), HasSubstr("until_told (slow)"));
    EXPECT_THAT(error.what(), HasSubstr("0.005 s"));
  }
  EXPECT_EQ(told.load(), 0) << "it still runs: the gate is closed";
  gate.open();
  while (told.load() == 0) std::this_thread::yield();
}

TEST_P(Stopping, its_worker_is_busy_until_it_really_ends) {
  std::vector<Future<int>> slow;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    slow.push_back(rt_.submit<until_told>(JobOptions{.timeout = 1ms}));
  for (const auto& one : slow) EXPECT_THROW(one.get(), Timeout);
  gate.wait_until_reached(static_cast<int>(nodes_.size()));
  const auto next = rt_.submit([](int n) { return n; }, 5);
  EXPECT_FALSE(next.wait_for(5ms)) << "no worker is free";
  gate.open();
  EXPECT_EQ(next.get(), 5);
  nodes_.end_all();
  EXPECT_EQ(told.load(), static_cast<int>(slow.size()));
}

TEST_P(Stopping, a_job_within_its_limit_is_left_alone) {
  gate.open();
  EXPECT_EQ(rt_.submit<behind>(JobOptions{.timeout = 1h, .where = away()}, 4).get(), 4);
  EXPECT_THROW(rt_.submit<behind>(JobOptions{.timeout = -1s}, 4), Error);
}

TEST_P(Stopping, the_clock_stands_while_a_job_waits_for_others) {
  const auto parent = rt_.submit<waits_for_a_child>(JobOptions{.timeout = 20ms, .where = away()});
  gate.wait_until_reached();
  EXPECT_FALSE(parent.wait_for(60ms)) << "it only waits";
  gate.open();
  EXPECT_EQ(parent.get(), 7);
}

// Would catch: an outcome stored twice when the end of the job and the end of its time meet.
TEST_P(Stopping, ending_and_running_out_of_time_may_coincide) {
  gate.open();
  int in_time = 0;
  int too_late = 0;
  for (int i = 0; i < 300; ++i) {
    const auto job = rt_.submit(
        [](int n) {
          const auto end = std::chrono::steady_clock::now() + 100us;
          while (std::chrono::steady_clock::now() < end) {
          }
          return n;
        },
        i);
    const auto timed = rt_.submit(
        JobOptions{.timeout = 100us},
        [](int n) {
          const auto end = std::chrono::steady_clock::now() + 95us;
          while (std::chrono::steady_clock::now() < end) {
          }
          return n;
        },
        i);
    ASSERT_EQ(job.get(), i);
    try {
      ASSERT_EQ(timed.get(), i);
      ++in_time;
    } catch (const Timeout&) {
      ++too_late;
    }
  }
  EXPECT_EQ(in_time + too_late, 300);
}

TEST_P(Stopping, the_end_of_a_runtime_is_no_matter_of_limits) {
  const auto job = rt_.submit<until_told>(JobOptions{.timeout = 1h});
  gate.wait_until_reached();
  job.cancel();
  gate.open();
  nodes_.end_all();
  EXPECT_TRUE(job.ready());
}

TEST(ThisJob, is_refused_outside_a_job) { EXPECT_THROW(this_job(), Error); }

INSTANTIATE_TEST_SUITE_P(On, Stopping, on_one_and_on_three(), nodes_name);

}  // namespace
}  // namespace pp::test
