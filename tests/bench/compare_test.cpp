// Compare: what changed by more than repetition explains is marked, the rest is not.
#include "compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples.hpp"

namespace pp::bench {
namespace {

using test::results_with;
using test::row;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(Compare, marks_what_lies_apart_in_the_direction_of_its_unit) {
  const Results before =
      results_with({row("time", "us", {{0, 10}, {1, 11}}), row("rate", "M/s", {{0, 10}, {1, 11}}),
                    row("same", "us", {{0, 10}, {1, 12}})});
  const Results after =
      results_with({row("time", "us", {{0, 20}, {1, 21}}), row("rate", "M/s", {{0, 20}, {1, 21}}),
                    row("same", "us", {{0, 11}, {1, 13}})});
  const std::string said = compare(before, after);
  EXPECT_THAT(said, ContainsRegex("time .*1.95x  worse"));
  EXPECT_THAT(said, ContainsRegex("rate .*1.95x  better"));
  EXPECT_THAT(said, HasSubstr("3 figures in both: 1 better, 1 worse"));
}

TEST(Compare, marks_nothing_where_there_is_no_spread) {
  const std::string said = compare(results_with({row("time", "us", {{0, 10}})}),
                                   results_with({row("time", "us", {{0, 20}})}));
  EXPECT_THAT(said, HasSubstr("1 figures in both: 0 better, 0 worse"));
}

TEST(Compare, says_what_a_faster_machine_does_not_change) {
  // Everything takes half the time: pp is beside its yardstick what it was.
  const std::string said = compare(results_with({row("time", "us", {{0, 10}}, {{0, 5}})}),
                                   results_with({row("time", "us", {{0, 5}}, {{0, 2.5}})}));
  EXPECT_THAT(said, ContainsRegex("0.500x +1.00x beside Peer"));
}

TEST(Compare, names_what_only_one_of_them_has) {
  const std::string said =
      compare(results_with({row("old", "us", {{0, 1}})}),
              results_with({row("new", "us", {{0, 1}}), row("a peer's own", "us", {}, {{0, 1}})}));
  EXPECT_THAT(said, HasSubstr("only before: case, old, us"));
  EXPECT_THAT(said, HasSubstr("only after: case, new, us"));
  EXPECT_THAT(said, Not(HasSubstr("a peer's own")));
}

}  // namespace
}  // namespace pp::bench
