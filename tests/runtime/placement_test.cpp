// Where jobs run that may not run anywhere, and which of the queued ones come first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "loopback_cluster.hpp"
#include "sanitized.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::HasSubstr;

std::string where(int) { return Crew::current()->node->name(); }

std::atomic<int> inside{0};
std::atomic<bool> gate{false};
std::string behind_the_gate(int) {
  ++inside;
  while (!gate.load()) std::this_thread::yield();
  --inside;
  return where(0);
}

std::mutex order_lock;
std::vector<int> order;
int note(int n) {
  const std::lock_guard lock(order_lock);
  order.push_back(n);
  return n;
}

std::string child_with(int place) {
  const Where places[] = {Where::here(), Where::not_here()};
  return pp::spawn<where>(JobOptions{.where = places[place]}, 0).get();
}

struct Stubborn {
  template <class Archive>
  void save(Archive&) const {
    throw std::runtime_error("not on paper");
  }
  template <class Archive>
  void load(Archive&) {}
};
void stubborn(Stubborn) {}

class Placement : public testing::Test {
 protected:
  void SetUp() override {
    inside = 0;
    gate = false;
    order.clear();
  }
  void TearDown() override { gate = true; }

  static void wait_for(int so_many) {
    while (inside.load() != so_many) std::this_thread::yield();
  }
  template <class T>
  static std::vector<T> all(const std::vector<Future<T>>& jobs) {
    std::vector<T> results;
    for (const auto& job : jobs) results.push_back(job.get());
    return results;
  }
  template <class T>
  static std::string failure(const Future<T>& job) {
    try {
      job.get();
      return "it ran";
    } catch (const NodeLost& error) {
      return error.what();
    }
  }
  std::vector<Future<std::string>> many(Cluster& cluster, Where place, int jobs = 200) {
    std::vector<Future<std::string>> futures;
    for (int i = 0; i < jobs; ++i)
      futures.push_back(cluster.submit_with<where>(0, {.where = place}, i));
    return futures;
  }
};

TEST_F(Placement, here_is_never_lent) {
  Cluster cluster(3);
  EXPECT_THAT(all(many(cluster, Where::here())), Each("node0"));
  EXPECT_EQ(cluster[0].statistics().lent, 0u);
}

TEST_F(Placement, not_here_is_never_run_here) {
  Cluster cluster(3);
  EXPECT_THAT(all(many(cluster, Where::not_here())), Each(testing::Ne("node0")));
}

TEST_F(Placement, not_here_waits_until_there_is_another_node) {
  Cluster cluster(1);
  auto there = cluster.submit_with<where>(0, {.where = Where::not_here()}, 0);
  EXPECT_EQ(cluster.submit<where>(0, 0).get(), "node0");
  EXPECT_FALSE(there.ready());
  cluster.add();
  EXPECT_EQ(there.get(), "node1");
}

TEST_F(Placement, a_named_node_gets_its_jobs_and_nobody_else) {
  Cluster cluster(3);
  for (const std::size_t target : {2u, 1u, 0u}) {
    EXPECT_THAT(all(many(cluster, Where::node(cluster[target].id()))),
                Each(cluster[target].name()));
  }
}

// More than its owner gives it at a time, and than it takes.
TEST_F(Placement, a_named_node_gets_any_number_of_jobs) {
  Cluster cluster(2, {0, 2});
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 4; ++i)  // so that it begins none meanwhile
    jobs.push_back(
        cluster.submit_with<behind_the_gate>(0, {.where = Where::node(cluster[1].id())}, i));
  wait_for(2);
  for (auto& job :
       many(cluster, Where::node(cluster[1].id()), static_cast<int>(times(150'000, 40'000))))
    jobs.push_back(std::move(job));
  gate = true;
  EXPECT_THAT(all(jobs), Each(cluster[1].name()));
  EXPECT_EQ(cluster[0].statistics().misbehaved, 0u);
}

