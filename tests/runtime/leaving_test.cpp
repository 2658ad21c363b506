// Leaving politely: drain() hands back, finishes, delivers, and runs nothing twice.
#include <gmock/gmock.h>

#include <set>
#include <stop_token>

#include "runtimes.hpp"

namespace pp::test {
namespace {

using namespace std::chrono_literals;

Gate gate;
std::atomic<int> executions{0};

std::string where_behind_the_gate(int) {
  ++executions;
  gate.pass();
  return std::string(runtime::Crew::current()->node->name());
}

// Ends when it is told to stop, or at once the second time.
std::string stubborn(int) {
  if (++executions > 1) return "again";
  gate.pass();
  const std::stop_token stop = this_job().stop_token();
  while (!stop.stop_requested()) std::this_thread::yield();
  return "stopped";
}

std::string name_of_node() { return runtime::Crew::current()->node->name(); }

class Leaving : public testing::Test {
 protected:
  Leaving() {
    gate.close();
    executions = 0;
  }
};

TEST_F(Leaving, what_runs_is_finished_and_delivered_and_what_waits_goes_back) {
  Runtimes nodes(2);
  std::vector<Future<std::string>> jobs;
  // One runs there; the others lie in its queue or here, where the only worker is kept busy too.
  for (int i = 0; i < 8; ++i) jobs.push_back(nodes[0].submit<where_behind_the_gate>(i));
  gate.wait_until_reached(2);
  std::atomic<bool> in_time{false};
  std::thread leaver([&] { in_time = nodes[1].drain(60s); });
  const auto alone = [&] { return nodes[0].nodes().empty(); };
  const auto limit = std::chrono::steady_clock::now() + 60s;
  while (!alone() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_TRUE(alone()) << "it is no member from the moment in which it begins to leave";
  gate.open();
  leaver.join();
  EXPECT_TRUE(in_time);
  std::set<std::string> places;
  for (const auto& job : jobs) places.insert(job.get());
  EXPECT_EQ(executions, 8) << "nothing ran twice";
  EXPECT_EQ(places, (std::set<std::string>{"node0", "node1"}));
  EXPECT_EQ(nodes[0].stats().lost, 0u);
}

TEST_F(Leaving, what_does_not_end_in_time_is_told_to_stop_and_begins_again_elsewhere) {
  Runtimes nodes(2);
  auto job = nodes[0].submit<stubborn>(JobOptions{.where = Where::not_here()}, 0);
  gate.wait_until_reached(1);
  nodes.add();  // somebody else may run it
  gate.open();
  EXPECT_FALSE(nodes[1].drain(10ms));
  EXPECT_EQ(job.get(), "again");
  EXPECT_EQ(executions, 2);
}

TEST_F(Leaving, a_node_that_has_left_goes_on_alone) {
  Runtimes nodes(2);
  EXPECT_TRUE(nodes[1].drain(std::chrono::milliseconds::max())) << "as long as it takes";
  EXPECT_TRUE(nodes[1].nodes().empty());
  EXPECT_EQ(nodes[1].submit<name_of_node>().get(), "node1");
  EXPECT_EQ(nodes[0].submit<name_of_node>().get(), "node0");
  EXPECT_TRUE(nodes[1].drain(60s)) << "a second time is the same";
}

TEST_F(Leaving, what_it_has_lent_comes_home_first) {
  Runtimes nodes(2);
  auto job = nodes[1].submit<where_behind_the_gate>(JobOptions{.where = Where::not_here()}, 0);
  gate.wait_until_reached(1);
  std::thread leaver([&] { EXPECT_TRUE(nodes[1].drain(60s)); });
  gate.open();
  EXPECT_EQ(job.get(), "node0");
  leaver.join();
  EXPECT_EQ(executions, 1);
}

bool drain_here(std::uint64_t runtime) {
  try {
    return reinterpret_cast<Runtime*>(runtime)->drain();
  } catch (const Error&) {
    return false;
  }
}

TEST_F(Leaving, cannot_be_asked_for_by_a_job_that_it_would_wait_for) {
  Runtimes nodes(2);
  EXPECT_FALSE(nodes[0]
                   .submit<drain_here>(JobOptions{.where = Where::here()},
                                       reinterpret_cast<std::uint64_t>(&nodes[0]))
                   .get());
}

TEST_F(Leaving, needs_no_network) {
  Runtime alone{Options{}};
  EXPECT_TRUE(alone.drain());
}

}  // namespace
}  // namespace pp::test
