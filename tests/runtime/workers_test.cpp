// The number of workers while jobs run, and how many jobs may wait for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "loopback_cluster.hpp"
#include "sanitized.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;

// How many are behind the gate, and were there at the same time at most.
std::atomic<int> inside{0};
std::atomic<int> most{0};
std::atomic<int> begun{0};
std::atomic<bool> gate{false};

std::string behind_the_gate(int) {
  const int now = ++inside;
  ++begun;
  for (int seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
  }
  while (!gate.load()) std::this_thread::yield();
  --inside;
  return Crew::current()->node->name();
}

int parent(int children) {
  std::vector<Future<std::string>> all;
  for (int i = 0; i < children; ++i) all.push_back(pp::spawn<behind_the_gate>(i));
  int done = 0;
  for (const auto& child : all) done += child.get().empty() ? 0 : 1;
  return done;
}

int number(int n) { return n; }

std::atomic<std::int64_t> living{0};
std::atomic<std::int64_t> most_living{0};

// An argument that counts itself: how many jobs there are.
struct Counted {
  Counted() { count(); }
  Counted(const Counted&) { count(); }
  ~Counted() { --living; }
  Counted& operator=(const Counted&) = default;
  template <class Archive>
  void serialize(Archive&) {}

 private:
  static void count() {
    const std::int64_t now = ++living;
    for (std::int64_t seen = most_living.load();
         seen < now && !most_living.compare_exchange_weak(seen, now);) {
    }
  }
};
void nothing(Counted) {}
void many_children(int n) {
  for (int i = 0; i < n; ++i) pp::spawn<nothing>(Counted());
}

void reset() {
  inside = most = begun = 0;
  living = most_living = 0;
  gate = false;
}
void wait_for(int so_many) {
  while (inside.load() != so_many) std::this_thread::yield();
}

Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

class Workers : public testing::Test {
 protected:
  void SetUp() override { reset(); }
  void TearDown() override { gate = true; }

  std::vector<Future<std::string>> submit(Runtime& rt, int jobs) {
    std::vector<Future<std::string>> all;
    for (int i = 0; i < jobs; ++i) all.push_back(rt.submit<behind_the_gate>(i));
    return all;
  }
};

TEST_F(Workers, more_begin_at_once_what_is_queued) {
  Runtime rt(with_workers(1));
  auto jobs = submit(rt, 8);
  wait_for(1);
  rt.set_workers(3);
  wait_for(3);
  rt.set_workers(8);
  wait_for(8);
  EXPECT_EQ(rt.workers(), 8u);
  gate = true;
  for (const auto& job : jobs) job.get();
}

TEST_F(Workers, beyond_the_first_arena_they_still_come) {
  constexpr int kMany = 150;
  Runtime rt(with_workers(1));
  auto jobs = submit(rt, kMany);
  wait_for(1);
  rt.set_workers(kMany);
  wait_for(kMany);
  gate = true;
  for (const auto& job : jobs) job.get();
}

TEST_F(Workers, with_fewer_running_jobs_go_on_and_nothing_begins_beyond_the_number) {
  Runtime rt(with_workers(4));
  auto first = submit(rt, 4);
  wait_for(4);
  rt.set_workers(1);
  EXPECT_EQ(rt.workers(), 1u);
  auto later = submit(rt, 20);
  gate = true;
  for (const auto& job : first) job.get();
  for (const auto& job : later) job.get();
  // All four went through one gate together; of the others one at a time: no more than one can have
  // been beside the four that were leaving.
  gate = false;
  inside = most = 0;
  auto last = submit(rt, 5);
  wait_for(1);
  gate = true;
  for (const auto& job : last) job.get();
  EXPECT_EQ(most.load(), 1);
}

TEST_F(Workers, none_begin_nothing_and_some_again_begin_all) {
  Runtime rt(with_workers(2));
  auto running = submit(rt, 2);
  wait_for(2);
  rt.set_workers(0);
  auto queued = submit(rt, 50);
  gate = true;
  for (const auto& job : running) job.get();
  EXPECT_EQ(begun.load(), 2);
  for (const auto& job : queued) EXPECT_FALSE(job.ready());
  rt.set_workers(2);
  for (const auto& job : queued) job.get();
  EXPECT_EQ(begun.load(), 52);
  EXPECT_LE(most.load(), 2);
}

