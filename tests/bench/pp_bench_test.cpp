// pp-bench, the program: from the command line to table, JSON and charts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "process.hpp"
#include "results.hpp"

namespace pp::bench {
namespace {

using pp::test::Folder;
using pp::test::Process;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Said {
  int code;
  std::string out, err;
};

// Without a PATH: peers that are installed are not found, and the test does not depend on them.
Said run(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"/usr/bin/env", "PATH=/nowhere", PP_BENCH_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Process process(words);
  const int code = process.wait(pp::test::seconds{110});
  EXPECT_THAT(process.family(), IsEmpty()) << "processes left behind";
  return {code, process.out(), process.err()};
}

TEST(PpBench, lists_its_cases_and_who_is_asked) {
  const Said said = run({"--list"});
  EXPECT_EQ(said.code, 0);
  EXPECT_THAT(said.out, AllOf(HasSubstr("fork: "), HasSubstr("pp, oneTBB"), HasSubstr("OpenMPI")));
}

TEST(PpBench, answers_nonsense_with_one_sentence_and_code_2) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--nonsense"},
           {"--repeat", "0"},
           {"--only", "("},
           {"--only", "there is no such case"},
           {"--without", "["},
           {"--lane", "nobody"},
           {"--shape", "2"},
           {"--limit", "soon"},
           {"--only", "seal", "--json", "/no/such/folder/file.json"},
           {"compare"},
           {"compare", "/no/such/file", "/no/such/file"},
           {"run"},
           {"run", "nothing"},
           {"run", "seal.pp", "word"}}) {
    const Said said = run(arguments);
    EXPECT_EQ(said.code, 2) << arguments.front();
    EXPECT_THAT(said.err, HasSubstr("pp-bench: ")) << arguments.front();
    EXPECT_EQ(pp::test::count(said.err, "\n"), 1u) << said.err;
  }
}

TEST(PpBench, names_the_cases_when_only_finds_none) {
  EXPECT_THAT(run({"--only", "nothing"}).err, AllOf(HasSubstr("nothing"), HasSubstr("latency")));
}

TEST(PpBench, leaves_out_peers_but_not_pp) {
  const Said said = run({"--list", "--only", "^grain$", "--without", "dask|Python|pp"});
  EXPECT_THAT(said.out, HasSubstr("    pp, oneTBB, OpenMPI\n"));
  EXPECT_THAT(run({"--quick", "--repeat", "1", "--only", "^seal$", "--without", "."}).out,
              Not(HasSubstr("memcpy")));
}

TEST(PpBench, measures_a_cluster_beside_its_yardsticks_and_skips_peers_by_name) {
  const Folder folder;
  const std::string json = folder / "results.json", plots = folder / "plots";
  const Said said = run({"--quick", "--repeat", "1", "--only", "^latency$", "--lane", "control",
                         "--json", json, "--plots", plots});
  EXPECT_EQ(said.code, 0) << said.out << said.err;
  EXPECT_THAT(said.out, AllOf(HasSubstr("median, idle, control"), HasSubstr("TCP"),
                              HasSubstr("OpenMPI, OpenMPI TCP: apt-get install openmpi-bin")));

  const Results results = results_from_file(json);
  ASSERT_THAT(results.cases, SizeIs(1));
  EXPECT_THAT(results.cases[0].rows, SizeIs(6));
  for (const Row& row : results.cases[0].rows) {
    // After a rest there is nothing to compare with what stays awake.
    const bool rested = row.name.find("after 5 ms") != std::string::npos;
    EXPECT_THAT(row.measured, SizeIs(rested ? 3u : 5u)) << row.name;
    ASSERT_NE(row.by("pp"), nullptr) << row.name;
    EXPECT_GT(row.by("pp")->readings.at(0).value, 0);
  }
  EXPECT_TRUE(results.quick);
  EXPECT_TRUE(std::filesystem::exists(plots + "/latency-distribution.svg"));

  const Said compared = run({"compare", json, json});
  EXPECT_EQ(compared.code, 0);
  EXPECT_THAT(compared.out, HasSubstr("6 figures in both: 0 better, 0 worse"));
}

TEST(PpBench, says_which_run_failed_and_measures_the_others) {
  // No node can speak over a provider that does not exist; the yardsticks do not care.
  const Said said = run({"--quick", "--repeat", "1", "--only", "^steal$", "--lane",
                         "broken:PP_FABRIC=no_such_provider"});
  EXPECT_EQ(said.code, 1) << said.out << said.err;
  EXPECT_THAT(said.out,
              AllOf(HasSubstr("FAILED pp: "), HasSubstr("no_such_provider"), HasSubstr("TCP")));
}

}  // namespace
}  // namespace pp::bench
