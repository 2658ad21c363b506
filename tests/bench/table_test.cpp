// The table: pp, its yardsticks, ratios and verdicts; who was skipped and what failed.
#include "table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "columns.hpp"
#include "examples.hpp"
#include "unit.hpp"

namespace pp::bench {
namespace {

using test::results_with;
using test::row;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(Table, has_medians_quartiles_the_ratio_and_the_verdict) {
  const Results results =
      results_with({row("idle", "us", {{0, 10}, {1, 20}, {2, 30}}, {{0, 5}, {1, 10}, {2, 15}})},
                   {{"", "Peer", 1.5}});
  const std::string text = table(results.cases.front());
  EXPECT_THAT(text, HasSubstr("case: a question"));
  EXPECT_THAT(
      text,
      ContainsRegex(
          "idle +us +20.0 +15.0 .. 25.0 +Peer +10.0 +7.50 .. 12.5 +2.00x +<= 1.5x Peer +missed"));
}

TEST(Table, says_when_a_figure_to_reach_was_not_measured) {
  const Results results = results_with({row("idle", "us", {{0, 1}})}, {{"", "Peer", 1}});
  EXPECT_THAT(table(results.cases.front()), ContainsRegex("<= 1x Peer +not measured"));
}

TEST(Table, shows_yardsticks_without_pp_and_failures) {
  Results results = results_with({row("idle", "us", {}, {{0, 5}})});
  results.cases.front().failed.push_back({"pp", "pp-bench run x was killed"});
  const std::string text = table(results.cases.front());
  EXPECT_THAT(text, ContainsRegex("idle +us +Peer +5.00"));
  EXPECT_THAT(text, HasSubstr("FAILED pp: pp-bench run x was killed"));
  EXPECT_TRUE(results.any_failed());
}

TEST(Closing, names_each_skipped_peer_once_with_what_it_needs) {
  Results results = results_with({});
  results.cases.push_back(results.cases.front());
  for (CaseResult& each : results.cases) each.skipped.push_back({"Peer", "apt-get install peer"});
  const std::string text = closing(results);
  EXPECT_THAT(text, HasSubstr("  Peer: apt-get install peer\n"));
  EXPECT_EQ(text.find("Peer"), text.rfind("Peer"));
}

TEST(Heading, warns_of_a_quick_run) {
  Results results = results_with({});
  EXPECT_THAT(heading(results), Not(HasSubstr("quick")));
  results.quick = true;
  EXPECT_THAT(heading(results), HasSubstr("quick: not for figures"));
}

TEST(Heading, warns_of_a_machine_that_does_something_else) {
  Results results = results_with({});
  results.provenance.cores = 2;
  results.provenance.load = "0.31";
  EXPECT_THAT(heading(results), Not(HasSubstr("BUSY")));
  results.provenance.load = "3.10";
  EXPECT_THAT(heading(results), HasSubstr("load 3.10, BUSY: not for figures"));
}

TEST(Columns, are_as_wide_as_their_cells_and_gone_when_empty) {
  Columns columns({"a", "empty", "b"}, {2});
  columns.add({"long", "", "1"});
  columns.add({"x", "", "100"});
  EXPECT_EQ(columns.text("  "), "  a       b\n  long    1\n  x     100\n");
}

TEST(Digits, are_three_that_mean_something) {
  EXPECT_EQ(digits(1234.5), "1234");
  EXPECT_EQ(digits(12.345), "12.3");
  EXPECT_EQ(digits(0.012345), "0.0123");
  EXPECT_EQ(digits(0), "0");
  EXPECT_EQ(digits(1.0 / 0.0), "-");
}

TEST(BytesText, has_the_largest_unit) {
  EXPECT_EQ(bytes_text(64), "64 B");
  EXPECT_EQ(bytes_text(64 << 20), "64 MiB");
}

}  // namespace
}  // namespace pp::bench
