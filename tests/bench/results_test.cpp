// Results: figures to reach, and everything back from JSON.
#include "results.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>

#include "examples.hpp"

namespace pp::bench {
namespace {

using test::results_with;
using test::row;
using testing::HasSubstr;

TEST(Reach, is_that_of_the_first_pattern_that_finds_the_row) {
  const CaseResult result = results_with({}, {{"^2 x 1", "", 97}, {"", "Peer", 1}}).cases.front();
  EXPECT_EQ(reach_for(result, row("2 x 1, fabric", "us", {}))->bound, 97);
  EXPECT_EQ(reach_for(result, row("12 x 1", "us", {}))->bound, 1);
}

TEST(Reach, is_met_by_less_of_what_should_be_small_and_more_of_what_should_be_large) {
  const Reach reach{"", "", 10};
  EXPECT_TRUE(met(row("a", "us", {}), reach, 9));
  EXPECT_FALSE(met(row("a", "us", {}), reach, 11));
  EXPECT_FALSE(met(row("a", "M/s", {}), reach, 9));
  EXPECT_TRUE(met(row("a", "M/s", {}), reach, 11));
}

TEST(Reach, is_held_against_the_value_or_the_ratio_to_a_contender) {
  const Row measured = row("a", "us", {{0, 6}, {1, 6}}, {{0, 3}, {1, 3}});
  EXPECT_EQ(reached(measured, {"", "", 1}), 6);
  EXPECT_EQ(reached(measured, {"", "Peer", 1}), 2);
  EXPECT_FALSE(reached(measured, {"", "nobody", 1}));
}

TEST(ResultsJson, brings_everything_back) {
  Results written = results_with({row("a \"row\"", "us", {{0, 1.5}, {1, 1e-7}}, {{0, 3}})},
                                 {{"^a", "Peer", 1.5}});
  written.provenance = {"2026-11-26T00:00:00Z", "cpu", 2, 23.5, "system", "g++", "Release", "c",
                        {{"oneTBB", "2021.8"}}, "0.5"};
  written.quick = true;
  CaseResult& result = written.cases.front();
  result.chart = {"bytes", true, false};
  result.rows.front().x = 64;
  result.rows.front().line = "fabric";
  result.distributions.push_back({"pp", {"idle", "us", {1, 2, 3}}});
  result.skipped.push_back({"dask", "apt-get install python3-distributed"});
  result.failed.push_back({"pp", "why"});

  const Results read = results_from_json(to_json(written));
  EXPECT_EQ(read.provenance, written.provenance);
  EXPECT_EQ(read.repetitions, 2u);
  EXPECT_TRUE(read.quick);
  ASSERT_EQ(read.cases.size(), 1u);
  EXPECT_EQ(read.cases[0].name, "case");
  EXPECT_EQ(read.cases[0].what, "a question");
  EXPECT_EQ(read.cases[0].rows, result.rows);
  EXPECT_EQ(read.cases[0].distributions, result.distributions);
  EXPECT_EQ(read.cases[0].skipped, result.skipped);
  EXPECT_EQ(read.cases[0].failed, result.failed);
  EXPECT_EQ(read.cases[0].chart.x, "bytes");
  EXPECT_TRUE(read.cases[0].chart.logarithmic_x);
  EXPECT_EQ(read.cases[0].reach.front().against, "Peer");
  EXPECT_EQ(to_json(read), to_json(written));
}

TEST(ResultsJson, refuses_what_pp_bench_has_not_written) {
  for (const char* text : {"", "[]", "{}", "{\"format\":1}", "not json"})
    EXPECT_THROW(results_from_json(text), Error) << text;
  try {
    results_from_json("{\"format\":99}");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("99, expected 1"));
  }
}

TEST(ResultsJson, names_a_file_that_is_not_there) {
  try {
    results_from_file("/no/such/file.json");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/no/such/file.json"));
  }
}

}  // namespace
}  // namespace pp::bench
