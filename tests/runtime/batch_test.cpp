// Batch: one function for many elements, on one node and across three.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <numeric>
#include <pp/pp.hpp>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtimes.hpp"
#include "sanitized.hpp"

namespace batch_test {

using namespace std::chrono_literals;
using pp::Batch;
using pp::JobOptions;
using pp::Options;
using pp::Runtime;
using pp::runtime::times;
using pp::test::Gate;
using pp::test::Runtimes;
using testing::ElementsAre;
using testing::HasSubstr;

Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

std::uint64_t square(std::uint64_t n) { return n * n; }
std::string labelled(int n, const std::string& prefix, int factor) {
  return prefix + std::to_string(n * factor);
}
bool is_odd(int n) { return n % 2 != 0; }
std::size_t length(const std::string& text) { return text.size(); }
std::unique_ptr<int> boxed(int n) { return std::make_unique<int>(n); }
int unboxed(std::unique_ptr<int> box) { return *box; }

int odd_only(int n) {
  if (n % 2 == 0) throw std::out_of_range("even: " + std::to_string(n));
  return n;
}

std::uint64_t first_draw(int) { return pp::this_job().random()(); }
std::uint64_t child_id() { return pp::this_job().id(); }
std::uint64_t first_child(int) { return pp::spawn<child_id>().get(); }

// How often each element was run, in this process.
std::vector<std::atomic<int>> runs(1 << 17);
void reset_runs() {
  for (auto& n : runs) n = 0;
}
int counted(int n) {
  ++runs[static_cast<std::size_t>(n)];
  return n + 1;
}
void noted(int n) { ++runs[static_cast<std::size_t>(n)]; }

std::vector<int> numbers(std::size_t count) {
  std::vector<int> values(count);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

// --- on nodes ---

class BatchOn : public pp::test::OnNodes {};
INSTANTIATE_TEST_SUITE_P(Nodes, BatchOn, pp::test::on_one_and_on_three(), pp::test::nodes_name);

TEST_P(BatchOn, every_result_stands_where_its_element_stood) {
  const auto values = std::views::iota(std::uint64_t{0}, std::uint64_t{300'000});
  const Batch<std::uint64_t> squares = rt_.map<square>(values);
  ASSERT_EQ(squares.get().size(), values.size());
  for (std::uint64_t n = 0; n < values.size(); ++n) ASSERT_EQ(squares.get()[n], n * n);
  EXPECT_EQ(squares.done(), values.size());
  EXPECT_TRUE(squares.ready());
}

TEST_P(BatchOn, every_element_is_run_exactly_once) {
  reset_runs();
  const std::vector<int> values = numbers(100'000);
  const std::vector<int> results = rt_.map<counted>(values).get();
  for (std::size_t n = 0; n < values.size(); ++n) {
    ASSERT_EQ(runs[n], 1) << n;
    ASSERT_EQ(results[n], static_cast<int>(n) + 1);
  }
}

TEST_P(BatchOn, shared_arguments_are_given_to_every_call) {
  const auto batch = rt_.map<labelled>(std::vector<int>{1, 2, 3}, "n", 10L);
  EXPECT_THAT(batch.get(), ElementsAre("n10", "n20", "n30"));
}

TEST_P(BatchOn, lambdas_and_options_are_taken_as_by_submit) {
  const std::vector<int> values{1, 2, 3};
  EXPECT_THAT(rt_.map([](int n, int m) { return n * m; }, values, 7).get(), ElementsAre(7, 14, 21));
  const JobOptions options{.priority = pp::Priority::kHigh, .label = "low"};
  EXPECT_THAT(rt_.map<odd_only>(options, std::vector<int>{1, 3}).get(), ElementsAre(1, 3));
  EXPECT_THAT(rt_.map(
                     options, [](int n) { return n + 1; }, values)
                  .get(),
              ElementsAre(2, 3, 4));
}

TEST_P(BatchOn, bools_strings_and_boxes_come_back) {
  const std::vector<int> values = numbers(5'000);
  const Batch<bool> odd = rt_.map<is_odd>(values);
  const auto boxes = rt_.map<boxed>(values).get();
  const Batch<std::string> texts = rt_.map<labelled>(values, "x", 1);
  for (std::size_t n = 0; n < values.size(); ++n) {
    ASSERT_EQ(odd.get()[n], n % 2 != 0);
    ASSERT_EQ(*boxes[n], static_cast<int>(n));
    ASSERT_EQ(texts.get()[n], "x" + std::to_string(n));
  }
}

TEST_P(BatchOn, elements_that_can_only_be_moved_are_moved) {
  std::vector<std::unique_ptr<int>> boxes;
  for (int n = 0; n < 3'000; ++n) boxes.push_back(std::make_unique<int>(n));
  EXPECT_EQ(rt_.map<unboxed>(std::move(boxes)).get(), numbers(3'000));
}

TEST_P(BatchOn, any_range_will_do) {
  std::istringstream words("to be or not to be");
  EXPECT_THAT(rt_.map<length>(std::views::istream<std::string>(words)).get(),
              ElementsAre(2, 2, 2, 3, 2, 2));
  EXPECT_THAT(rt_.map<square>(std::list<int>{3, 4}).get(), ElementsAre(9, 16));
  EXPECT_THAT(rt_.map<length>(std::set<std::string>{"b", "aa"}).get(), ElementsAre(2, 1));
  const char* const letters[] = {"abc", "d"};
  EXPECT_THAT(rt_.map<length>(letters).get(), ElementsAre(3, 1));
  std::vector<bool> bits{true, false};
  EXPECT_THAT(rt_.map([](bool bit) { return !bit; }, bits).get(), ElementsAre(false, true));
}

TEST_P(BatchOn, counted_ranges_have_the_values_they_have_elsewhere) {
  EXPECT_THAT(rt_.map([](long n) { return n; }, std::views::iota(-2, 2)).get(),
              ElementsAre(-2, -1, 0, 1));
  EXPECT_THAT(rt_.map([](std::uint8_t n) { return n; }, std::views::iota(254, 258)).get(),
              ElementsAre(254, 255, 0, 1));
  EXPECT_THAT(rt_.map([](double x) { return x / 2; }, std::views::iota(1, 3)).get(),
              ElementsAre(0.5, 1.0));
  auto even = std::views::iota(0, 6) | std::views::filter([](int n) { return n % 2 == 0; });
  EXPECT_THAT(rt_.map<square>(even).get(), ElementsAre(0, 4, 16));
  const auto tens = std::views::iota(0, 3) | std::views::transform([](int n) { return 10 * n; });
  EXPECT_THAT(rt_.map<square>(tens).get(), ElementsAre(0, 100, 400));
}

TEST_P(BatchOn, an_empty_range_is_done_at_once) {
  const Batch<std::uint64_t> none = rt_.map<square>(std::vector<std::uint64_t>{});
  EXPECT_TRUE(none.ready());
  EXPECT_TRUE(none.get().empty());
  for ([[maybe_unused]] auto&& one : none.as_completed()) ADD_FAILURE();
  rt_.map<noted>(std::vector<int>{}).get();
  rt_.parallel_for<noted>(5, 5).get();
  rt_.parallel_for<noted>(5, 3).get();
}

TEST_P(BatchOn, functions_without_a_result_are_called_for_each) {
  reset_runs();
  rt_.map<noted>(numbers(1'000)).get();
  rt_.parallel_for<noted>(1'000, 50'000).get();
  for (std::size_t n = 0; n < 50'000; ++n) ASSERT_EQ(runs[n], 1) << n;
}

TEST_P(BatchOn, elements_come_once_each_as_they_are_done) {
  const std::vector<int> values = numbers(20'000);
  const Batch<int> batch = rt_.map<counted>(values);
  std::vector<int> seen(values.size());
  for (auto&& [index, value] : batch.as_completed()) {
    ++seen[index];
    ASSERT_EQ(value, static_cast<int>(index) + 1);
  }
  EXPECT_EQ(std::ranges::count(seen, 1), static_cast<std::ptrdiff_t>(values.size()));
  std::size_t sum = 0;
  for (const std::size_t index : rt_.map<noted>(numbers(1'000)).as_completed()) sum += index;
  EXPECT_EQ(sum, 499'500u);
}

TEST_P(BatchOn, the_first_failure_by_index_is_thrown_and_the_others_go_on) {
  const Batch<int> batch = rt_.map<odd_only>(numbers(4'000));
  for (int i = 0; i < 2; ++i) {
    try {
      batch.get();
      ADD_FAILURE();
    } catch (const std::out_of_range& error) {
      EXPECT_STREQ(error.what(), "even: 0");
    }
  }
  const auto errors = batch.errors();
  ASSERT_EQ(errors.size(), 2'000u);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    ASSERT_EQ(errors[i].first, 2 * i);
    try {
      std::rethrow_exception(errors[i].second);
    } catch (const std::out_of_range& error) {
      ASSERT_EQ(error.what(), "even: " + std::to_string(2 * i));
    }
  }
}

TEST_P(BatchOn, a_loop_goes_on_behind_an_element_that_failed) {
  const Batch<int> batch = rt_.map<odd_only>(numbers(1'000));
  auto completed = batch.as_completed();
  std::set<std::size_t> values;
  std::set<std::string> failures;
  for (bool over = false; !over;) {
    try {
      for (auto&& [index, value] : completed) values.insert(index);
      over = true;
    } catch (const std::out_of_range& error) {
      failures.insert(error.what());
    }
  }
  EXPECT_EQ(values.size(), 500u);
  EXPECT_EQ(failures.size(), 500u);
}

TEST_P(BatchOn, each_element_draws_its_own_numbers_whatever_the_chunks) {
  const auto draw = [&](unsigned workers) {
    Runtime alone(with_workers(workers));
    return alone.map<first_draw>(numbers(5'000)).get();
  };
  const std::vector<std::uint64_t> here = rt_.map<first_draw>(numbers(5'000)).get();
  EXPECT_EQ(here, draw(1));
  EXPECT_EQ(here, draw(4));
  EXPECT_EQ(std::set<std::uint64_t>(here.begin(), here.end()).size(), here.size());
}

TEST_P(BatchOn, children_of_elements_have_the_same_identity_whatever_the_chunks) {
  const std::vector<std::uint64_t> here = rt_.map<first_child>(numbers(500)).get();
  Runtime alone(with_workers(1));
  EXPECT_EQ(here, alone.map<first_child>(numbers(500)).get());
  EXPECT_EQ(std::set<std::uint64_t>(here.begin(), here.end()).size(), here.size());
}

std::uint64_t sum_of_map(int n) {
  const std::vector<std::uint64_t> squares = pp::map<square>(std::views::iota(0, n)).get();
  return std::accumulate(squares.begin(), squares.end(), std::uint64_t{0});
}

TEST_P(BatchOn, maps_may_be_nested) {
  const std::vector<std::uint64_t> sums = rt_.map<sum_of_map>(std::views::iota(0, 200)).get();
  for (std::uint64_t n = 1; n < 200; ++n) ASSERT_EQ(sums[n], (n - 1) * n * (2 * n - 1) / 6);
  EXPECT_EQ(rt_.submit<sum_of_map>(1'000).get(), 332'833'500u);
}

std::uint64_t sum_as_completed(int n) {
  std::uint64_t sum = 0;
  const auto lambda = [](int i) { return std::uint64_t(i); };
  for (auto&& [index, value] : pp::map(lambda, std::views::iota(0, n)).as_completed()) sum += value;
  return sum;
}

TEST_P(BatchOn, results_come_as_completed_inside_jobs) {
  EXPECT_EQ(rt_.submit<sum_as_completed>(10'000).get(), 49'995'000u);
}

TEST_P(BatchOn, each_element_counts_as_a_job) {
  const auto jobs = [&] {
    std::uint64_t sum = 0;
    for (const auto& node : rt_.stats().nodes) sum += node.jobs;
    return sum;
  };
  const std::uint64_t before = jobs();
  rt_.map<square>(std::views::iota(0, 10'000)).wait();
  if (nodes_.size() == 1) {
    EXPECT_EQ(jobs() - before, 10'000u);
  } else {
    while (jobs() - before < 10'000) std::this_thread::yield();  // other nodes report later
    EXPECT_EQ(jobs() - before, 10'000u);
  }
}

TEST_P(BatchOn, a_map_that_may_not_run_here_runs_elsewhere) {
  const auto places =
      rt_.map([](int) { return pp::this_job().node(); }, std::vector<int>(100)).get();
  ASSERT_EQ(places.size(), 100u);
  if (nodes_.size() == 1) return;
  const auto away = rt_.map(
                           JobOptions{.where = pp::Where::node(nodes_[1].id())},
                           [](int) { return pp::this_job().node(); }, numbers(1'000))
                        .get();
  EXPECT_EQ(std::set<std::string>(away.begin(), away.end()), (std::set<std::string>{"node1"}));
}

// --- cut by the machine, not by the user ---

Gate gate;
std::atomic<int> together{0};
// Ends only when so many of them run at the same time.
std::string meet(int, int others) {
  ++together;
  while (together < others) std::this_thread::yield();
  return pp::this_job().node();
}

TEST(Batch, each_of_a_few_huge_elements_may_be_run_by_another_worker) {
  Runtime rt(with_workers(4));
  for (int round = 0; round < 10; ++round) {
    together = 0;
    // If two of them lay in one piece that is not split, nobody would ever be the fourth.
    rt.map<meet>(numbers(4), 4).get();
  }
}

int first_waits_for_others(int n, int others) {
  if (n != 0) {
    ++together;
  } else {
    while (together < others) std::this_thread::yield();
  }
  return n;
}

// Few elements are handed out one by one. Of many, some microseconds' worth may lie behind a huge
// one that nobody could foresee, less than a piece in any case; all the others must not.
TEST(Batch, elements_behind_a_huge_one_do_not_wait_for_it) {
  Runtime rt(with_workers(2));
  for (const auto& [count, others] :
       {std::pair{10, 9}, {64, 63}, {5'000, 4'900}, {100'000, 98'000}}) {
    together = 0;
    EXPECT_EQ(
        rt.map<first_waits_for_others>(numbers(static_cast<std::size_t>(count)), others).get(),
        numbers(static_cast<std::size_t>(count)));
  }
}

TEST(Batch, huge_elements_are_spread_over_the_nodes) {
  Runtimes nodes(3);
  together = 0;
  const auto places = nodes.first().map<meet>(numbers(3), 3).get();
  EXPECT_EQ(std::set<std::string>(places.begin(), places.end()),
            (std::set<std::string>{"node0", "node1", "node2"}));
}

// --- the end of it ---

int pass_gate(int n) {
  gate.pass();
  return n;
}
int until_stopped(int) {
  gate.pass();
  while (!pp::this_job().stop_requested()) std::this_thread::yield();
  pp::this_job().throw_if_stopped();
  return 0;
}

TEST(Batch, what_is_cancelled_before_it_began_never_runs) {
  Runtime rt(with_workers(1));
  gate.close();
  const auto blocker = rt.submit<pass_gate>(0);
  gate.wait_until_reached();
  reset_runs();
  const Batch<int> batch = rt.map<counted>(numbers(10'000));
  batch.cancel();
  gate.open();
  blocker.get();
  EXPECT_THROW(batch.get(), pp::Cancelled);
  EXPECT_EQ(batch.errors().size(), 10'000u);
  for (std::size_t n = 0; n < 10'000; ++n) ASSERT_EQ(runs[n], 0);
}

TEST(Batch, a_running_element_is_told_to_stop_and_the_rest_never_runs) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}}) {
    Runtimes nodes(count);
    gate.close();
    gate.open();
    const Batch<int> batch = nodes.first().map<until_stopped>(numbers(5'000));
    gate.wait_until_reached(static_cast<int>(count));  // one runs on every worker
    batch.cancel();
    EXPECT_THROW(batch.get(), pp::Cancelled);
    // A node that became free may have got one more from another that had not heard of it yet.
    EXPECT_LT(gate.reached(), 100);
    EXPECT_EQ(batch.errors().size(), 5'000u);
  }
}

TEST(Batch, what_was_done_before_it_was_cancelled_stays) {
  Runtime rt(with_workers(1));
  gate.close();
  const Batch<int> batch = rt.map(
      [](int n) {
        if (n == 500) gate.pass();
        return n;
      },
      numbers(1'000));
  gate.wait_until_reached();
  batch.cancel();
  gate.open();
  std::size_t values = 0;
  auto completed = batch.as_completed();
  for (bool over = false; !over;) {
    try {
      for (auto&& [index, value] : completed) {
        EXPECT_EQ(value, static_cast<int>(index));
        ++values;
      }
      over = true;
    } catch (const pp::Cancelled&) {
    }
  }
  EXPECT_EQ(values + batch.errors().size(), 1'000u);
  EXPECT_GE(values, 501u);  // one worker begins at the beginning
}

TEST(Batch, waiting_has_a_limit) {
  Runtime rt(with_workers(1));
  gate.close();
  const Batch<int> batch = rt.map<pass_gate>(numbers(3));
  EXPECT_FALSE(batch.wait_for(1ms));
  EXPECT_FALSE(batch.ready());
  gate.open();
  EXPECT_TRUE(batch.wait_for(20s));
  EXPECT_EQ(batch.get(), numbers(3));
}

TEST(Batch, ends_with_its_runtime) {
  Batch<int> batch;
  EXPECT_FALSE(batch.valid());
  EXPECT_EQ(batch.size(), 0u);
  {
    Runtime rt(with_workers(1));
    gate.close();
    batch = rt.map<pass_gate>(numbers(1'000));
    gate.wait_until_reached();
    std::thread opener([] { gate.open(); });
    opener.join();
  }
  batch.wait();  // whatever was not begun has failed
  EXPECT_EQ(batch.done(), 1'000u);
  for (const auto& [index, error] : batch.errors())
    EXPECT_THROW(std::rethrow_exception(error), pp::Closed);
}

TEST(Batch, a_limit_of_time_is_refused) {
  Runtime rt(with_workers(1));
  try {
    rt.map<square>(JobOptions{.timeout = 1s}, numbers(3));
    ADD_FAILURE();
  } catch (const pp::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("timeout"));
  }
}

TEST(Batch, map_outside_a_job_says_what_to_do) {
  try {
    pp::map<square>(numbers(3));
    ADD_FAILURE();
  } catch (const pp::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("Runtime::map"));
  }
}

TEST(Batch, failures_that_nobody_looked_at_are_logged_once) {
  testing::internal::CaptureStderr();
  {
    Runtime rt(with_workers(2));
    rt.map<odd_only>(JobOptions{.label = "those"}, numbers(100)).wait();
    rt.map<odd_only>(numbers(10)).errors();  // looked at
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("100 calls"));
  EXPECT_THAT(log, HasSubstr("50 failed"));
  EXPECT_THAT(log, HasSubstr("those"));
  EXPECT_THAT(log, HasSubstr("even: 0"));
  EXPECT_EQ(std::ranges::count(log, '\n'), 1);
}

// A node that is cut off while it has pieces: they are run again, and each result is delivered
// once.
std::atomic<int> second_attempts{0};
int slow_elsewhere(int n) {
  ++runs[static_cast<std::size_t>(n)];
  if (pp::this_job().attempt() > 1) ++second_attempts;
  if (pp::this_job().node() == "node1") {
    gate.pass();
  } else {
    gate.wait_until_reached();  // so that there is something left for the other one
  }
  return n + 1;
}

TEST(Batch, what_a_lost_node_had_is_run_again_and_delivered_once) {
  pp::transport::LoopbackWorld world;
  const auto join = [&world](const std::string& name, std::vector<pp::Address> peers) {
    Options options = with_workers(1);
    options.name = name;
    options.peers = std::move(peers);
    return std::make_unique<Runtime>(std::make_unique<pp::runtime::Node>(
        options,
        world.open(pp::runtime::introduction(options, pp::runtime::FunctionTable::seal()))));
  };
  const auto owner = join("node0", {});
  const auto lost = join("node1", {pp::Address::parse(owner->address())});
  ASSERT_TRUE(owner->wait_for_nodes(2, 20s));
  gate.close();
  reset_runs();
  const std::vector<int> values = numbers(20'000);
  const Batch<int> batch = owner->map<slow_elsewhere>(values);
  std::vector<int> seen(values.size());
  std::thread reader([&] {
    for (auto&& [index, value] : batch.as_completed()) {
      ++seen[index];
      EXPECT_EQ(value, static_cast<int>(index) + 1);
    }
  });
  gate.wait_until_reached();  // it has begun an element of a piece that it will never send home
  world.cut(owner->id(), lost->id());
  reader.join();
  gate.open();
  EXPECT_EQ(std::ranges::count(seen, 1), static_cast<std::ptrdiff_t>(values.size()));
  EXPECT_EQ(batch.get().size(), values.size());
  for (std::size_t n = 0; n < values.size(); ++n) ASSERT_GE(runs[n], 1);
  EXPECT_GT(owner->stats().lost, 0u);
  EXPECT_GT(second_attempts, 0);
}

}  // namespace batch_test
