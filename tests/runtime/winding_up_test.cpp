// Winding up: what a program that is asked to end still begins, and what becomes of the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "runtimes.hpp"

namespace pp::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Gate gate;
std::atomic<int> executions{0};

std::uint64_t node_of_this_job() {
  return reinterpret_cast<std::uint64_t>(runtime::Crew::current()->node);
}
int behind_the_gate(int value) {
  ++executions;
  gate.pass();
  return value;
}
int plus_one(int value) {
  ++executions;
  return value + 1;
}
int with_a_child(int value) {
  gate.pass();
  return pp::spawn<plus_one>(value).get();
}
int with_a_map(int size) {
  gate.pass();
  int sum = 0;
  for (const int one : pp::map<plus_one>(std::vector<int>(static_cast<std::size_t>(size))).get())
    sum += one;
  return sum;
}
int with_an_urgent_child(int value) {
  gate.pass();
  return pp::spawn<plus_one>(JobOptions{.priority = Priority::kHigh}, value).get();
}
Task<int> that_goes_on(int value) {
  const int first = co_await pp::spawn<behind_the_gate>(value);
  co_return first + co_await pp::spawn<plus_one>(value);
}

class WindingUp : public testing::Test {
 protected:
  WindingUp() {
    gate.close();
    executions = 0;
  }
  ~WindingUp() override { gate.open(); }

  static runtime::Node& node(Runtime& rt) {
    return *reinterpret_cast<runtime::Node*>(
        rt.submit<node_of_this_job>(JobOptions{.where = Where::here()}).get());
  }
  // As pp::run does.
  static void settle(runtime::Node& node) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (node.at_work() && std::chrono::steady_clock::now() < limit) {
      std::this_thread::yield();
      node.wind_up();
    }
    EXPECT_FALSE(node.at_work());
  }
  template <class F>
  static std::string why_closed(const F& future) {
    try {
      future.get();
    } catch (const Closed& closed) {
      return closed.what();
    }
    return "";
  }
};

TEST_F(WindingUp, what_runs_comes_to_its_end_and_what_waits_fails) {
  Runtimes alone(1);
  runtime::Node& node = this->node(alone[0]);
  const auto runs = alone[0].submit<behind_the_gate>(7);
  gate.wait_until_reached();
  const auto waits = alone[0].submit<plus_one>(1);
  const auto urgent = alone[0].submit<plus_one>(JobOptions{.priority = Priority::kHigh}, 1);
  EXPECT_TRUE(node.at_work());
  node.wind_up();
  EXPECT_THAT(why_closed(waits), HasSubstr("asked to end"));
  EXPECT_THAT(why_closed(urgent), HasSubstr("asked to end"));
  EXPECT_THAT(why_closed(alone[0].submit<plus_one>(1)), HasSubstr("asked to end"));
  EXPECT_TRUE(node.at_work());
  gate.open();
  EXPECT_EQ(runs.get(), 7);
  settle(node);
  EXPECT_EQ(executions, 1);
}

TEST_F(WindingUp, what_runs_may_begin_all_that_it_needs) {
  Runtimes alone(1, 4);
  runtime::Node& node = this->node(alone[0]);
  const auto child = alone[0].submit<with_a_child>(1);
  const auto urgent = alone[0].submit<with_an_urgent_child>(2);
  const auto map = alone[0].submit<with_a_map>(1000);
  gate.wait_until_reached(3);
  node.wind_up();
  gate.open();
  EXPECT_EQ(child.get(), 2);
  EXPECT_EQ(urgent.get(), 3);
  EXPECT_EQ(map.get(), 1000);
  settle(node);
}

TEST_F(WindingUp, a_coroutine_that_waits_goes_on_and_a_callback_is_called) {
  Runtimes alone(1, 2);
  runtime::Node& node = this->node(alone[0]);
  const auto job = alone[0].submit<that_goes_on>(3);
  std::atomic<int> heard{0};
  const auto then = job.then([&](const Future<int>& done) { heard = done.get(); });
  gate.wait_until_reached();
  node.wind_up();
  gate.open();
  EXPECT_EQ(job.get(), 7);
  then.wait();
  EXPECT_EQ(heard, 7);
  settle(node);
}

TEST_F(WindingUp, a_thread_that_waits_to_submit_is_let_go) {
  Options options;
  options.queue_limit = 2;
  Runtimes alone(1, 1, options);
  runtime::Node& node = this->node(alone[0]);
  const auto runs = alone[0].submit<behind_the_gate>(0);
  gate.wait_until_reached();
  std::vector<Future<int>> jobs;
  std::thread submitter([&] {
    for (int i = 0; i < 6; ++i) jobs.push_back(alone[0].submit<plus_one>(i));
  });
  std::atomic<bool> over{false};
  std::thread ends([&] {
    while (!over) node.wind_up();
  });
  submitter.join();
  over = true;
  ends.join();
  node.wind_up();  // what was on its way into the queue when that was done before
  for (const auto& job : jobs) EXPECT_THAT(why_closed(job), HasSubstr("asked to end"));
  gate.open();
  EXPECT_EQ(runs.get(), 0);
}

TEST_F(WindingUp, what_was_lent_and_comes_back_unbegun_fails_and_what_runs_there_is_waited_for) {
  Runtimes nodes(2);
  runtime::Node& node = this->node(nodes[0]);
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 8; ++i)
    jobs.push_back(nodes[0].submit<behind_the_gate>(JobOptions{.where = Where::not_here()}, i));
  gate.wait_until_reached();
  node.wind_up();
  std::thread leaver([&] { EXPECT_TRUE(nodes[1].drain(60s)); });  // as its launcher tells it to
  const auto limit = std::chrono::steady_clock::now() + 60s;
  const auto failed = [&] {
    return std::count_if(jobs.begin(), jobs.end(), [](const auto& job) { return job.ready(); });
  };
  while (failed() < 7 && std::chrono::steady_clock::now() < limit) {
    node.wind_up();
    std::this_thread::yield();
  }
  EXPECT_TRUE(node.at_work());
  gate.open();
  settle(node);
  leaver.join();
  int values = 0;
  for (const auto& job : jobs) {
    ASSERT_TRUE(job.ready());
    values += why_closed(job).empty() ? 1 : 0;
  }
  EXPECT_EQ(values, 1);
  EXPECT_EQ(executions, 1);
}

// Slow elements: what is left of a piece that runs is not begun.
TEST_F(WindingUp, a_map_ends_and_its_log_has_what_it_has_finished) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("pp_winding_up_" + std::to_string(getpid()));
  Options options;
  options.joblog = file.string();
  options.resume = true;
  std::size_t done = 0;
  {
    Runtimes alone(1, 2, options);
    runtime::Node& node = this->node(alone[0]);
    const auto batch = alone[0].map<behind_the_gate>(std::vector<int>(500, 5));
    gate.wait_until_reached(2);
    node.wind_up();
    gate.open();
    settle(node);
    ASSERT_TRUE(batch.ready());
    done = 500 - batch.errors().size();
    EXPECT_EQ(done, static_cast<std::size_t>(executions.load()));
    EXPECT_LT(done, 10u);
    node.job_log()->settle();
    // Another driver that came now, after a kill, would find them.
    EXPECT_THROW(batch.get(), Closed);
  }
  Runtimes again(1, 2, options);
  const auto batch = again[0].map<behind_the_gate>(std::vector<int>(500, 5));
  EXPECT_EQ(batch.get(), std::vector<int>(500, 5));
  EXPECT_EQ(again[0].stats().resumed_elements, done);
  EXPECT_EQ(executions, 500);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace pp::test
