// Group: jobs that are waited for, counted and cancelled together, on one node and across three.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "runtimes.hpp"

namespace pp::test {
namespace {

using namespace std::chrono_literals;

std::uint64_t square(std::uint64_t n) { return n * n; }
void refuse(int n) { throw std::out_of_range("number " + std::to_string(n)); }
Gate gate;
void behind(int) { gate.pass(); }
void until_told() {
  gate.pass();
  while (!this_job().stop_requested()) std::this_thread::yield();
  this_job().throw_if_stopped();
}

class Groups : public OnNodes {
 protected:
  Groups() { gate.close(); }
};

TEST_P(Groups, all_of_it_is_waited_for) {
  Group group(rt_);
  std::vector<Future<std::uint64_t>> kept;
  for (std::uint64_t n = 0; n < 100; ++n)
    kept.push_back(group.submit<square>(JobOptions{.where = away()}, n));
  group.wait();
  for (const auto& one : kept) EXPECT_TRUE(one.ready());
  EXPECT_EQ(group.counts().total, 100u);
  EXPECT_EQ(group.counts().done, 100u);
  EXPECT_EQ(group.counts().failed, 0u);
}

TEST_P(Groups, takes_lambdas_and_options) {
  Group group(rt_);
  const auto a = group.submit([](int n) { return n + 1; }, 1);
  const auto b = group.submit(
      JobOptions{.label = "two"}, [](int n) { return n + 1; }, 2);
  group.wait();
  EXPECT_EQ(a.get() + b.get(), 5);
}

TEST_P(Groups, an_empty_one_is_done) {
  Group group(rt_);
  group.wait();
  EXPECT_TRUE(group.wait_for(0s));
  group.cancel();
  EXPECT_EQ(group.counts().total, 0u);
}

TEST_P(Groups, waiting_has_a_limit) {
  Group group(rt_);
  group.submit<behind>(0);
  EXPECT_FALSE(group.wait_for(1ms));
  EXPECT_EQ(group.counts().done, 0u);
  gate.open();
  EXPECT_TRUE(group.wait_for(1h));
}

TEST_P(Groups, the_first_error_is_thrown_and_the_others_are_there) {
  Group group(rt_);
  group.submit<refuse>(1).wait();
  group.submit<refuse>(2).wait();
  group.submit<square>(std::uint64_t{3});
  EXPECT_THROW(
      {
        try {
          group.wait();
        } catch (const std::out_of_range& error) {
          EXPECT_STREQ(error.what(), "number 1");
          throw;
        }
      },
      std::out_of_range);
  EXPECT_THROW(group.wait(), std::out_of_range) << "each time";
  EXPECT_EQ(group.errors().size(), 2u);
  EXPECT_EQ(group.counts().failed, 2u);
  EXPECT_EQ(group.counts().done, 3u);
}

TEST_P(Groups, cancelled_ones_are_counted_apart) {
  Group group(rt_);
  for (std::size_t i = 0; i < nodes_.size(); ++i) group.submit<until_told>();
  gate.wait_until_reached(static_cast<int>(nodes_.size()));  // every worker of every node is in one
  for (int i = 0; i < 20; ++i) group.submit<behind>(i);
  gate.open();
  group.cancel();
  group.wait();
  EXPECT_EQ(group.counts().done, 20u + nodes_.size());
  EXPECT_EQ(group.counts().failed, 0u);
  EXPECT_GT(group.counts().cancelled, 0u);
  EXPECT_TRUE(group.errors().empty());
  group.submit<behind>(0);
  group.wait();
  EXPECT_EQ(group.counts().done, 21u + nodes_.size()) << "what comes later is not cancelled";
}

TEST_P(Groups, work_inside_jobs) {
  const auto sum = rt_.submit(
      [](std::uint64_t n) {
        Group children;
        std::vector<Future<std::uint64_t>> squares;
        for (std::uint64_t i = 0; i < n; ++i) squares.push_back(children.submit<square>(i));
        children.wait();
        std::uint64_t total = 0;
        for (const auto& one : squares) total += one.get();
        return total;
      },
      std::uint64_t{50});
  EXPECT_EQ(sum.get(), 40425u);
}

TEST_P(Groups, may_be_fed_while_somebody_waits) {
  Group group(rt_);
  group.submit<behind>(0);
  std::thread waits([&] { group.wait(); });
  for (std::uint64_t n = 0; n < 100; ++n) group.submit<square>(n);
  gate.open();
  waits.join();
  group.wait();
  EXPECT_EQ(group.counts().done, 101u);
}

TEST_P(Groups, may_go_before_their_jobs) {
  Future<void> kept;
  {
    Group group(rt_);
    kept = group.submit<behind>(0);
  }
  gate.open();
  kept.get();
}

TEST_P(Groups, wake_when_the_runtime_ends) {
  Group group(rt_);
  const auto running = group.submit<behind>(0);
  gate.wait_until_reached();
  std::thread waits([&] {
    try {
      group.wait();
    } catch (const Closed&) {
    }
  });
  gate.open();
  nodes_.end_all();
  waits.join();
  EXPECT_TRUE(running.ready());
}

TEST(Group, of_no_job_is_refused_outside_a_job) { EXPECT_THROW(Group(), Error); }

INSTANTIATE_TEST_SUITE_P(On, Groups, on_one_and_on_three(), nodes_name);

}  // namespace
}  // namespace pp::test
