// Clusters of several nodes in one process over the loopback world: the real courier, ledger,
// thief, victim and crew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <pp/loopback.hpp>
#include <pp/pp.hpp>
#include <set>
#include <thread>
#include <vector>

#include "loopback_cluster.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;

std::uint64_t square(std::uint64_t n) { return n * n; }

// The node that ran it, as the worker knows it.
std::string where(int) { return Crew::current()->node->name(); }

// Long enough for others to be asked: waits until the given number of jobs run at the same time
// somewhere in this process.
std::atomic<int> together{0};
std::string meet(int others) {
  ++together;
  while (together.load() < others) std::this_thread::yield();
  return where(0);
}

std::uint64_t fib(std::uint64_t n) {
  if (n < 2) return n;
  auto child = pp::spawn<fib>(n - 1);
  const std::uint64_t other = fib(n - 2);
  return child.get() + other;
}

std::vector<std::string> family(int children) {
  std::vector<Future<std::string>> all;
  for (int i = 0; i < children; ++i) all.push_back(pp::spawn<meet>(children));
  std::vector<std::string> places{where(0)};
  for (const auto& child : all) places.push_back(child.get());
  return places;
}

std::uint64_t fail(std::uint64_t n) {
  if (n % 2 == 0) throw std::out_of_range("even: " + std::to_string(n));
  return n;
}

std::vector<double> large(std::vector<double> values) {
  for (double& value : values) value *= 2;
  return values;
}

std::atomic<bool> gate{false};
std::atomic<int> inside{0};
std::string behind_the_gate(int) {
  ++inside;
  while (!gate.load()) std::this_thread::yield();
  return where(0);
}

TEST(LoopbackCluster, everybody_meets_everybody_through_one) {
  Cluster cluster(5);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(cluster[i].courier()->nodes().size(), 4u);
}

TEST(LoopbackCluster, every_result_comes_home_right) {
  Cluster cluster(3, {2, 1, 1});
  std::vector<Future<std::uint64_t>> squares;
  for (std::uint64_t n = 0; n < 20'000; ++n) squares.push_back(cluster.submit<square>(0, n));
  for (std::uint64_t n = 0; n < squares.size(); ++n) ASSERT_EQ(squares[n].get(), n * n);
}

TEST(LoopbackCluster, idle_nodes_steal_from_the_one_that_has_work) {
  Cluster cluster(3);
  together = 0;
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 3; ++i)
    jobs.push_back(cluster.submit<meet>(0, 3));  // each returns only when all three run at once
  std::set<std::string> places;
  for (const auto& job : jobs) places.insert(job.get());
  EXPECT_EQ(places, (std::set<std::string>{"node0", "node1", "node2"}));
}

TEST(LoopbackCluster, children_of_a_stolen_job_are_stolen_by_others_too) {
  Cluster cluster(3);
  gate = false;
  inside = 0;
  auto blocker = cluster.submit<behind_the_gate>(0, 0);  // occupies the node that submits
  while (inside.load() == 0) std::this_thread::yield();
  together = 0;
  auto parent = cluster.submit<family>(
      0, 2);  // its children need two workers at once, and the parent's helps as one
  const std::vector<std::string> places = parent.get();
  gate = true;
  blocker.get();
  EXPECT_NE(places[0], "node0");
  EXPECT_NE(places[1], places[2]);
}

TEST(LoopbackCluster, the_submitter_steals_back_what_was_spawned_elsewhere) {
  Cluster cluster(2);
  gate = false;
  inside = 0;
  auto blocker = cluster.submit<behind_the_gate>(0, 0);
  while (inside.load() == 0) std::this_thread::yield();
  together = 0;
  auto parent = cluster.submit<family>(0, 2);
  while (together.load() == 0)
    std::this_thread::yield();  // the parent runs elsewhere and its worker has begun a child
  gate = true;                  // now the submitter is idle and takes the other one
  const std::vector<std::string> places = parent.get();
  EXPECT_EQ(places[0], "node1");
  EXPECT_EQ((std::set<std::string>{places[1], places[2]}),
            (std::set<std::string>{"node0", "node1"}));
}

TEST(LoopbackCluster, nested_jobs_give_the_right_sum_on_four_nodes) {
  Cluster cluster(4);
  EXPECT_EQ(cluster.submit<fib>(0, 20).get(), 6765u);
  EXPECT_EQ(cluster.submit<fib>(2, 18).get(), 2584u);
}

