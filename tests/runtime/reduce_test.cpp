// Reductions: the same bits for any number of workers and nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <numeric>
#include <pp/pp.hpp>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtimes.hpp"

namespace reduce_test {

using pp::Options;
using pp::Runtime;
using pp::test::Runtimes;

double harmonic(std::uint64_t n) { return 1.0 / std::pow(static_cast<double>(n) + 1, 1.1); }
double scaled(double x, double by) { return std::sin(x) * by; }
std::uint64_t itself(std::uint64_t n) { return n; }
std::string letter(int n) { return std::string(1, static_cast<char>('a' + n % 26)); }
std::string joined(std::string left, const std::string& right) { return std::move(left) + right; }
std::uint64_t refuses_7(std::uint64_t n) {
  if (n == 7) throw std::domain_error("seven");
  return n;
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

Options with_workers(unsigned workers) {
  Options options;
  options.workers = workers;
  return options;
}

class ReductionOn : public pp::test::OnNodes {};
INSTANTIATE_TEST_SUITE_P(Nodes, ReductionOn, pp::test::on_one_and_on_three(), pp::test::nodes_name);

TEST_P(ReductionOn, exact_sums_are_right_whatever_the_length) {
  for (const std::uint64_t n : {0u, 1u, 2u, 16'383u, 16'384u, 16'385u, 100'003u}) {
    EXPECT_EQ((rt_.parallel_reduce<itself, std::plus<>{}>(0, n, std::uint64_t{5}).get()),
              5 + n * (n - (n > 0)) / 2)
        << n;
    EXPECT_EQ((rt_.map_reduce<itself, std::plus<>{}>(std::views::iota(std::uint64_t{0}, n),
                                                     std::uint64_t{5})
                   .get()),
              5 + n * (n - (n > 0)) / 2)
        << n;
  }
}

TEST_P(ReductionOn, sums_of_doubles_have_the_same_bits_everywhere) {
  const auto sum = [](Runtime& rt) {
    return bits(rt.parallel_reduce<harmonic, std::plus<>{}>(0, 200'000, 0.1).get());
  };
  const auto mapped = [](Runtime& rt) {
    std::vector<double> values(50'001);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sqrt(static_cast<double>(i));
    return bits(rt.map_reduce<scaled, std::plus<>{}>(values, 0.0, 0.3).get());
  };
  Runtime one(with_workers(1));
  Runtime two(with_workers(2));
  Runtime four(with_workers(4));
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(sum(rt_), sum(one));
    EXPECT_EQ(sum(two), sum(four));
    EXPECT_EQ(sum(one), sum(two));
    EXPECT_EQ(mapped(rt_), mapped(one));
    EXPECT_EQ(mapped(two), mapped(four));
    EXPECT_EQ(mapped(one), mapped(two));
  }
}

TEST_P(ReductionOn, the_order_is_that_of_the_range) {
  std::string expected = "<";
  for (int n = 0; n < 40'000; ++n) expected += letter(n);
  const auto text = rt_.map_reduce<letter, joined>(std::views::iota(0, 40'000), std::string("<"));
  EXPECT_EQ(text.get(), expected);
  EXPECT_EQ(text.get(), expected);
}

TEST_P(ReductionOn, lambdas_options_and_shared_arguments_are_taken) {
  const auto f = [](int n, int by) { return n * by; };
  const auto larger = [](int a, int b) { return std::max(a, b); };
  const std::vector<int> values{3, 9, 4};
  EXPECT_EQ(rt_.map_reduce(f, larger, values, 0, 10).get(), 90);
  EXPECT_EQ(rt_.map_reduce(pp::JobOptions{.label = "largest"}, f, larger, values, 100, 10).get(),
            100);
  EXPECT_EQ(rt_.parallel_reduce(f, larger, -5, 5, -1000, -1).get(), 5);
  EXPECT_EQ((rt_.parallel_reduce<itself, std::plus<>{}>(pp::JobOptions{.label = "sum"}, 0, 5,
                                                        std::uint64_t{0})
                 .get()),
            10u);
}

TEST_P(ReductionOn, what_a_call_throws_comes_out_of_get) {
  const auto sum = rt_.parallel_reduce<refuses_7, std::plus<>{}>(0, 100'000, std::uint64_t{0});
  EXPECT_THROW(sum.get(), std::domain_error);
  EXPECT_THROW(sum.get(), std::domain_error);
}

double nested(std::uint64_t n) {
  return pp::parallel_reduce<harmonic, std::plus<>{}>(0, n, 0.0).get();
}

TEST_P(ReductionOn, reductions_may_be_nested) {
  Runtime one(with_workers(1));
  EXPECT_EQ(bits(rt_.map_reduce<nested, std::plus<>{}>(std::views::iota(0, 300), 0.0).get()),
            bits(one.map_reduce<nested, std::plus<>{}>(std::views::iota(0, 300), 0.0).get()));
}

TEST_P(ReductionOn, each_call_counts_as_a_job_and_has_its_own_numbers) {
  const auto draw = [](Runtime& rt) {
    return rt
        .parallel_reduce([](int) { return pp::this_job().random()(); },
                         [](std::uint64_t a, std::uint64_t b) { return a ^ (b * 3); }, 0, 50'000,
                         std::uint64_t{0})
        .get();
  };
  Runtime one(with_workers(1));
  EXPECT_EQ(draw(rt_), draw(one));
  EXPECT_EQ(one.stats().nodes[0].jobs, 50'000u);
}

TEST(Reduction, a_cancelled_one_says_so) {
  Runtime rt(with_workers(1));
  pp::test::Gate gate;
  static pp::test::Gate* reached = nullptr;
  reached = &gate;
  const auto sum = rt.parallel_reduce(
      [](int n) {
        if (n == 3) reached->pass();
        return n;
      },
      std::plus<int>{}, 0, 1'000'000, 0);
  gate.wait_until_reached();
  sum.cancel();
  gate.open();
  EXPECT_THROW(sum.get(), pp::Cancelled);
  EXPECT_TRUE(sum.ready());
}

}  // namespace reduce_test
