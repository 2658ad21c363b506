// Futures: callbacks, and waiting for several, on one node and across three.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "runtimes.hpp"
#include "sanitized.hpp"

namespace pp::test {
namespace {

using namespace std::chrono_literals;
using runtime::times;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::uint64_t square(std::uint64_t n) { return n * n; }
int refuse(int n) { throw std::out_of_range("number " + std::to_string(n)); }
void nothing() {}
std::string name_here() { return this_job().node(); }
std::unique_ptr<int> boxed(int n) { return std::make_unique<int>(n); }

Gate gates[4];
int behind(int gate, int value) {
  gates[gate].pass();
  return value;
}

class Futures : public OnNodes {
 protected:
  Futures() {
    for (Gate& gate : gates) gate.close();
  }
  Future<std::uint64_t> squared(std::uint64_t n) {
    return rt_.submit<square>(JobOptions{.where = away()}, n);
  }
};

TEST_P(Futures, a_callback_is_given_the_value) {
  EXPECT_EQ(squared(7).then([](std::uint64_t n) { return n + 1; }).get(), 50u);
  int captured = 5;
  rt_.submit<nothing>().then([&captured] { captured = 6; }).get();
  EXPECT_EQ(captured, 6);
}

TEST_P(Futures, a_callback_runs_on_a_worker_of_this_node) {
  const auto here = squared(1).then([](std::uint64_t) { return name_here(); });
  EXPECT_EQ(here.get(), rt_.name());
}

TEST_P(Futures, a_callback_comes_too_when_the_job_was_done_before) {
  const auto done = squared(3);
  done.wait();
  EXPECT_EQ(done.then([](std::uint64_t n) { return n; }).get(), 9u);
  EXPECT_EQ(done.then([](std::uint64_t n) { return n; }).get(), 9u) << "and may be asked for again";
}

TEST_P(Futures, callbacks_follow_each_other) {
  const auto last = squared(2)
                        .then([](std::uint64_t n) { return std::to_string(n); })
                        .then([](const std::string& text) { return text + "!"; })
                        .then([](const std::string& text) { return text.size(); });
  EXPECT_EQ(last.get(), 2u);
}

TEST_P(Futures, a_callback_may_submit_and_wait) {
  Runtime& rt = rt_;
  const auto sum = squared(2).then([&rt](std::uint64_t n) {
    const auto more = rt.submit<square>(n);
    const auto child = pp::spawn<square>(n + 1);
    return more.get() + child.get();
  });
  EXPECT_EQ(sum.get(), 16u + 25u);
}

TEST_P(Futures, a_failure_passes_a_callback_that_wants_the_value) {
  bool called = false;
  const auto after = rt_.submit<refuse>(3).then([&](int) { called = true; });
  EXPECT_THROW(after.get(), std::out_of_range);
  EXPECT_FALSE(called);
}

TEST_P(Futures, a_callback_that_takes_the_future_sees_the_failure) {
  const auto after = rt_.submit<refuse>(3).then([](const Future<int>& ended) -> std::string {
    EXPECT_TRUE(ended.ready());
    try {
      return std::to_string(ended.get());
    } catch (const std::out_of_range& error) {
      return error.what();
    }
  });
  EXPECT_EQ(after.get(), "number 3");
}

TEST_P(Futures, a_throw_in_a_callback_is_reported_by_its_future_and_harms_nothing) {
  const auto value = squared(4);
  const auto after = value.then([](std::uint64_t) -> int { throw std::domain_error("no"); });
  EXPECT_THROW(after.get(), std::domain_error);
  EXPECT_EQ(value.get(), 16u);
  EXPECT_EQ(squared(5).get(), 25u);
}

TEST_P(Futures, an_error_that_nobody_looked_at_is_logged_once) {
  testing::internal::CaptureStderr();
  rt_.submit<refuse>(4).wait();
  {
    const auto after = squared(4).then([](std::uint64_t) { throw std::domain_error("unheard"); });
    after.wait();
  }
  rt_.submit<refuse>(5).then([](int) {}).wait();
  {
    const auto seen = rt_.submit<refuse>(6);
    EXPECT_THROW(seen.get(), std::out_of_range);
  }
  nodes_.end_all();  // the executions have let go of their jobs
  const std::string log = testing::internal::GetCapturedStderr();
  const auto count = [&](const std::string& text) {
    std::size_t found = 0;
    for (auto at = log.find(text); at != log.npos; at = log.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("number 4"), 1u) << log;
  EXPECT_EQ(count("unheard"), 1u) << log;
  EXPECT_EQ(count("number 5"), 1u) << "once for the job and its callback: " << log;
  EXPECT_EQ(count("number 6"), 0u) << log;
}

TEST_P(Futures, a_value_is_not_given_away_while_a_callback_reads_it) {
  for (std::size_t i = 0; i < times(300, 50); ++i) {
    auto text = rt_.submit([] { return std::string(1000, 'x'); });
    const auto size = text.then(
        [](const std::string& value) { return std::count(value.begin(), value.end(), 'x'); });
    EXPECT_EQ(std::move(text).get().size(), 1000u);
    ASSERT_EQ(size.get(), 1000);
  }
}

TEST_P(Futures, may_hold_what_can_only_be_moved) {
  const auto sum = rt_.submit<boxed>(4).then([](const std::unique_ptr<int>& box) { return *box; });
  EXPECT_EQ(sum.get(), 4);
  EXPECT_EQ(*rt_.submit<boxed>(5).then([](const auto& box) { return boxed(*box + 1); }).get(), 6);
}

TEST_P(Futures, all_are_waited_for) {
  std::vector<Future<std::uint64_t>> squares;
  for (std::uint64_t n = 0; n < 20; ++n) squares.push_back(squared(n));
  wait_all(squares);
  for (const auto& one : squares) EXPECT_TRUE(one.ready());
  const auto a = squared(1);
  const auto b = rt_.submit<nothing>();
  const auto c = rt_.submit<refuse>(1);
  wait_all(a, b, c);
  EXPECT_TRUE(a.ready() && b.ready() && c.ready());
  EXPECT_THROW(c.get(), std::out_of_range);
}

TEST_P(Futures, any_is_found_out) {
  std::vector<Future<int>> jobs;
  jobs.push_back(rt_.submit<behind>(0, 10));
  jobs.push_back(rt_.submit([](int n) { return n; }, 11));
  if (nodes_.size() > 1) {  // with one worker the second waits for the first
    EXPECT_EQ(wait_any(jobs), 1u);
    EXPECT_FALSE(jobs[0].ready());
  }
  gates[0].open();
  jobs[0].wait();
  EXPECT_EQ(wait_any(jobs), 0u) << "the lowest of those that are done";
  EXPECT_EQ(wait_any(jobs[1], jobs[0]), jobs[1].ready() ? 0u : 1u);
  EXPECT_THROW(wait_any(std::vector<Future<int>>{}), Error);
}

TEST_P(Futures, waiting_for_any_has_a_limit) {
  std::vector<Future<int>> jobs;
  jobs.push_back(rt_.submit<behind>(0, 10));
  EXPECT_EQ(wait_any_for(1ms, jobs), std::nullopt);
  gates[0].open();
  EXPECT_EQ(wait_any_for(1h, jobs), 0u);
}

TEST_P(Futures, any_may_be_waited_for_inside_a_job) {
  const auto total = rt_.submit(
      [](int n) {
        std::vector<Future<std::uint64_t>> children;
        for (int i = 0; i < n; ++i)
          children.push_back(pp::spawn<square>(static_cast<std::uint64_t>(i)));
        std::uint64_t sum = 0;
        while (!children.empty()) {
          const std::size_t done = wait_any(children);
          sum += children[done].get();
          children.erase(children.begin() + static_cast<std::ptrdiff_t>(done));
        }
        return sum;
      },
      50);
  EXPECT_EQ(total.get(), 40425u);
}

TEST_P(Futures, come_as_they_are_completed) {
  std::vector<Future<int>> jobs;
  jobs.push_back(rt_.submit<behind>(0, 0));
  jobs.push_back(rt_.submit<behind>(1, 1));
  gates[1].open();
  if (nodes_.size() == 1) gates[0].open();
  std::vector<std::size_t> order;
  for (const std::size_t i : as_completed(jobs)) {
    EXPECT_TRUE(jobs[i].ready());
    order.push_back(i);
    gates[0].open();
  }
  if (nodes_.size() > 1) {
    EXPECT_THAT(order, ElementsAre(1u, 0u));
  } else {
    EXPECT_THAT(order, UnorderedElementsAre(0u, 1u));
  }
  for (const std::size_t i : as_completed(std::vector<Future<int>>{})) FAIL() << i;
}

TEST_P(Futures, may_be_left_before_all_are_completed) {
  std::vector<Future<std::uint64_t>> jobs;
  for (std::uint64_t n = 0; n < 10; ++n) jobs.push_back(squared(n));
  for (const std::size_t i : as_completed(jobs)) {
    EXPECT_EQ(jobs[i].get(), i * i);
    break;
  }
  wait_all(jobs);
}

// Would catch: an arrival lost between the look at the list and the sleep, or told twice.
TEST_P(Futures, each_comes_once_however_fast) {
  for (std::size_t round = 0; round < times(100, 20); ++round) {
    std::vector<Future<std::uint64_t>> jobs;
    for (std::uint64_t n = 0; n < 50; ++n) jobs.push_back(rt_.submit<square>(n));
    std::vector<int> seen(jobs.size());
    for (const std::size_t i : as_completed(jobs)) ++seen[i];
    ASSERT_EQ(std::count(seen.begin(), seen.end(), 1), 50);
  }
}

TEST_P(Futures, of_an_ended_runtime_say_so) {
  Future<int> queued;
  Future<int> callback;
  std::thread opener;
  {
    const auto running = rt_.submit<behind>(0, 1);
    gates[0].wait_until_reached();
    queued = rt_.submit<behind>(JobOptions{.where = Where::here()}, 1, 2);
    callback = queued.then([](int n) { return n; });
    opener = std::thread([&] {
      while (queued.valid() && !queued.ready() && gates[1].reached() == 0)
        gates[0].open(), gates[1].open();
    });
    nodes_.end_all();
    opener.join();
    EXPECT_EQ(running.get(), 1);
  }
  // Either the node was fast enough to begin it, or it says that it has ended.
  try {
    EXPECT_EQ(queued.get(), 2);
  } catch (const Closed&) {
  }
  EXPECT_TRUE(callback.ready());
  EXPECT_THROW(queued.then([](const Future<int>&) {}).get(), Closed) << "nothing runs any more";
}

TEST_P(Futures, prepared_submits_are_submits) {
  const auto prepared = rt_.prepared<square>({.where = away(), .label = "squares"});
  const auto a = prepared(3);
  const auto b = prepared(4);
  EXPECT_EQ(a.get() + b.get(), 25u);
}

INSTANTIATE_TEST_SUITE_P(On, Futures, on_one_and_on_three(), nodes_name);

}  // namespace
}  // namespace pp::test
