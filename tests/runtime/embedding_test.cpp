// A runtime inside a program with its own main, its own threads, its own use of oneTBB.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <numeric>
#include <stdexcept>

#include "runtimes.hpp"
#include "sanitized.hpp"

namespace pp::test {
namespace {

using namespace std::chrono_literals;
using runtime::times;

std::uint64_t square(std::uint64_t n) { return n * n; }
Gate gate;
int behind(int value) {
  gate.pass();
  return value;
}
std::uint64_t fib(std::uint64_t n) {
  if (n < 2) return n;
  const auto child = pp::spawn<fib>(n - 1);
  return fib(n - 2) + child.get();
}
// A job that uses oneTBB itself.
std::uint64_t tbb_sum(std::uint64_t n) {
  std::atomic<std::uint64_t> sum{0};
  oneapi::tbb::parallel_for(std::uint64_t{0}, n, [&](std::uint64_t i) { sum += i; });
  return sum;
}

Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

TEST(Embedding, a_runtime_comes_and_goes_a_thousand_times) {
  for (std::size_t i = 0; i < times(1000, 200); ++i) {
    Runtime rt(with_workers(1 + static_cast<unsigned>(i % 3)));
    ASSERT_EQ(rt.submit<square>(i).get(), i * i);
  }
}

TEST(Embedding, a_cluster_comes_and_goes_too) {
  for (std::size_t i = 0; i < times(30, 10); ++i) {
    Runtimes nodes(3);
    ASSERT_EQ(nodes.first().submit<fib>(10).get(), 55u);
  }
}

TEST(Embedding, several_runtimes_work_side_by_side) {
  std::vector<std::unique_ptr<Runtime>> runtimes;
  for (unsigned i = 0; i < 4; ++i)
    runtimes.push_back(std::make_unique<Runtime>(with_workers(1 + i % 2)));
  std::vector<Future<std::uint64_t>> jobs;
  for (std::uint64_t n = 0; n < 400; ++n) jobs.push_back(runtimes[n % 4]->submit<fib>(n % 12));
  const std::uint64_t known[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
  for (std::uint64_t n = 0; n < 400; ++n) EXPECT_EQ(jobs[n].get(), known[n % 12]);
  runtimes.erase(runtimes.begin() + 1);  // one goes, the others go on
  EXPECT_EQ(runtimes[1]->submit<fib>(12).get(), 144u);
}

TEST(Embedding, a_runtime_may_be_made_and_ended_by_different_threads) {
  std::unique_ptr<Runtime> rt;
  std::thread([&] { rt = std::make_unique<Runtime>(with_workers(2)); }).join();
  EXPECT_EQ(rt->submit<fib>(10).get(), 55u);
  std::thread([&] { rt.reset(); }).join();
}

TEST(Embedding, the_programs_own_threads_submit_and_wait) {
  Runtime rt(with_workers(2));
  std::atomic<std::uint64_t> sum{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (std::uint64_t n = 0; n < times(2000, 200); ++n) sum += rt.submit<square>(2u).get();
      });
    }
  }
  EXPECT_EQ(sum.load(), 4u * 4u * times(2000, 200));
}

TEST(Embedding, the_program_may_use_onetbb_meanwhile) {
  if (runtime::kSeesRacesInOneTbb) GTEST_SKIP();
  Runtime rt(with_workers(2));
  std::vector<Future<std::uint64_t>> jobs;
  for (int i = 0; i < 50; ++i) jobs.push_back(rt.submit<fib>(12));
  EXPECT_EQ(tbb_sum(10'000), 49'995'000u);
  oneapi::tbb::task_group group;
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) group.run([&] { ++ran; });
  group.wait();
  EXPECT_EQ(ran.load(), 100);
  for (const auto& job : jobs) EXPECT_EQ(job.get(), 144u);
}

TEST(Embedding, jobs_may_use_onetbb_themselves) {
  if (runtime::kSeesRacesInOneTbb) GTEST_SKIP();
  Runtime rt(with_workers(2));
  std::vector<Future<std::uint64_t>> jobs;
  for (int i = 0; i < 20; ++i) jobs.push_back(rt.submit<tbb_sum>(1000));
  for (const auto& job : jobs) EXPECT_EQ(job.get(), 499'500u);
}

TEST(Embedding, onetbbs_own_tasks_may_submit_and_wait) {
  if (runtime::kSeesRacesInOneTbb) GTEST_SKIP();
  Runtime rt(with_workers(2));
  std::atomic<std::uint64_t> sum{0};
  oneapi::tbb::task_arena arena(2);
  arena.execute(
      [&] { oneapi::tbb::parallel_for(0, 20, [&](int) { sum += rt.submit<fib>(8).get(); }); });
  EXPECT_EQ(sum.load(), 20u * 21u);
}

class Ending : public OnNodes {
 protected:
  Ending() { gate.close(); }
};

TEST_P(Ending, wakes_every_waiter) {
  std::vector<Future<int>> running;
  for (std::size_t i = 0; i < nodes_.size(); ++i) running.push_back(rt_.submit<behind>(1));
  gate.wait_until_reached(static_cast<int>(nodes_.size()));
  std::vector<Future<int>> queued;
  for (int i = 0; i < 50; ++i) queued.push_back(rt_.submit<behind>(i));
  std::atomic<int> woken{0};
  std::vector<std::jthread> waiters;
  for (int t = 0; t < 4; ++t) {
    waiters.emplace_back([&, t] {
      if (t == 0) wait_all(queued);
      if (t == 1) wait_any(queued[49], queued[48]);
      if (t == 2) {
        for ([[maybe_unused]] const std::size_t i : as_completed(queued)) {
        }
      }
      if (t == 3) queued[25].wait_for(1h);
      ++woken;
    });
  }
  gate.open();
  nodes_.end_all();
  waiters.clear();
  EXPECT_EQ(woken.load(), 4);
  for (int i = 0; i < 50; ++i) {
    try {
      EXPECT_EQ(queued[static_cast<std::size_t>(i)].get(), i);
    } catch (const Closed&) {
    }
  }
}

// Would catch: a job, a callback or a stop that goes on after the destructor has returned.
TEST_P(Ending, nothing_runs_afterwards) {
  static std::atomic<bool> ended{false};
  static std::atomic<int> after{0};
  ended = false;
  after = 0;
  const auto noted = [](int n) {
    if (ended) ++after;
    return n;
  };
  std::vector<Future<int>> jobs;
  std::vector<Future<int>> callbacks;
  for (int i = 0; i < 500; ++i) {
    jobs.push_back(rt_.submit(noted, i));
    callbacks.push_back(jobs.back().then(noted));
  }
  nodes_.end_all();
  ended = true;
  for (const auto& one : jobs) EXPECT_TRUE(one.ready());
  for (const auto& one : callbacks) EXPECT_TRUE(one.ready());
  jobs.clear();
  callbacks.clear();
  EXPECT_EQ(after.load(), 0);
}

INSTANTIATE_TEST_SUITE_P(On, Ending, on_one_and_on_three(), nodes_name);

}  // namespace
}  // namespace pp::test
