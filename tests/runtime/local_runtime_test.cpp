// Runtime: one node of its own, without a network: jobs, futures and their children.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <pp/pp.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sanitized.hpp"

namespace local_runtime_test {

using namespace std::chrono_literals;
using pp::Future;
using pp::Options;
using pp::Runtime;
using pp::runtime::times;
using testing::HasSubstr;

Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

int add(int a, int b) { return a + b; }
std::string twice(const std::string& text) { return text + text; }
std::atomic<int> noted{0};
void note(int n) { noted += n; }
int refuse(int n) { throw std::out_of_range("number " + std::to_string(n)); }
struct Strange {};
void strange() { throw Strange{}; }
std::unique_ptr<int> boxed(int n) { return std::make_unique<int>(n); }
int unboxed(std::unique_ptr<int> box) { return *box; }

TEST(LocalRuntime, runs_a_function) {
  Runtime rt(with_workers(2));
  EXPECT_EQ(rt.submit<add>(2, 3).get(), 5);
  EXPECT_EQ(rt.submit<twice>("ab").get(), "abab");
  EXPECT_EQ(rt.workers(), 2u);
  EXPECT_EQ(rt.address(), "");
  EXPECT_TRUE(rt.nodes().empty());
}

TEST(LocalRuntime, runs_a_lambda) {
  Runtime rt(with_workers(2));
  EXPECT_EQ(rt.submit([](int n, int m) { return n * m; }, 6, 7).get(), 42);
  EXPECT_EQ(rt.submit([] { return std::string("x"); }).get(), "x");
}

TEST(LocalRuntime, runs_a_function_without_a_result) {
  Runtime rt(with_workers(1));
  noted = 0;
  const Future<void> done = rt.submit<note>(5);
  done.get();
  done.get();
  EXPECT_EQ(noted.load(), 5);
}

TEST(LocalRuntime, moves_what_cannot_be_copied) {
  Runtime rt(with_workers(1));
  EXPECT_EQ(*rt.submit<boxed>(7).get(), 7);
  EXPECT_EQ(rt.submit<unboxed>(std::make_unique<int>(8)).get(), 8);
  const Future<std::unique_ptr<int>> kept = rt.submit<boxed>(9);
  EXPECT_EQ(*kept.get(), 9);
  EXPECT_EQ(*kept.get(), 9) << "a future that is kept keeps its value";
  Future<std::unique_ptr<int>> given = rt.submit<boxed>(10);
  EXPECT_EQ(*std::move(given).get(), 10);
}

TEST(LocalRuntime, a_result_may_be_asked_for_often_and_from_any_thread) {
  Runtime rt(with_workers(2));
  const Future<std::string> future = rt.submit<twice>("ab");
  const std::string& first = future.get();
  EXPECT_EQ(&first, &future.get());
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&future] { EXPECT_EQ(future.get(), "abab"); });
  }
}

TEST(LocalRuntime, an_error_comes_back_each_time_it_is_asked_for) {
  Runtime rt(with_workers(1));
  const Future<int> bad = rt.submit<refuse>(7);
  for (int i = 0; i < 2; ++i) {
    try {
      bad.get();
      FAIL() << "nothing was thrown";
    } catch (const std::out_of_range& error) {
      EXPECT_STREQ(error.what(), "number 7");
    }
  }
  EXPECT_NO_THROW(bad.wait());
  try {
    rt.submit<strange>().get();
    FAIL() << "nothing was thrown";
  } catch (const pp::JobError& error) {
    EXPECT_EQ(error.type, "local_runtime_test::Strange");
    EXPECT_EQ(error.node, rt.name());
    EXPECT_THAT(error.function, HasSubstr("strange"));
    EXPECT_EQ(error.attempt, 1u);
  }
}

