// this_job(): what a job knows of itself, and numbers that are the same wherever it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtimes.hpp"

namespace pp::test {
namespace {

using testing::ElementsAre;
using Numbers = std::vector<std::uint64_t>;

std::uint64_t draw(int) { return this_job().random()(); }
std::uint64_t identity(int) { return this_job().id(); }
std::string label() { return std::string(this_job().label()); }
std::string node() { return this_job().node(); }
unsigned attempt() { return this_job().attempt(); }

// Two numbers of its own, with those of two children in between.
Numbers family(int depth) {
  Numbers all{this_job().random()()};
  if (depth > 0) {
    const auto left = pp::spawn<family>(depth - 1);
    const auto right = pp::spawn<family>(depth - 1);
    for (const auto* child : {&left, &right}) {
      const Numbers& numbers = child->get();
      all.insert(all.end(), numbers.begin(), numbers.end());
    }
  }
  all.push_back(this_job().random()());
  return all;
}

Numbers drawn(std::size_t nodes, unsigned workers, std::uint64_t seed = 0) {
  Options options;
  options.seed = seed;
  Runtimes runtimes(nodes, workers, options);
  std::vector<Future<std::uint64_t>> jobs;
  for (int i = 0; i < 200; ++i) jobs.push_back(runtimes.first().submit<draw>(i));
  const auto tree = runtimes.first().submit<family>(6);
  Numbers numbers;
  for (const auto& job : jobs) numbers.push_back(job.get());
  const Numbers& rest = tree.get();
  numbers.insert(numbers.end(), rest.begin(), rest.end());
  return numbers;
}

TEST(ThisJob, draws_the_same_numbers_whoever_runs_it) {
  const Numbers once = drawn(1, 1);
  EXPECT_EQ(std::set<std::uint64_t>(once.begin(), once.end()).size(), once.size());
  EXPECT_EQ(drawn(1, 2), once);
  EXPECT_EQ(drawn(3, 1), once);
  EXPECT_EQ(drawn(3, 2), once);
}

TEST(ThisJob, draws_other_numbers_from_another_seed) {
  const Numbers once = drawn(1, 1, 1);
  EXPECT_EQ(drawn(1, 2, 1), once);
  EXPECT_NE(drawn(1, 1, 2), once);
}

class ThisJobs : public OnNodes {};

TEST_P(ThisJobs, know_where_they_run_and_what_they_are_called) {
  const std::string there = rt_.submit<node>(JobOptions{.where = away()}).get();
  EXPECT_EQ(there == rt_.name(), nodes_.size() == 1);
  EXPECT_EQ(rt_.submit<label>(JobOptions{.where = away(), .label = "frame 7"}).get(), "frame 7");
  EXPECT_EQ(rt_.submit<label>().get(), "");
  EXPECT_EQ(rt_.submit<attempt>(JobOptions{.where = away()}).get(), 1u);
}

TEST_P(ThisJobs, have_identities_of_their_own) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(rt_.submit<identity>(i).get());
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Random, is_a_generator_of_the_standards) {
  static_assert(std::uniform_random_bit_generator<Random>);
  Random a(7);
  Random b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a(), b());
  EXPECT_NE(Random(1)(), Random(2)());
}

// xoshiro256++ from the state {1, 2, 3, 4}: the reference implementation's first outputs begin so.
// The seeding is SplitMix64: its reference outputs for the seed 1234567 are the state.
TEST(Random, numbers_are_those_of_the_published_algorithm) {
  const std::uint64_t state[4] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                  4593380528125082431u};
  const auto rotate = [](std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); };
  EXPECT_EQ(Random(1234567)(), rotate(state[0] + state[3], 23) + state[0]);
}

TEST(Random, uniform_numbers_lie_in_their_interval_and_fill_it) {
  Random random(3);
  double sum = 0;
  double least = 1;
  double most = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double x = random.uniform();
    ASSERT_TRUE(x >= 0 && x < 1);
    sum += x;
    least = std::min(least, x);
    most = std::max(most, x);
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.01);
  EXPECT_LT(least, 0.001);
  EXPECT_GT(most, 0.999);
}

TEST(Random, below_draws_each_number) {
  Random random(4);
  std::vector<int> drawn(7);
  for (int i = 0; i < 70'000; ++i) ++drawn.at(random.below(7));
  for (const int count : drawn) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.below(1), 0u);
}

INSTANTIATE_TEST_SUITE_P(On, ThisJobs, on_one_and_on_three(), nodes_name);

}  // namespace
}  // namespace pp::test