TEST_F(Workers, none_from_the_beginning_until_there_are_some) {
  Runtime rt(with_workers(0));
  EXPECT_EQ(rt.workers(), 0u);
  auto job = rt.submit<number>(7);
  EXPECT_FALSE(job.ready());
  rt.set_workers(1);
  EXPECT_EQ(job.get(), 7);
}

TEST_F(Workers, a_job_that_waits_runs_its_children_when_there_are_none_any_more) {
  Runtime rt(with_workers(1));
  auto family = rt.submit<parent>(5);
  wait_for(1);  // the parent waits and its worker runs a child
  rt.set_workers(0);
  auto other = rt.submit<number>(1);
  gate = true;
  EXPECT_EQ(family.get(), 5);
  EXPECT_FALSE(other.ready());
  rt.set_workers(1);
  EXPECT_EQ(other.get(), 1);
}

TEST_F(Workers, up_and_down_without_end_lose_no_job) {
  const int kJobs = static_cast<int>(times(40'000, 6'000));
  Runtime rt(with_workers(2));
  std::atomic<bool> over{false};
  std::jthread changes([&] {
    for (unsigned n = 0; !over.load(); n = (n + 1) % 5) rt.set_workers(n);
    rt.set_workers(1);
  });
  std::vector<Future<int>> jobs;
  for (int i = 0; i < kJobs; ++i) jobs.push_back(rt.submit<number>(i));
  for (int i = 0; i < kJobs; ++i) ASSERT_EQ(jobs[static_cast<std::size_t>(i)].get(), i);
  over = true;
}

TEST_F(Workers, too_many_are_refused) {
  Runtime rt(with_workers(1));
  try {
    rt.set_workers(1025);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("1024"));
  }
  EXPECT_EQ(rt.workers(), 1u);
  EXPECT_THROW(Runtime(with_workers(1025)), Error);
}

TEST_F(Workers, a_runtime_that_ends_with_none_closes_what_was_queued) {
  auto rt = std::make_unique<Runtime>(with_workers(1));
  rt->set_workers(0);
  auto job = rt->submit<number>(1);
  rt.reset();
  EXPECT_THROW(job.get(), Closed);
}

TEST_F(Workers, nobody_to_run_a_job_is_said_once_in_the_log) {
  testing::internal::CaptureStderr();
  {
    Runtime rt(with_workers(0));
    auto job = rt.submit<number>(1);
    EXPECT_FALSE(job.wait_for(1200ms));
    EXPECT_FALSE(job.wait_for(1200ms));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("0 workers"));
  EXPECT_EQ(log.find("0 workers"), log.rfind("0 workers"));
}

TEST_F(Workers, a_node_without_any_hands_its_jobs_out) {
  Cluster cluster(3, {0, 1, 1});
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 2; ++i) jobs.push_back(cluster.submit<behind_the_gate>(0, i));
  wait_for(2);
  gate = true;
  std::set<std::string> places;
  for (const auto& job : jobs) places.insert(job.get());
  EXPECT_EQ(places, (std::set<std::string>{"node1", "node2"}));
}

TEST_F(Workers, a_node_that_loses_its_workers_gives_back_what_it_has_not_begun) {
  Cluster cluster(2, {1, 1});
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 20; ++i) jobs.push_back(cluster.submit<behind_the_gate>(0, i));
  wait_for(2);
  cluster[1].set_workers(0);
  gate = true;
  int there = 0;
  for (const auto& job : jobs) there += job.get() == "node1" ? 1 : 0;
  EXPECT_EQ(there, 1);
  EXPECT_EQ(cluster[0].statistics().lost, 0u);
}

TEST_F(Workers, a_node_that_gets_workers_takes_part_at_once) {
  Cluster cluster(3, {1, 0, 0});
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(cluster.submit<behind_the_gate>(0, i));
  wait_for(1);
  cluster[1].set_workers(1);
  wait_for(2);
  cluster[2].set_workers(1);
  wait_for(3);
  gate = true;
  std::set<std::string> places;
  for (const auto& job : jobs) places.insert(job.get());
  EXPECT_EQ(places.size(), 3u);
}