TEST(LoopbackCluster, errors_come_home_as_they_were_thrown) {
  Cluster cluster(2);
  std::vector<Future<std::uint64_t>> jobs;
  for (std::uint64_t n = 0; n < 2'000; ++n) jobs.push_back(cluster.submit<fail>(0, n));
  for (std::uint64_t n = 0; n < jobs.size(); ++n) {
    if (n % 2 == 1) {
      EXPECT_EQ(jobs[n].get(), n);
      continue;
    }
    try {
      jobs[n].get();
      FAIL() << n;
    } catch (const std::out_of_range& error) {
      EXPECT_EQ(error.what(), "even: " + std::to_string(n));
    }
  }
}

TEST(LoopbackCluster, large_arguments_and_results_travel) {
  Cluster cluster(2);
  std::vector<double> values(1'000'000);
  std::iota(values.begin(), values.end(), 0.0);
  std::vector<Future<std::vector<double>>> jobs;
  for (int i = 0; i < 6; ++i) jobs.push_back(cluster.submit<large>(0, values));
  for (const auto& job : jobs) {
    ASSERT_EQ(job.get().size(), values.size());
    EXPECT_EQ(job.get()[777'777], 2 * 777'777.0);
  }
}

// Its encoder gives up.
struct Stubborn {
  int value = 0;
  template <class Archive>
  void save(Archive&) const {
    throw std::runtime_error("not on paper");
  }
  template <class Archive>
  void load(Archive&) {}
};
int stubborn(Stubborn one) { return one.value; }

TEST(LoopbackCluster, a_job_whose_arguments_cannot_be_encoded_runs_where_it_was_submitted) {
  Cluster cluster(2);
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 200; ++i) jobs.push_back(cluster.submit<stubborn>(0, Stubborn{i}));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(jobs[static_cast<std::size_t>(i)].get(), i);
}

TEST(LoopbackCluster, loans_of_a_killed_node_run_again) {
  Cluster cluster(2);
  gate = false;
  inside = 0;
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 2; ++i) jobs.push_back(cluster.submit<behind_the_gate>(0, 0));
  while (inside.load() < 2) std::this_thread::yield();  // one here, one lent
  cluster.world().kill(cluster[1].id());
  while (!cluster[0].courier()->nodes().empty()) std::this_thread::yield();
  gate = true;
  for (const auto& job : jobs) EXPECT_EQ(job.get(), "node0");
  EXPECT_EQ(cluster[0].statistics().lost, 1u);
}

// Each question for the others' figures is a message itself.
TEST(LoopbackCluster, a_node_counts_what_it_says_to_others) {
  Cluster cluster(2);
  const Statistics before = cluster[0].statistics();
  const Statistics after = cluster[0].statistics();
  EXPECT_GT(before.bytes, 0u);
  EXPECT_GT(before.words, 0u) << "who is there was not told";
  EXPECT_GT(after.messages, before.messages);
  EXPECT_GT(after.bytes, before.bytes);
}

TEST(LoopbackCluster, a_cut_in_the_middle_loses_and_repeats_nothing) {
  Cluster cluster(3);
  for (int round = 0; round < 5; ++round) {
    std::vector<Future<std::uint64_t>> squares;
    for (std::uint64_t n = 0; n < 3'000; ++n) {
      squares.push_back(cluster.submit<square>(0, n));
      if (n == 1'500) cluster.world().cut(cluster[0].id(), cluster[1].id());
    }
    for (std::uint64_t n = 0; n < squares.size(); ++n) ASSERT_EQ(squares[n].get(), n * n);
    cluster.world().heal(cluster[0].id(), cluster[1].id());
  }
}

TEST(LoopbackCluster, a_job_whose_nodes_keep_dying_fails_by_name) {
  transport::LoopbackWorld world;
  Options options;
  options.workers = 1;
  options.name = "owner";
  options.retries = 1;
  auto owner_transport = world.open(introduction(options, FunctionTable::seal()));
  const Address address = owner_transport->self().addresses.front();
  Node owner(options, std::move(owner_transport));
  gate = false;
  inside = 0;
  const auto submit = [&] {
    auto* job = make_job<Constant<behind_the_gate>>(0);
    Future<std::string> future(job);
    owner.submit(*job);
    return future;
  };
  auto blocker = submit();  // so that the other one can only run elsewhere
  while (inside.load() == 0) std::this_thread::yield();
  auto doomed = submit();
  std::vector<std::unique_ptr<Node>> dead;
  for (int i = 1; i <= 2; ++i) {
    Options other = options;
    other.name = "victim" + std::to_string(i);
    other.peers = {address};
    dead.push_back(
        std::make_unique<Node>(other, world.open(introduction(other, FunctionTable::seal()))));
    while (inside.load() < i + 1) std::this_thread::yield();
    world.kill(dead.back()->id());
  }
  try {
    doomed.get();
    ADD_FAILURE() << "it cannot have been run";
  } catch (const NodeLost& error) {
    EXPECT_THAT(std::string(error.what()), testing::HasSubstr("victim1"));
    EXPECT_THAT(std::string(error.what()), testing::HasSubstr("victim2"));
  }
  gate = true;
  EXPECT_EQ(blocker.get(), "owner");
}

TEST(LoopbackCluster, a_node_that_leaves_hands_back_what_it_has_not_begun) {
  Cluster cluster(2);
  gate = false;
  inside = 0;
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 40; ++i) jobs.push_back(cluster.submit<behind_the_gate>(0, 0));
  while (inside.load() < 2) std::this_thread::yield();
  std::thread end([&] { cluster.end(1); });  // waits for the one job that it runs
  gate = true;
  for (const auto& job : jobs) job.get();
  end.join();
  EXPECT_EQ(cluster[0].statistics().lost, 0u);
}

TEST(LoopbackCluster, futures_of_lent_jobs_fail_when_the_owner_ends) {
  Cluster cluster(2);
  gate = false;
  inside = 0;
  auto here = cluster.submit<behind_the_gate>(0, 0);
  auto there = cluster.submit<behind_the_gate>(0, 0);
  while (inside.load() < 2) std::this_thread::yield();
  std::thread end([&] { cluster.end(0); });
  // Whichever of the two runs on the owner ends when the gate opens; the other may come home
  // before, or be closed.
  gate = true;
  int closed = 0;
  for (const auto* job : {&here, &there}) {
    try {
      job->get();
    } catch (const Closed&) {
      ++closed;
    }
  }
  end.join();
  EXPECT_LE(closed, 1);
}

}  // namespace
}  // namespace pp::runtime
