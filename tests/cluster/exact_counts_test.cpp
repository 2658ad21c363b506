// Known answers from several processes: a runtime that loses a job or runs one twice gets them
// wrong.
#include <utility>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

class ExactCounts : public Cluster, public testing::WithParamInterface<int> {
 protected:
  void expect(const std::vector<std::string>& program, const std::string& line) const {
    Process run(launch(GetParam(), program));
    EXPECT_EQ(run.wait(seconds{120}), 0) << run.err();
    EXPECT_THAT(run.out(), HasSubstr(line)) << run.err();
    EXPECT_THAT(run.family(), IsEmpty());
  }
};

TEST_P(ExactCounts, of_the_geometric_tree_T1) {
  expect({UTS_PROGRAM, "--tree", "T1"}, "4130071 nodes, depth 10, 3305118 leaves");
}

TEST_P(ExactCounts, of_the_binomial_tree_T3) {
  expect({UTS_PROGRAM, "--tree", "T3"}, "4112897 nodes, depth 1572, 3599034 leaves");
}

TEST_P(ExactCounts, of_twelve_queens) { expect({NQUEENS_PROGRAM, "12"}, ": 14200 solutions"); }

TEST_P(ExactCounts, of_the_prime_example) {
  expect({SUM_PRIMES_PROGRAM},
         "Sum of primes below 100 is 1060\nSum of primes below 100000 is 454396537");
}

// The trees above may be counted before a second node gets a share; with each hash computed twenty
// times they last long enough that work must have moved, and often.
TEST_P(ExactCounts, of_trees_whose_work_was_shared) {
  for (const auto& [tree, line] :
       {std::pair{"T1", "4130071 nodes"}, std::pair{"T3", "4112897 nodes"}}) {
    Process run(launch(GetParam(), {UTS_PROGRAM, "--tree", tree, "-g", "20", "--stats"}));
    EXPECT_EQ(run.wait(seconds{240}), 0) << run.err();
    EXPECT_THAT(run.out(), HasSubstr(line)) << run.err();
    EXPECT_THAT(run.out(), ContainsRegex("[; ][1-9][0-9]* jobs of this node lent"));
  }
}

INSTANTIATE_TEST_SUITE_P(Nodes, ExactCounts, testing::Values(2, 4),
                         [](const auto& nodes) { return std::to_string(nodes.param) + "_nodes"; });

}  // namespace
}  // namespace pp::test