// A gate that a job waits at until the test opens it.
std::atomic<bool> gate{false};
std::atomic<int> at_gate{0};
int wait_at_gate(int n) {
  ++at_gate;
  at_gate.notify_all();
  gate.wait(false);
  return n;
}
void close_gate() {
  gate = false;
  at_gate = 0;
}
void open_gate() {
  gate = true;
  gate.notify_all();
}
void until_at_gate(int jobs) {
  for (int seen = at_gate; seen < jobs; seen = at_gate) at_gate.wait(seen);
}

TEST(LocalRuntime, waiting_for_a_while_ends_without_a_result) {
  Runtime rt(with_workers(1));
  close_gate();
  const Future<int> slow = rt.submit<wait_at_gate>(3);
  until_at_gate(1);
  EXPECT_FALSE(slow.wait_for(0ms));
  EXPECT_FALSE(slow.wait_for(1ms));
  EXPECT_FALSE(slow.ready());
  open_gate();
  EXPECT_TRUE(slow.wait_for(24h));
  EXPECT_TRUE(slow.ready());
  EXPECT_EQ(slow.get(), 3);
  EXPECT_TRUE(slow.wait_for(0ms));
}

TEST(LocalRuntime, an_empty_future_says_so) {
  const Future<int> empty;
  EXPECT_FALSE(empty.valid());
  EXPECT_FALSE(empty.ready());
  EXPECT_THROW(empty.get(), pp::Error);
  EXPECT_THROW(empty.wait(), pp::Error);
  EXPECT_THROW(empty.wait_for(1ms), pp::Error);
}

TEST(LocalRuntime, a_future_that_was_moved_from_is_empty) {
  Runtime rt(with_workers(1));
  Future<int> one = rt.submit<add>(1, 2);
  Future<int> two(std::move(one));
  EXPECT_FALSE(one.valid());
  EXPECT_EQ(two.get(), 3);
  Future<int> three = rt.submit<add>(3, 4);
  three = std::move(two);
  EXPECT_FALSE(two.valid()) << "also if the target held another job";
  EXPECT_EQ(three.get(), 3);
}

TEST(LocalRuntime, jobs_run_whether_anybody_keeps_their_futures_or_not) {
  noted = 0;
  const int kJobs = 1000;
  {
    Runtime rt(with_workers(2));
    for (int i = 0; i < kJobs; ++i) rt.submit<note>(1);
    rt.submit<note>(1).wait();
    for (int seen = noted; seen < kJobs + 1; seen = noted) std::this_thread::yield();
  }
  EXPECT_EQ(noted.load(), kJobs + 1);
}

TEST(LocalRuntime, many_jobs_from_many_threads) {
  Runtime rt(with_workers(2));
  int jobs = static_cast<int>(times(25'000, 5'000));
  std::vector<std::jthread> submitters;
  for (int thread = 0; thread < 4; ++thread) {
    submitters.emplace_back([&rt, thread, jobs] {
      std::vector<Future<int>> all;
      for (int i = 0; i < jobs; ++i) all.push_back(rt.submit<add>(i, thread));
      int wrong = 0;
      for (int i = 0; i < jobs; ++i) wrong += all[static_cast<std::size_t>(i)].get() != i + thread;
      EXPECT_EQ(wrong, 0);
    });
  }
  submitters.clear();
  EXPECT_EQ(rt.stats().nodes.at(0).jobs, 4u * static_cast<unsigned>(jobs));
}

TEST(LocalRuntime, one_job_after_the_other) {
  Runtime rt(with_workers(4));
  int n = 0;
  for (std::size_t i = 0; i < times(20'000, 4'000); ++i) n = rt.submit<add>(n, 1).get();
  EXPECT_EQ(n, static_cast<int>(times(20'000, 4'000)));
}

int fib(int n) {
  if (n < 2) return n;
  const Future<int> child = pp::spawn<fib>(n - 1);
  const int other = fib(n - 2);
  return child.get() + other;
}

