// node_local: one object for each node, on one node and across three.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <pp/node_local.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtimes.hpp"

namespace node_local_test {

using pp::Future;
using pp::Options;
using pp::Runtime;

Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

std::atomic<int> built{0};
std::atomic<int> destroyed{0};
struct Model {
  explicit Model(std::string name_) : name(std::move(name_)), number(++built) {}
  Model(const Model&) = delete;
  ~Model() { ++destroyed; }
  const std::string name;
  const int number;
};

std::pair<std::string, int> ask(int i) {
  const Model& model = pp::node_local<Model>("call " + std::to_string(i));
  return {pp::this_job().node(), model.number};
}

class OnNodes : public pp::test::OnNodes {};
INSTANTIATE_TEST_SUITE_P(NodeLocal, OnNodes, pp::test::on_one_and_on_three(), pp::test::nodes_name);

// With one worker a node, jobs that wait for each other are begun on as many nodes.
std::atomic<int> begun{0};
std::pair<std::string, int> meet_and_ask(int others) {
  ++begun;
  while (begun.load() < others) std::this_thread::yield();
  return ask(0);
}

TEST_P(OnNodes, each_node_has_its_own_and_each_job_of_a_node_the_same) {
  built = destroyed = begun = 0;
  const int n = static_cast<int>(nodes_.size());
  std::vector<Future<std::pair<std::string, int>>> jobs;
  for (int i = 0; i < n; ++i) jobs.push_back(rt_.submit<meet_and_ask>(n));
  for (int i = 0; i < 1'000; ++i) jobs.push_back(rt_.submit<ask>(i));
  std::map<std::string, std::set<int>> numbers;
  for (const auto& job : jobs) numbers[job.get().first].insert(job.get().second);
  EXPECT_EQ(numbers.size(), nodes_.size());
  for (const auto& [node, seen] : numbers) EXPECT_EQ(seen.size(), 1u) << node;
  EXPECT_EQ(built.load(), n);
  EXPECT_EQ(destroyed.load(), 0);
  nodes_.end_all();
  EXPECT_EQ(destroyed.load(), n);
}

std::string name_of(int i) { return pp::node_local<Model>(std::to_string(i)).name; }

TEST(NodeLocal, the_first_call_decides) {
  Runtime rt(with_workers(1));
  EXPECT_EQ(rt.submit<name_of>(1).get(), "1");
  EXPECT_EQ(rt.submit<name_of>(2).get(), "1");
  Runtime other(with_workers(1));
  EXPECT_EQ(other.submit<name_of>(3).get(), "3") << "a runtime is a node of its own";
}

TEST(NodeLocal, only_inside_jobs) { EXPECT_THROW(pp::node_local<int>(1), pp::Error); }

pp::test::Gate gate;
struct Slow {
  Slow() {
    ++built;
    gate.pass();
  }
  int value = 5;
};
std::atomic<int> asking{0};
int ask_slow(int) {
  ++asking;
  return pp::node_local<Slow>().value;
}
int other_work(int n) { return n; }

TEST(NodeLocal, who_asks_while_it_is_built_waits_and_works_meanwhile) {
  built = asking = 0;
  gate.close();
  Runtime rt(with_workers(3));
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(rt.submit<ask_slow>(0));
  while (asking.load() < 3) std::this_thread::yield();
  EXPECT_EQ(rt.submit<other_work>(4).get(), 4);
  gate.open();
  for (const auto& job : jobs) EXPECT_EQ(job.get(), 5);
  EXPECT_EQ(built.load(), 1);
}

struct Moody {
  Moody() {
    if (++built < 3) throw std::runtime_error("attempt " + std::to_string(built.load()));
  }
  int value = 9;
};
int ask_moody(int) { return pp::node_local<Moody>().value; }

TEST(NodeLocal, a_constructor_that_throws_is_tried_again_by_the_next_call) {
  built = 0;
  Runtime rt(with_workers(1));
  EXPECT_THROW(rt.submit<ask_moody>(0).get(), std::runtime_error);
  EXPECT_THROW(rt.submit<ask_moody>(0).get(), std::runtime_error);
  EXPECT_EQ(rt.submit<ask_moody>(0).get(), 9);
  EXPECT_EQ(rt.submit<ask_moody>(0).get(), 9);
  EXPECT_EQ(built.load(), 3);
}

std::vector<std::string> ended;
template <int n>
struct Part {
  ~Part() { ended.push_back("part " + std::to_string(n)); }
  int value = n;
};
struct Whole {
  ~Whole() { ended.push_back("whole"); }
  int value = pp::node_local<Part<1>>().value + pp::node_local<Part<2>>().value;
};
int ask_whole(int) { return pp::node_local<Whole>().value; }

TEST(NodeLocal, what_one_needs_outlives_it) {
  ended.clear();
  {
    Runtime rt(with_workers(1));
    EXPECT_EQ(rt.submit<ask_whole>(0).get(), 3);
  }
  EXPECT_EQ(ended, (std::vector<std::string>{"whole", "part 2", "part 1"}));
}

struct Impatient;
int ask_impatient(int);
struct Impatient {
  Impatient() { pp::spawn<ask_impatient>(0).get(); }
};
int ask_impatient(int) {
  pp::node_local<Impatient>();
  return 0;
}

TEST(NodeLocal, a_constructor_that_waits_for_who_needs_it_is_an_error) {
  Runtime rt(with_workers(1));
  const Future<int> stuck = rt.submit<ask_impatient>(0);
  EXPECT_THROW(stuck.get(), pp::Error);
}

// Two that need each other, begun at once by two workers: one of them is told.
std::atomic<int> in_construction{0};
template <int n>
struct Half {
  Half() {
    ++in_construction;
    while (in_construction.load() < 2) std::this_thread::yield();
    pp::node_local<Half<1 - n>>();
  }
};
template <int n>
int ask_half(int) {
  pp::node_local<Half<n>>();
  return 0;
}

TEST(NodeLocal, a_ring_of_constructors_on_two_workers_is_an_error) {
  in_construction = 0;
  Runtime rt(with_workers(2));
  const Future<int> a = rt.submit<ask_half<0>>(0);
  const Future<int> b = rt.submit<ask_half<1>>(0);
  EXPECT_THROW(a.get(), pp::Error);
  EXPECT_THROW(b.get(), pp::Error);
}

// Many types asked for by all workers at once: what ThreadSanitizer is to look at.
template <int n>
struct Numbered {
  Numbered() { ++built; }
  std::vector<int> values = std::vector<int>(10, n);
};
template <int... n>
int ask_all(std::integer_sequence<int, n...>) {
  return (pp::node_local<Numbered<n>>().values[3] + ...);
}
int ask_numbered(int) { return ask_all(std::make_integer_sequence<int, 100>{}); }

TEST(NodeLocal, many_types_asked_for_by_all_workers_at_once) {
  for (int round = 0; round < 3; ++round) {
    built = 0;
    Runtime rt(with_workers(4));
    std::vector<Future<int>> jobs;
    for (int i = 0; i < 200; ++i) jobs.push_back(rt.submit<ask_numbered>(i));
    for (const auto& job : jobs) EXPECT_EQ(job.get(), 4'950);
    EXPECT_EQ(built.load(), 100);
  }
}

}  // namespace node_local_test