TEST_F(Placement, a_named_node_keeps_its_jobs_though_others_are_idle) {
  Cluster cluster(3);
  std::vector<Future<std::string>> jobs;
  const JobOptions there{.where = Where::node(cluster[1].id())};
  for (int i = 0; i < 20; ++i) jobs.push_back(cluster.submit_with<behind_the_gate>(0, there, i));
  wait_for(1);
  EXPECT_THAT(all(many(cluster, Where::anywhere())), Each(testing::Ne("node1")));
  EXPECT_EQ(inside.load(), 1);
  gate = true;
  EXPECT_THAT(all(jobs), Each("node1"));
}

TEST_F(Placement, a_grant_that_was_not_asked_for_answers_no_request) {
  Cluster cluster(2);
  for (int round = 0; round < 20; ++round) {
    auto placed = many(cluster, Where::node(cluster[1].id()), 20);
    auto others = many(cluster, Where::anywhere(), 20);
    auto back = cluster.submit_with<where>(1, {.where = Where::node(cluster[0].id())}, 0);
    EXPECT_THAT(all(placed), Each("node1"));
    all(others);
    EXPECT_EQ(back.get(), "node0");
  }
}

TEST_F(Placement, a_named_node_that_joins_later_gets_what_waited_for_it) {
  Cluster cluster(1);
  Options options;
  options.workers = 1;
  options.name = "late";
  auto transport = cluster.world().open(introduction(options, FunctionTable::seal()));
  const JobOptions there{.where = Where::node(transport->self().node)};
  testing::internal::CaptureStderr();
  auto job = cluster.submit_with<where>(0, there, 0);
  EXPECT_FALSE(job.wait_for(2500ms));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr(transport->self().node.short_name()));
  cluster.join(options, std::move(transport));
  EXPECT_EQ(job.get(), "late");
}

TEST_F(Placement, a_named_node_that_dies_takes_its_jobs_with_it) {
  Cluster cluster(3);
  const JobOptions there{.where = Where::node(cluster[1].id())};
  auto running = cluster.submit_with<behind_the_gate>(0, there, 0);
  auto queued = cluster.submit_with<behind_the_gate>(0, there, 1);
  wait_for(1);
  cluster.world().kill(cluster[1].id());
  EXPECT_THAT(failure(running), HasSubstr("node1"));
  EXPECT_THAT(failure(queued), HasSubstr("node1"));
  auto late = cluster.submit_with<where>(0, there, 0);
  EXPECT_THAT(failure(late), testing::AllOf(HasSubstr("node1"), HasSubstr("gone")));
  EXPECT_EQ(inside.load(), 1) << "nobody else ran them";
  gate = true;
}

TEST_F(Placement, a_named_node_that_leaves_fails_what_it_has_not_begun) {
  Cluster cluster(2);
  const JobOptions there{.where = Where::node(cluster[1].id())};
  auto running = cluster.submit_with<behind_the_gate>(0, there, 0);
  wait_for(1);
  auto queued = cluster.submit_with<behind_the_gate>(0, there, 1);
  std::thread end([&] { cluster.end(1); });
  std::this_thread::sleep_for(10ms);  // lets the end begin; right otherwise too
  gate = true;
  EXPECT_EQ(running.get(), "node1");
  try {
    EXPECT_EQ(queued.get(), "node1") << "or it was begun before the node knew";
  } catch (const NodeLost& error) {
    EXPECT_THAT(error.what(), HasSubstr("node1"));
  }
  end.join();
}

TEST_F(Placement, a_named_node_without_workers_keeps_its_jobs_until_it_has_some) {
  Cluster cluster(2, {1, 0});
  auto job = cluster.submit_with<where>(0, {.where = Where::node(cluster[1].id())}, 0);
  EXPECT_EQ(cluster.submit<where>(0, 0).get(), "node0");
  EXPECT_FALSE(job.ready());
  cluster[1].set_workers(1);
  EXPECT_EQ(job.get(), "node1");
}

TEST_F(Placement, jobs_that_wait_for_their_place_can_be_cancelled) {
  Cluster cluster(1);
  auto elsewhere = cluster.submit_with<where>(0, {.where = Where::not_here()}, 0);
  auto there = cluster.submit_with<where>(0, {.where = Where::node(NodeId::random())}, 0);
  for (const auto* job : {&elsewhere, &there}) {
    EXPECT_EQ(job->cancel(), Cancellation::kNeverRan);
    EXPECT_THROW(job->get(), Cancelled);
  }
}