TEST(LocalRuntime, children_are_counted_right_by_one_worker_and_by_four) {
  for (const unsigned workers : {1u, 4u}) {
    Runtime rt(with_workers(workers));
    EXPECT_EQ(rt.submit<fib>(20).get(), 6765);
    EXPECT_EQ(rt.stats().nodes.at(0).jobs, 10'946u) << "one job per spawn, and the first";
  }
}

int both_spawned(int n) {
  if (n < 2) return n;
  const Future<int> one = pp::spawn<both_spawned>(n - 1);
  const Future<int> other = pp::spawn<both_spawned>(n - 2);
  return one.get() + other.get();  // the older first: the newer ones lie on top of it
}

TEST(LocalRuntime, children_may_be_awaited_in_any_order) {
  for (const unsigned workers : {1u, 2u, 4u}) {
    Runtime rt(with_workers(workers));
    EXPECT_EQ(rt.submit<both_spawned>(15).get(), 610);
  }
}

int depth(int left) { return left == 0 ? 0 : 1 + pp::spawn<depth>(left - 1).get(); }

TEST(LocalRuntime, jobs_wait_for_their_children_2000_deep_on_one_worker) {
  Runtime rt(with_workers(1));
  EXPECT_EQ(rt.submit<depth>(2000).get(), 2000);
}

TEST(LocalRuntime, jobs_wait_for_their_children_2000_deep_on_four_workers) {
  Runtime rt(with_workers(4));
  std::vector<Future<int>> all;
  for (int i = 0; i < 4; ++i) all.push_back(rt.submit<depth>(2000));
  for (const auto& each : all) EXPECT_EQ(each.get(), 2000);
}

TEST(LocalRuntime, a_stack_too_small_is_an_error_that_names_the_option) {
  if (pp::runtime::kSanitized) GTEST_SKIP() << "each throw looks through the whole stack";
  pp::Options options = with_workers(1);
  options.stack_bytes = std::size_t{1} << 20;
  Runtime rt(options);
  try {
    rt.submit<depth>(1'000'000).get();
    FAIL() << "a stack without end";
  } catch (const pp::JobError& error) {
    EXPECT_EQ(error.type, "pp::Error");
    EXPECT_THAT(error.message, HasSubstr("Options::stack_bytes"));
  }
  EXPECT_EQ(rt.submit<depth>(10).get(), 10) << "the worker is as good as new";
}

int one(int n) { return n; }
std::uint64_t large_family(int children) {
  std::vector<Future<int>> all;
  all.reserve(static_cast<std::size_t>(children));
  for (int i = 0; i < children; ++i) all.push_back(pp::spawn<one>(i));
  std::uint64_t sum = 0;
  for (const auto& child : all) sum += static_cast<std::uint64_t>(child.get());
  return sum;
}

TEST(LocalRuntime, a_million_children_of_one_parent) {
  const int children = static_cast<int>(times(1'000'000, 50'000));
  const auto n = static_cast<std::uint64_t>(children);
  for (const unsigned workers : {1u, 3u}) {
    Runtime rt(with_workers(workers));
    EXPECT_EQ(rt.submit<large_family>(children).get(), n * (n - 1) / 2);
  }
}

void orphans(int children) {
  for (int i = 0; i < children; ++i) pp::spawn<note>(1);
}

TEST(LocalRuntime, children_that_nobody_waits_for_run_all_the_same) {
  Runtime rt(with_workers(1));
  noted = 0;
  rt.submit<orphans>(1000).get();
  for (int seen = noted; seen < 1000; seen = noted) std::this_thread::yield();
}

int submits(std::uint64_t runtime) {
  auto& rt = *reinterpret_cast<Runtime*>(runtime);
  return rt.submit<add>(20, 22).get();
}

TEST(LocalRuntime, a_job_may_submit_and_wait_where_the_only_worker_is_its_own) {
  Runtime rt(with_workers(1));
  EXPECT_EQ(rt.submit<submits>(reinterpret_cast<std::uint64_t>(&rt)).get(), 42);
}

int passes_on(int n) { return pp::spawn<refuse>(n).get(); }
void passes_strange_on() { pp::spawn<strange>().get(); }

TEST(LocalRuntime, a_childs_error_passes_through_its_parent) {
  Runtime rt(with_workers(2));
  EXPECT_THROW(rt.submit<passes_on>(3).get(), std::out_of_range);
  try {
    rt.submit<passes_strange_on>().get();
    FAIL() << "nothing was thrown";
  } catch (const pp::JobError& error) {
    EXPECT_EQ(error.type, "local_runtime_test::Strange");
    EXPECT_THAT(error.function, HasSubstr("strange"));
    EXPECT_THAT(error.function, testing::Not(HasSubstr("passes"))) << "the child threw it";
  }
}

bool expires_inside(int) {
  const Future<int> child = pp::spawn<one>(1);
  while (!child.wait_for(0ms)) {
  }
  return child.ready();
}

TEST(LocalRuntime, waiting_for_a_while_inside_a_job_makes_progress_on_one_worker) {
  Runtime rt(with_workers(1));
  EXPECT_TRUE(rt.submit<expires_inside>(0).get());
}

TEST(LocalRuntime, spawning_outside_a_job_is_an_error) {
  Runtime rt(with_workers(1));
  EXPECT_THROW(pp::spawn<add>(1, 2), pp::Error);
  EXPECT_THROW(pp::spawn([](int n) { return n; }, 2), pp::Error);
}

TEST(LocalRuntime, outside_jobs_nobody_wants_work) {
  EXPECT_FALSE(pp::work_wanted());
  Runtime rt(with_workers(2));
  EXPECT_FALSE(pp::work_wanted());
}

bool somebody_wants_work(int) {
  while (!pp::work_wanted()) std::this_thread::yield();
  return true;
}
bool alone_nobody_does(int) { return pp::work_wanted(); }

TEST(LocalRuntime, an_idle_worker_wants_work_and_a_job_hears_of_it) {
  Runtime two(with_workers(2));
  EXPECT_TRUE(two.submit<somebody_wants_work>(0).get());
  Runtime single(with_workers(1));
  EXPECT_FALSE(single.submit<alone_nobody_does>(0).get());
}

TEST(LocalRuntime, two_in_one_process_do_not_mind_each_other) {
  Runtime a(with_workers(2));
  Runtime b(with_workers(2));
  EXPECT_NE(a.id(), b.id());
  std::vector<Future<int>> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(a.submit<fib>(10));
    all.push_back(b.submit<fib>(10));
  }
  for (const auto& each : all) EXPECT_EQ(each.get(), 55);
  EXPECT_EQ(a.stats().nodes.at(0).jobs, 50u * 89);
  EXPECT_EQ(b.stats().nodes.at(0).jobs, 50u * 89);
}

TEST(LocalRuntime, a_job_may_wait_for_a_job_of_another_runtime) {
  Runtime a(with_workers(1));
  Runtime b(with_workers(1));
  EXPECT_EQ(a.submit<submits>(reinterpret_cast<std::uint64_t>(&b)).get(), 42);
}

TEST(LocalRuntime, comes_and_goes_200_times) {
  for (int i = 0; i < 200; ++i) {
    Runtime rt(with_workers(1 + static_cast<unsigned>(i) % 4));
    if (i % 3 == 0) continue;
    const Future<int> future = rt.submit<fib>(8);
    if (i % 3 == 1) {
      EXPECT_EQ(future.get(), 21);
    }
  }
}

TEST(LocalRuntime, results_outlive_it) {
  Future<std::string> kept;
  {
    Runtime rt(with_workers(1));
    kept = rt.submit<twice>("ab");
    kept.wait();
  }
  EXPECT_TRUE(kept.ready());
  EXPECT_EQ(kept.get(), "abab");
}

TEST(LocalRuntime, when_it_ends_running_jobs_finish_and_queued_ones_are_closed) {
  close_gate();
  auto rt = std::make_unique<Runtime>(with_workers(1));
  const Future<int> running = rt->submit<wait_at_gate>(3);
  until_at_gate(1);
  std::vector<Future<int>> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(rt->submit<add>(i, i));
  std::vector<std::jthread> waiters;
  std::atomic<int> closed{0}, waiting{0};
  for (const auto& future : queued) {
    waiters.emplace_back([&] {
      ++waiting;
      try {
        future.get();
      } catch (const pp::Closed&) {
        ++closed;
      }
    });
  }
  while (waiting < 20) std::this_thread::yield();
  std::jthread ending([&rt] { rt.reset(); });
  // The only worker is at the gate: nothing queued is begun before it leaves, and when the node
  // ends at that moment nothing is begun either. Whichever of both comes first, each job is either
  // done or closed.
  EXPECT_FALSE(running.ready());
  open_gate();
  ending.join();
  waiters.clear();
  EXPECT_EQ(running.get(), 3);
  int done = 0;
  for (const auto& future : queued) {
    ASSERT_TRUE(future.ready());
    try {
      future.get();
      ++done;
    } catch (const pp::Closed& error) {
      EXPECT_THAT(error.what(), HasSubstr("before this job was begun"));
    }
  }
  EXPECT_EQ(done + closed, 20);
}

int waits_for_children(int children) {
  std::vector<Future<int>> all;
  for (int i = 0; i < children; ++i) all.push_back(pp::spawn<fib>(10));
  wait_at_gate(0);
  int sum = 0;
  for (const auto& child : all) sum += child.get();
  return sum;
}

TEST(LocalRuntime, when_it_ends_the_children_of_running_jobs_still_run) {
  close_gate();
  auto rt = std::make_unique<Runtime>(with_workers(1));
  const Future<int> parent = rt->submit<waits_for_children>(10);
  until_at_gate(1);
  std::jthread ending([&rt] { rt.reset(); });
  open_gate();
  ending.join();
  EXPECT_EQ(parent.get(), 550);
}

TEST(LocalRuntime, tells_its_figures) {
  Runtime rt(with_workers(2));
  EXPECT_EQ(rt.submit<fib>(10).get(), 55);
  const pp::Statistics statistics = rt.stats();
  ASSERT_EQ(statistics.nodes.size(), 1u);
  EXPECT_EQ(statistics.nodes[0].name, rt.name());
  EXPECT_EQ(statistics.nodes[0].id, rt.id());
  EXPECT_EQ(statistics.nodes[0].workers, 2u);
  EXPECT_EQ(statistics.nodes[0].jobs, 89u);
  EXPECT_EQ(statistics.nodes[0].stolen, 0u);
  EXPECT_EQ(statistics.lent, 0u);
  std::ostringstream out;
  rt.print_stats(out);
  EXPECT_THAT(out.str(), HasSubstr(rt.name()));
}

// Would catch: a push that wakes nobody although a worker sleeps (this test would hang).
TEST(LocalRuntime, no_job_is_left_lying_while_workers_come_and_go) {
  Runtime rt(with_workers(4));
  for (std::size_t i = 0; i < times(2'000, 400); ++i) {
    std::vector<Future<int>> all;
    for (int n = 0; n < static_cast<int>(i % 7); ++n) all.push_back(rt.submit<fib>(n));
    for (const auto& each : all) each.wait();
  }
}

TEST(LocalRuntime, needs_a_network_to_wait_for_others_or_to_serve_them) {
  Runtime rt(with_workers(1));
  EXPECT_TRUE(rt.wait_for_nodes(1, 0ms));
  EXPECT_FALSE(rt.wait_for_nodes(2, 0ms));
  EXPECT_THROW(rt.serve(), pp::Error);
}

}  // namespace local_runtime_test
