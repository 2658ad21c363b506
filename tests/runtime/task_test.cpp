// Tasks: coroutines as jobs, on one node and across three.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <pp/task.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtimes.hpp"
#include "sanitized.hpp"

namespace task_test {

using namespace std::chrono_literals;
using pp::Future;
using pp::JobOptions;
using pp::Options;
using pp::Runtime;
using pp::Task;
using pp::runtime::times;
using pp::test::Gate;

Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

// Counts the objects of a test that are alive.
struct Counted {
  Counted() { ++alive; }
  Counted(const Counted&) { ++alive; }
  Counted(Counted&&) noexcept { ++alive; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --alive; }
  static inline std::atomic<int> alive{0};
};

// Behind `gate`, on a runtime of its own: what coroutines wait for until the test says so.
Gate gate;
int pass_gate(int n) {
  gate.pass();
  return n;
}
const Future<int>* shared_future = nullptr;

// Something to wait for that is done when open() is called.
class Barrier {
 public:
  Barrier() {
    gate.close();
    future_ = elsewhere_.submit<pass_gate>(7);
    shared_future = &future_;
    gate.wait_until_reached();
  }
  ~Barrier() { open(); }
  void open() {
    gate.open();
    future_.wait();
  }

 private:
  Runtime elsewhere_{with_workers(1)};
  Future<int> future_;
};

int square(int n) { return n * n; }
int refuse(int n) { throw std::out_of_range("number " + std::to_string(n)); }
std::unique_ptr<int> boxed(int n) { return std::make_unique<int>(n); }

Task<int> constant(int n) { co_return n; }
Task<> nothing() { co_return; }
std::atomic<int> noted{0};
Task<void> note(int n) { noted += co_await pp::spawn<square>(n); }
Task<std::unique_ptr<int>> box(int n) {
  std::unique_ptr<int> made = co_await pp::spawn<boxed>(n);
  ++*made;
  co_return made;
}

class OnNodes : public pp::test::OnNodes {};
INSTANTIATE_TEST_SUITE_P(Tasks, OnNodes, pp::test::on_one_and_on_three(), pp::test::nodes_name);

TEST_P(OnNodes, a_coroutine_is_submitted_like_a_function) {
  EXPECT_EQ(rt_.submit<constant>(3).get(), 3);
  EXPECT_EQ(rt_.submit<constant>(JobOptions{.where = away()}, 4).get(), 4);
  rt_.submit<nothing>().get();
  noted = 0;
  rt_.submit<note>(5).get();
  EXPECT_EQ(noted.load(), 25);
  EXPECT_EQ(*rt_.submit<box>(6).get(), 7);
  EXPECT_EQ(
      rt_.submit([](int n) -> Task<int> { co_return co_await pp::spawn<square>(n) + n; }, 3).get(),
      12);
}

Task<int> sum_of_squares(int n) {
  std::vector<Future<int>> squares;
  for (int i = 0; i < n; ++i) squares.push_back(pp::spawn<square>(i));
  int sum = 0;
  for (const Future<int>& future : squares) sum += co_await future;
  for (const Future<int>& future : squares) sum += co_await future;  // as often as you like
  co_return sum;
}

TEST_P(OnNodes, a_coroutine_waits_for_its_children) {
  EXPECT_EQ(rt_.submit<sum_of_squares>(200).get(), 2 * 2'646'700);
  EXPECT_EQ(rt_.submit<sum_of_squares>(JobOptions{.where = away()}, 200).get(), 2 * 2'646'700);
}

Task<std::uint64_t> fib(std::uint64_t n) {
  if (n < 2) co_return n;
  Future<std::uint64_t> child = pp::spawn<fib>(n - 1);
  const std::uint64_t other = co_await pp::spawn<fib>(n - 2);
  co_return other + co_await child;
}

TEST_P(OnNodes, a_tree_of_coroutines_gives_the_right_sum) {
  EXPECT_EQ(rt_.submit<fib>(16).get(), 987u);
}

Task<std::string> rescue(int n) {
  try {
    co_await pp::spawn<refuse>(n);
  } catch (const std::out_of_range& error) {
    co_return error.what();
  }
  co_return "";
}
Task<int> fail_later(int n) { co_return co_await pp::spawn<refuse>(n); }
Task<int> pass_on(int n) { co_return co_await fail_later(n); }

TEST_P(OnNodes, an_awaited_failure_is_thrown_where_it_is_awaited) {
  EXPECT_EQ(rt_.submit<rescue>(8).get(), "number 8");
  EXPECT_THROW(rt_.submit<fail_later>(9).get(), std::out_of_range);
  EXPECT_THROW(rt_.submit<pass_on>(10).get(), std::out_of_range);
  EXPECT_THROW(rt_.submit<pass_on>(JobOptions{.where = away()}, 10).get(), std::out_of_range);
}

Task<int> not_a_coroutine(int n) {
  if (n == 0) throw std::out_of_range("zero");
  return n == 1 ? Task<int>() : constant(n);
}

TEST_P(OnNodes, a_function_that_returns_a_task_need_not_be_a_coroutine) {
  EXPECT_EQ(rt_.submit<not_a_coroutine>(JobOptions{.where = away()}, 2).get(), 2);
  EXPECT_THROW(rt_.submit<not_a_coroutine>(JobOptions{.where = away()}, 0).get(),
               std::out_of_range);
  EXPECT_THROW(rt_.submit<not_a_coroutine>(JobOptions{.where = away()}, 1).get(), pp::Error);
}

Task<std::size_t> keeps_reference(const std::vector<int>& values, std::string name) {
  std::size_t sum = 0;
  for (int round = 0; round < 3; ++round) {
    sum += static_cast<std::size_t>(co_await pp::spawn<square>(1));
    sum += values.size() + name.size();
  }
  co_return sum;
}

TEST_P(OnNodes, parameters_live_as_long_as_the_coroutine) {
  const std::vector<int> values(1'000);
  const std::string name(100, 'x');
  EXPECT_EQ(rt_.submit<keeps_reference>(values, name).get(), 3'303u);
  EXPECT_EQ(rt_.submit<keeps_reference>(JobOptions{.where = away()}, values, name).get(), 3'303u);
}

struct Offset {
  int by = 0;
  Task<int> added_to(int n) const { co_return by + co_await pp::spawn<square>(n); }
};

TEST_P(OnNodes, a_member_function_may_be_a_coroutine) {
  EXPECT_EQ(rt_.submit<&Offset::added_to>(Offset{5}, 2).get(), 9);
}

// --- stack ---

std::uint64_t one(int) { return 1; }
Task<std::uint64_t> await_ready_ones(std::size_t n) {
  const Future<std::uint64_t> ready = pp::spawn<one>(0);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += co_await ready;
  co_return sum;
}
Task<std::uint64_t> await_unready_ones(std::size_t n) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += co_await pp::spawn<one>(0);
  co_return sum;
}
Task<std::uint64_t> just_one() { co_return 1; }
Task<std::uint64_t> await_tasks(std::size_t n) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += co_await just_one();
  co_return sum;
}
Task<std::uint64_t> deep(std::uint64_t n) {
  if (n == 0) co_return co_await pp::spawn<one>(0);
  co_return 1 + co_await deep(n - 1);
}
Task<std::uint64_t> deep_jobs(std::uint64_t n) {
  if (n == 0) co_return 1;
  co_return 1 + co_await pp::spawn<deep_jobs>(n - 1);
}

TEST(TaskStack, does_not_grow_with_the_number_of_awaits) {
  for (const unsigned workers : {1u, 2u}) {
    Runtime rt(with_workers(workers));
    const std::size_t n = times(1'000'000, 100'000);
    EXPECT_EQ(rt.submit<await_ready_ones>(n).get(), n);
    EXPECT_EQ(rt.submit<await_unready_ones>(n).get(), n);
    EXPECT_EQ(rt.submit<await_tasks>(n).get(), n);
  }
}

TEST(TaskStack, does_not_grow_with_the_depth_of_calls) {
  Runtime rt(with_workers(1));
  EXPECT_EQ(rt.submit<deep>(10'000).get(), 10'001u);
  EXPECT_EQ(rt.submit<deep_jobs>(10'000).get(), 10'001u);
}

// --- a worker is free while a coroutine waits ---

Task<int> wait_at_barrier(Counted, int n) {
  const Counted local;
  co_return n + co_await *shared_future;
}

template <class Archive>
void serialize(Archive&, Counted&) {}

TEST(TaskWaiting, keeps_no_worker) {
  Barrier barrier;
  Runtime rt(with_workers(1));
  std::vector<Future<int>> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(rt.submit<wait_at_barrier>(Counted{}, i));
  EXPECT_EQ(rt.submit<square>(4).get(), 16);
  EXPECT_FALSE(waiting.front().ready());
  barrier.open();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(waiting[static_cast<std::size_t>(i)].get(), i + 7);
  EXPECT_EQ(rt.stats().nodes[0].jobs, 101u) << "a coroutine is one job, however often it waits";
}

TEST(TaskWaiting, the_clock_of_its_time_limit_stands) {
  Barrier barrier;
  Runtime rt(with_workers(1));
  const Future<int> waiting =
      rt.submit<wait_at_barrier>(JobOptions{.timeout = 400ms}, Counted{}, 1);
  EXPECT_FALSE(waiting.wait_for(600ms));
  barrier.open();
  EXPECT_EQ(waiting.get(), 8);
}

Task<int> wait_and_run_until_stopped(int) {
  co_await *shared_future;
  while (!pp::this_job().stop_requested()) std::this_thread::yield();
  co_return 0;
}

TEST(TaskWaiting, the_clock_of_its_time_limit_goes_on_afterwards) {
  Barrier barrier;
  Runtime rt(with_workers(1));
  const Future<int> late = rt.submit<wait_and_run_until_stopped>(JobOptions{.timeout = 50ms}, 0);
  barrier.open();
  EXPECT_THROW(late.get(), pp::Timeout);
}

std::vector<std::string> ended;
struct Noted {
  explicit Noted(std::string name_) : name(std::move(name_)) {}
  ~Noted() { ended.push_back(name); }
  std::string name;
};
Task<int> obeys(int) {
  const Noted first("first");
  const Noted second("second");
  gate.wait_until_reached();
  co_await *shared_future;
  pp::this_job().throw_if_stopped();
  co_return 1;
}

TEST(TaskWaiting, told_to_stop_it_goes_on_and_may_look) {
  ended.clear();
  Barrier barrier;
  Runtime rt(with_workers(1));
  const Future<int> stopped = rt.submit<obeys>(0);
  const Future<int> goes_on = rt.submit<wait_at_barrier>(Counted{}, 1);
  rt.submit<square>(1).get();  // one worker: both wait now
  EXPECT_EQ(stopped.cancel(), pp::Cancellation::kToldToStop);
  EXPECT_EQ(goes_on.cancel(), pp::Cancellation::kToldToStop);
  barrier.open();
  EXPECT_THROW(stopped.get(), pp::Cancelled);
  EXPECT_EQ(ended, (std::vector<std::string>{"second", "first"}));
  EXPECT_EQ(goes_on.get(), 8);
  EXPECT_EQ(goes_on.cancel(), pp::Cancellation::kFinished);
}

TEST(TaskWaiting, one_that_nobody_began_never_runs) {
  Barrier barrier;
  Runtime rt(with_workers(1));
  Gate* const closed = &gate;
  const Future<int> blocker = rt.submit<pass_gate>(0);
  closed->wait_until_reached(2);
  Counted::alive = 0;
  {
    const Future<int> never = rt.submit<wait_at_barrier>(Counted{}, 1);
    EXPECT_EQ(never.cancel(), pp::Cancellation::kNeverRan);
    EXPECT_THROW(never.get(), pp::Cancelled);
    barrier.open();
    blocker.get();
    rt.submit<square>(1).get();  // the queue has dropped it
  }
  EXPECT_EQ(Counted::alive.load(), 0);
}

// --- the end ---

TEST(TaskEnd, what_waits_when_the_runtime_ends_is_closed_and_destroyed_once) {
  Barrier barrier;
  Counted::alive = 0;
  std::vector<Future<int>> waiting;
  {
    Runtime rt(with_workers(2));
    for (int i = 0; i < 50; ++i) waiting.push_back(rt.submit<wait_at_barrier>(Counted{}, i));
    while (Counted::alive.load() < 50 * 3) std::this_thread::yield();
  }
  for (const auto& future : waiting) EXPECT_THROW(future.get(), pp::Closed);
  EXPECT_EQ(Counted::alive.load(), 50) << "variables are gone; arguments go with the last future";
  waiting.clear();
  EXPECT_EQ(Counted::alive.load(), 0);
}

Task<int> deep_at_barrier(int n) {
  const Counted local;
  if (n == 0) co_return co_await *shared_future;
  co_return 1 + co_await deep_at_barrier(n - 1);
}
Task<int> chain_at_barrier(int n) {
  const Counted local;
  if (n == 0) co_return co_await *shared_future;
  co_return 1 + co_await pp::spawn<chain_at_barrier>(n - 1);
}

TEST(TaskEnd, ten_thousand_deep_is_no_deeper_for_the_stack) {
  Barrier barrier;
  Counted::alive = 0;
  Future<int> calls;
  Future<int> jobs;
  {
    Runtime rt(with_workers(1));
    calls = rt.submit<deep_at_barrier>(10'000);
    jobs = rt.submit<chain_at_barrier>(10'000);
    while (Counted::alive.load() < 20'002) std::this_thread::yield();
  }
  EXPECT_THROW(calls.get(), pp::Closed);
  EXPECT_THROW(jobs.get(), pp::Closed);
  EXPECT_EQ(Counted::alive.load(), 0);
}

TEST(TaskEnd, a_result_that_comes_while_the_runtime_ends_harms_nothing) {
  for (std::size_t round = 0; round < times(300, 50); ++round) {
    Barrier barrier;
    Counted::alive = 0;
    std::vector<Future<int>> waiting;
    std::thread opener;
    {
      Runtime rt(with_workers(2));
      for (int i = 0; i < 4; ++i) waiting.push_back(rt.submit<wait_at_barrier>(Counted{}, i));
      while (Counted::alive.load() < 4 * 3) std::this_thread::yield();
      opener = std::thread([] { gate.open(); });
    }
    for (std::size_t i = 0; i < 4; ++i) {
      try {
        EXPECT_EQ(waiting[i].get(), static_cast<int>(i) + 7);
      } catch (const pp::Closed&) {  // as well
      }
    }
    opener.join();
    waiting.clear();
    EXPECT_EQ(Counted::alive.load(), 0);
  }
}

std::atomic<bool> parent_waits{false};
Task<int> two_steps(int n) {
  const int first = co_await pp::spawn<square>(n);
  while (!parent_waits.load()) std::this_thread::yield();
  Future<int> second = pp::spawn<square>(JobOptions{.priority = pp::Priority::kHigh}, n);
  co_return first + co_await second;
}
int waits_for_coroutine(int n) {
  Future<int> child = pp::spawn<two_steps>(n);
  parent_waits = true;
  return child.get();
}

// A coroutine that a running job waits for needs the queue, where jobs lie that nobody begins any
// more: if the waiting worker does not look there, the runtime never ends.
TEST(TaskEnd, a_running_job_gets_the_coroutine_it_waits_for) {
  for (std::size_t round = 0; round < times(300, 50); ++round) {
    for (const unsigned workers : {1u, 2u}) {
      parent_waits = false;
      Future<int> parent;
      {
        Runtime rt(with_workers(workers));
        parent = rt.submit<waits_for_coroutine>(3);
        while (!parent_waits.load()) std::this_thread::yield();
      }
      EXPECT_EQ(parent.get(), 18);
    }
  }
}

TEST(TaskEnd, a_task_that_nobody_awaits_is_destroyed_unbegun) {
  Counted::alive = 0;
  {
    const Task<int> dropped = wait_at_barrier(Counted{}, 1);
    EXPECT_EQ(Counted::alive.load(), 1);  // the parameter, in the coroutine
  }
  EXPECT_EQ(Counted::alive.load(), 0);
}

// --- what a job knows of itself ---

std::uint64_t own_id(int) { return pp::this_job().id(); }
Task<std::vector<std::uint64_t>> diary(bool) {
  std::vector<std::uint64_t> entries{pp::this_job().id(), pp::this_job().random()()};
  for (int i = 0; i < 3; ++i) {
    entries.push_back(co_await pp::spawn<own_id>(0));
    entries.push_back(pp::this_job().random()());
  }
  entries.push_back(pp::this_job().id());
  co_return entries;
}
// The same without a suspension.
std::vector<std::uint64_t> plain_diary(bool) {
  std::vector<std::uint64_t> entries{pp::this_job().id(), pp::this_job().random()()};
  for (int i = 0; i < 3; ++i) {
    entries.push_back(pp::spawn<own_id>(0).get());
    entries.push_back(pp::this_job().random()());
  }
  entries.push_back(pp::this_job().id());
  return entries;
}

TEST(TaskIdentity, is_carried_over_a_suspension) {
  Options options = with_workers(2);
  options.seed = 5;
  const auto suspended = Runtime(options).submit<diary>(true).get();
  const auto plain = Runtime(options).submit<plain_diary>(true).get();
  EXPECT_EQ(suspended, plain);
  EXPECT_EQ(std::set(suspended.begin(), suspended.end()).size(), suspended.size() - 1)
      << "all differ but the job's own id, which is there twice";
}

// --- many at once: what ThreadSanitizer is to look at ---

Task<std::uint64_t> relay(std::uint64_t n) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    std::vector<Future<std::uint64_t>> two;
    two.push_back(pp::spawn<one>(0));
    two.push_back(pp::spawn<one>(1));
    sum += co_await two[1];
    sum += co_await std::move(two[0]);
    sum += co_await just_one();
  }
  co_return sum;
}

TEST_P(OnNodes, many_coroutines_and_workers) {
  pp::test::Runtimes nodes(nodes_.size(), 3);
  const std::size_t n = times(200, 40);
  std::vector<Future<std::uint64_t>> relays;
  for (std::size_t i = 0; i < n; ++i) relays.push_back(nodes.first().submit<relay>(50));
  for (const auto& future : relays) EXPECT_EQ(future.get(), 150u);
}

// --- stolen ---

// With one worker a node, `others` coroutines that wait for each other are begun on as many nodes.
std::atomic<int> begun{0};
void meet(int others) {
  ++begun;
  while (begun.load() < others) std::this_thread::yield();
}
std::string place(int) { return pp::this_job().node(); }
Task<std::set<std::string>> stay(int others, const std::string& prefix) {
  meet(others);
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    seen.insert(prefix + pp::this_job().node());
    co_await pp::spawn<place>(0);
  }
  co_return seen;
}

TEST_P(OnNodes, a_stolen_coroutine_ends_on_the_node_where_it_began) {
  const int n = static_cast<int>(nodes_.size());
  begun = 0;
  std::vector<Future<std::set<std::string>>> all;
  for (int i = 0; i < n; ++i)
    all.push_back(rt_.submit<stay>(n, std::string("a rather long prefix: ")));
  std::set<std::string> seen;
  for (const auto& one : all) {
    EXPECT_EQ(one.get().size(), 1u);
    seen.insert(*one.get().begin());
  }
  EXPECT_EQ(seen.size(), nodes_.size());
}

Task<int> fails_there(int others) {
  meet(others);
  co_return co_await pp::spawn<refuse>(others);
}

TEST_P(OnNodes, the_failure_of_a_stolen_coroutine_comes_home) {
  const int n = static_cast<int>(nodes_.size());
  begun = 0;
  std::vector<Future<int>> all;
  for (int i = 0; i < n; ++i) all.push_back(rt_.submit<fails_there>(n));
  for (const auto& one : all) EXPECT_THROW(one.get(), std::out_of_range);
}

Task<int> obeys_there(int others) {
  meet(others);
  co_await *shared_future;
  while (!pp::this_job().stop_requested()) std::this_thread::yield();
  pp::this_job().throw_if_stopped();
  co_return 0;
}

TEST_P(OnNodes, a_stolen_coroutine_is_told_to_stop_while_it_waits) {
  const int n = static_cast<int>(nodes_.size());
  Barrier barrier;
  begun = 0;
  std::vector<Future<int>> all;
  for (int i = 0; i < n; ++i) all.push_back(rt_.submit<obeys_there>(n));
  while (begun.load() < n) std::this_thread::yield();
  for (const auto& one : all) EXPECT_EQ(one.cancel(), pp::Cancellation::kToldToStop);
  barrier.open();
  for (const auto& one : all) EXPECT_THROW(one.get(), pp::Cancelled);
}

Task<std::string> wait_there(int others) {
  const Counted local;
  meet(others);
  co_await *shared_future;
  co_return pp::this_job().node();
}

TEST(TaskStolen, by_a_node_that_leaves_while_it_waits_it_is_run_again) {
  pp::test::Runtimes nodes(3);
  Barrier barrier;
  begun = 0;
  Counted::alive = 0;
  std::vector<Future<std::string>> all;
  for (int i = 0; i < 3; ++i) all.push_back(nodes.first().submit<wait_there>(3));
  while (begun.load() < 3) std::this_thread::yield();
  nodes.end(1);
  nodes.end(2);
  while (begun.load() < 5) std::this_thread::yield();  // the two that were there begin anew
  EXPECT_LE(Counted::alive.load(), 3) << "what they left is destroyed";
  barrier.open();
  for (const auto& one : all) EXPECT_EQ(one.get(), "node0");
}

}  // namespace task_test
