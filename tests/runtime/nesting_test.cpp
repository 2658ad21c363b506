// Nested jobs: deep, wide, and spread over nodes; waiting wastes no worker and never deadlocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtimes.hpp"
#include "sanitized.hpp"

namespace pp::test {
namespace {

using runtime::times;

// One level per job: each waits for its only child.
int depth(int levels) {
  if (levels == 0) return 0;
  return pp::spawn<depth>(levels - 1).get() + 1;
}
std::uint64_t fib(std::uint64_t n) {
  if (n < 2) return n;
  const auto child = pp::spawn<fib>(n - 1);
  return fib(n - 2) + child.get();
}
std::uint64_t one(std::uint64_t n) { return n; }
std::uint64_t sum_of_children(std::uint64_t count) {
  std::uint64_t sum = 0;
  std::vector<Future<std::uint64_t>> batch;
  for (std::uint64_t i = 0; i < count; ++i) {
    batch.push_back(pp::spawn<one>(i));
    if (batch.size() < 1000 && i + 1 < count) continue;
    for (const auto& child : batch) sum += child.get();
    batch.clear();
  }
  return sum;
}
std::set<std::string> names(int children) {
  std::set<std::string> all{this_job().node()};
  std::vector<Future<std::string>> there;
  for (int i = 0; i < children; ++i) {
    there.push_back(pp::spawn(JobOptions{.where = i % 2 == 0 ? Where::not_here() : Where::here()},
                              [] { return this_job().node(); }));
  }
  for (const auto& child : there) all.insert(child.get());
  return all;
}

class Nesting : public OnNodes {};

TEST_P(Nesting, goes_ten_thousand_deep_with_one_worker_a_node) {
  EXPECT_EQ(rt_.submit<depth>(10'000).get(), 10'000);
}

TEST_P(Nesting, counts_right_wherever_the_children_run) {
  EXPECT_EQ(rt_.submit<fib>(times(22, 16)).get(), times(17'711, 987));
}

TEST_P(Nesting, takes_many_children_of_one_parent) {
  const std::uint64_t count = times(100'000, 10'000);
  EXPECT_EQ(rt_.submit<sum_of_children>(count).get(), count * (count - 1) / 2);
}

TEST_P(Nesting, parent_and_children_live_on_different_nodes) {
  if (nodes_.size() == 1) return;
  const std::set<std::string> seen =
      rt_.submit<names>(JobOptions{.where = Where::not_here()}, 6).get();
  EXPECT_GE(seen.size(), 2u);
}

TEST_P(Nesting, many_deep_ones_at_a_time) {
  std::vector<Future<int>> all;
  for (int i = 0; i < 20; ++i) all.push_back(rt_.submit<depth>(500));
  for (const auto& job : all) EXPECT_EQ(job.get(), 500);
}

INSTANTIATE_TEST_SUITE_P(On, Nesting, on_one_and_on_three(), nodes_name);

}  // namespace
}  // namespace pp::test