TEST_F(Placement, jobs_that_wait_for_their_place_are_closed_at_the_end) {
  Cluster cluster(1);
  auto elsewhere = cluster.submit_with<where>(0, {.where = Where::not_here()}, 0);
  auto there = cluster.submit_with<where>(0, {.where = Where::node(NodeId::random())}, 0);
  cluster.end(0);
  EXPECT_THROW(elsewhere.get(), Closed);
  EXPECT_THROW(there.get(), Closed);
}

TEST_F(Placement, children_may_be_placed_too) {
  Cluster cluster(2);
  EXPECT_EQ(cluster.submit_with<child_with>(0, {.where = Where::here()}, 0).get(), "node0");
  EXPECT_EQ(cluster.submit_with<child_with>(0, {.where = Where::here()}, 1).get(), "node1");
  EXPECT_EQ(cluster.submit_with<child_with>(0, {.where = Where::not_here()}, 1).get(), "node0");
}

TEST_F(Placement, what_cannot_travel_and_may_not_stay_fails_with_a_reason) {
  Cluster cluster(2);
  for (const Where place : {Where::not_here(), Where::node(cluster[1].id())}) {
    auto job = cluster.submit_with<stubborn>(0, {.where = place}, Stubborn());
    try {
      job.get();
      ADD_FAILURE() << "it cannot have run";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("not on paper"));
    }
  }
}

TEST_F(Placement, a_mixture_of_places_loses_nothing_while_a_session_is_cut) {
  Cluster cluster(3);
  const int kJobs = static_cast<int>(times(3'000, 600));
  std::vector<Future<std::string>> jobs;
  const Where places[] = {Where::anywhere(), Where::here(), Where::not_here()};
  for (int i = 0; i < kJobs; ++i) {
    jobs.push_back(cluster.submit_with<where>(0, {.where = places[i % 3]}, i));
    if (i == kJobs / 2) cluster.world().cut(cluster[0].id(), cluster[1].id());
  }
  for (int i = 0; i < kJobs; ++i) {
    const std::string place = jobs[static_cast<std::size_t>(i)].get();
    if (i % 3 == 1) {
      ASSERT_EQ(place, "node0");
    }
    if (i % 3 == 2) {
      ASSERT_NE(place, "node0");
    }
  }
}

TEST_F(Placement, high_before_normal_before_low) {
  Cluster cluster(1);
  auto blocker = cluster.submit<behind_the_gate>(0, 0);
  wait_for(1);
  std::vector<Future<int>> jobs;
  const Priority priorities[] = {Priority::kLow, Priority::kNormal, Priority::kHigh};
  for (int i = 0; i < 9; ++i)
    jobs.push_back(cluster.submit_with<note>(0, {.priority = priorities[i % 3]}, i));
  gate = true;
  all(jobs);
  EXPECT_EQ(order, (std::vector<int>{2, 5, 8, 1, 4, 7, 0, 3, 6}));
}

TEST_F(Placement, priorities_travel) {
  Cluster cluster(2);
  auto blockers = std::vector<Future<std::string>>();
  for (int i = 0; i < 2; ++i) blockers.push_back(cluster.submit<behind_the_gate>(0, i));
  wait_for(2);
  std::vector<Future<int>> jobs;
  const Priority priorities[] = {Priority::kLow, Priority::kNormal, Priority::kHigh};
  for (int i = 0; i < 9; ++i) {
    jobs.push_back(cluster.submit_with<note>(
        0, {.priority = priorities[i % 3], .where = Where::node(cluster[1].id())}, i));
  }
  // They lie there when a later job for that node has got there: ask for its load.
  while (cluster[0].statistics().lent < 10) std::this_thread::yield();
  cluster[1].statistics();
  cluster[0].statistics();
  gate = true;
  all(jobs);
  EXPECT_EQ(order, (std::vector<int>{2, 5, 8, 1, 4, 7, 0, 3, 6}));
}

}  // namespace
}  // namespace pp::runtime