TEST_F(Workers, the_others_learn_how_many_there_are) {
  Cluster cluster(2, {1, 3});
  const auto seen = [&] { return cluster[0].courier()->nodes().at(0).workers; };
  EXPECT_EQ(seen(), 3u);
  for (const unsigned workers : {5u, 0u, 2u}) {
    cluster[1].set_workers(workers);
    while (seen() != workers) std::this_thread::yield();
  }
  cluster.add();
  while (cluster[2].courier()->nodes().size() != 2) std::this_thread::yield();
  for (;;) {  // the newcomer too, who was introduced to another number
    std::vector<unsigned> all;
    for (const NodeView& view : cluster[2].courier()->nodes()) all.push_back(view.workers);
    if (testing::Matches(testing::UnorderedElementsAre(1u, 2u))(all)) break;
    std::this_thread::yield();
  }
}

TEST_F(Workers, come_and_go_on_three_nodes_while_jobs_travel) {
  const int kJobs = static_cast<int>(times(20'000, 3'000));
  Cluster cluster(3, {2, 2, 2});
  std::atomic<bool> over{false};
  std::jthread changes([&] {
    for (unsigned n = 0; !over.load(); ++n) cluster[n % 3].set_workers(n / 3 % 3);
    for (std::size_t i = 0; i < 3; ++i) cluster[i].set_workers(1);
  });
  std::vector<Future<int>> jobs;
  for (int i = 0; i < kJobs; ++i) jobs.push_back(cluster.submit<number>(0, i));
  for (int i = 0; i < kJobs; ++i) ASSERT_EQ(jobs[static_cast<std::size_t>(i)].get(), i);
  over = true;
}

class QueueLimit : public Workers {
 protected:
  static Options limited(unsigned workers, std::size_t limit) {
    Options options = with_workers(workers);
    options.queue_limit = limit;
    return options;
  }
};

TEST_F(QueueLimit, a_million_empty_jobs_never_lie_there_together) {
  const int kJobs = static_cast<int>(times(1'000'000, 50'000));
  {
    Runtime rt(limited(1, 100));
    for (int i = 0; i < kJobs; ++i) rt.submit<nothing>(Counted());
  }
  // Beside the queued ones: the one being submitted, with its copies, and the one that runs.
  EXPECT_LE(most_living.load(), 100 + 8);
  EXPECT_EQ(living.load(), 0);
}

TEST_F(QueueLimit, a_parent_of_a_million_children_takes_bounded_memory) {
  const int kChildren = static_cast<int>(times(1'000'000, 50'000));
  Runtime rt(with_workers(1));
  rt.submit<many_children>(kChildren).get();
  EXPECT_LE(most_living.load(), 8192 + 8);
}

TEST_F(QueueLimit, inside_jobs_nobody_waits_for_room) {
  Runtime rt(limited(1, 4));
  static Runtime* here = nullptr;
  here = &rt;
  const int sum = rt.submit([] {
                      int all = 0;
                      std::vector<Future<int>> jobs;
                      for (int i = 0; i < 100; ++i) jobs.push_back(here->submit<number>(i));
                      for (const auto& job : jobs) all += job.get();
                      return all;
                    }).get();
  EXPECT_EQ(sum, 4950);
}

TEST_F(QueueLimit, who_waits_for_room_is_released_when_the_runtime_ends) {
  auto* rt = new Runtime(limited(1, 2));
  auto running = submit(*rt, 1);
  wait_for(1);
  auto queued = submit(*rt, 2);
  std::atomic<bool> submitting{false};
  std::thread outsider([&] {
    submitting = true;
    auto late = rt->submit<number>(1);
    EXPECT_THROW(late.get(), Closed);
  });
  while (!submitting.load()) std::this_thread::yield();
  std::thread end([rt] { delete rt; });  // waits for the job that runs
  outsider.join();                       // while nobody has made room
  gate = true;
  end.join();
  for (const auto& job : queued) {
    EXPECT_TRUE(job.ready());
    try {  // the worker may have been faster than the end
      job.get();
    } catch (const Closed&) {
    }
  }
}

TEST_F(QueueLimit, with_nobody_to_make_room_nobody_waits) {
  Runtime rt(limited(0, 2));
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 10; ++i) jobs.push_back(rt.submit<number>(i));
  rt.set_workers(1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(jobs[static_cast<std::size_t>(i)].get(), i);
}

}  // namespace
}  // namespace pp::runtime
