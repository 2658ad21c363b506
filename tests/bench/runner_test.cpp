// Runner: contenders in turn, repetitions that can be told apart, failures and absences by name.
#include "runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/error.hpp>

namespace pp::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Started = Run;  // inside a test Run is a member of it

Contender contender(const std::string& who, const std::vector<std::string>& programs) {
  return {who, [programs](const Settings&) {
            std::vector<Run> runs;
            for (const std::string& program : programs)
              runs.push_back({{program}, {}, std::nullopt});
            return runs;
          }};
}

Case with(std::vector<Contender> contenders) {
  return {.name = "case",
          .what = "",
          .contenders = std::move(contenders),
          .reach = {},
          .bodies = {},
          .chart = {}};
}

Outcome prints(const std::string& row, double value) {
  return {true, to_line(Sample{row, "us", value, std::nullopt, ""}) + "\n", ""};
}

void nobody_watches(const std::string&) {}

TEST(Runner, takes_the_contenders_in_turn) {
  std::vector<std::string> order;
  const Start start = [&order](const Started& run) {
    order.push_back(run.words.front());
    return prints("row", 1);
  };
  run_case(with({contender("pp", {"a1", "a2"}), contender("other", {"b1"})}), {}, 2, start,
           nobody_watches);
  EXPECT_THAT(order, ElementsAre("a1", "b1", "a2", "a1", "b1", "a2"));
}

TEST(Runner, keeps_readings_with_their_repetition_and_contender) {
  double next = 0;
  const Start start = [&next](const Started&) { return prints("row", ++next); };
  const CaseResult result = run_case(with({contender("pp", {"a"}), contender("other", {"b"})}), {},
                                     2, start, nobody_watches);
  ASSERT_THAT(result.rows, SizeIs(1));
  EXPECT_EQ(result.rows[0].by("pp")->readings, (std::vector<Reading>{{0, 1}, {1, 3}}));
  EXPECT_EQ(result.rows[0].by("other")->readings, (std::vector<Reading>{{0, 2}, {1, 4}}));
  EXPECT_THAT(result.failed, IsEmpty());
}

TEST(Runner, skips_by_name_who_is_not_installed) {
  const Contender absent{"Peer", [](const Settings&) { return Absent{"apt-get install peer"}; }};
  const CaseResult result = run_case(
      with({contender("pp", {"a"}), absent}), {}, 1,
      [](const Started&) { return prints("row", 1); }, nobody_watches);
  EXPECT_THAT(result.skipped, ElementsAre(Missing{"Peer", "apt-get install peer"}));
  EXPECT_THAT(result.failed, IsEmpty());
}

TEST(Runner, does_not_repeat_what_failed_and_keeps_what_it_had_printed) {
  int started = 0;
  const Start start = [&started](const Started&) {
    ++started;
    Outcome outcome = prints("first row", 5);
    outcome.good = false;
    outcome.why = "was killed";
    return outcome;
  };
  const CaseResult result =
      run_case(with({contender("pp", {"program"})}), {}, 3, start, nobody_watches);
  EXPECT_EQ(started, 1);
  ASSERT_THAT(result.failed, SizeIs(1));
  EXPECT_EQ(result.failed[0].who, "pp");
  EXPECT_THAT(result.failed[0].why, HasSubstr("program was killed"));
  EXPECT_THAT(result.rows, SizeIs(1));
}

TEST(Runner, takes_garbage_for_a_failure) {
  const CaseResult result = run_case(
      with({contender("pp", {"a"})}), {}, 1,
      [](const Started&) {
        return Outcome{true, "{garbage\n", ""};
      },
      nobody_watches);
  ASSERT_THAT(result.failed, SizeIs(1));
  EXPECT_THAT(result.failed[0].why, HasSubstr("{garbage"));
}

TEST(Runner, gives_distributions_the_medians_of_the_repetitions) {
  double next = 0;
  const Start start = [&next](const Started&) {
    return Outcome{true, to_line(distribution_of("idle", "us", {++next})), ""};
  };
  const CaseResult result = run_case(with({contender("pp", {"a"})}), {}, 3, start, nobody_watches);
  ASSERT_THAT(result.distributions, SizeIs(1));
  EXPECT_EQ(result.distributions[0].who, "pp");
  EXPECT_EQ(result.distributions[0].distribution.values.front(), 2);
}

TEST(Runner, puts_pp_launch_in_front_of_a_cluster) {
  Settings settings;
  settings.launcher = "/bin/pp-launch";
  EXPECT_THAT(command_line({{"x", "y"}, {}, std::nullopt}, settings), ElementsAre("x", "y"));
  EXPECT_THAT(
      command_line({{"x", "y"}, {}, Shape{2, 3}}, settings),
      ElementsAre("/bin/pp-launch", "-n", "2", "--workers", "3", "--quiet", "--", "x", "y"));
}

TEST(Process, says_what_was_printed_and_how_it_ended) {
  const std::chrono::seconds limit{60};
  const Outcome good = run_process({"/bin/sh", "-c", "echo out; echo err >&2"}, {}, limit);
  EXPECT_TRUE(good.good);
  EXPECT_EQ(good.printed, "out\n");

  const Outcome bad = run_process({"/bin/sh", "-c", "echo because >&2; exit 3"}, {}, limit);
  EXPECT_FALSE(bad.good);
  EXPECT_THAT(bad.why, HasSubstr("ended with code 3: because"));

  const Outcome missing = run_process({"/no/such/program"}, {}, limit);
  EXPECT_FALSE(missing.good);
  EXPECT_THAT(missing.why, HasSubstr("/no/such/program"));
}

TEST(Process, gets_the_variables_it_is_given_and_no_others_of_pp) {
  ::setenv("PP_FABRIC", "inherited", 1);
  const Outcome outcome = run_process({"/bin/sh", "-c", "echo $PP_FABRIC,$PP_DEAD,$HOME"},
                                      {"PP_DEAD=1"}, std::chrono::seconds{60});
  ::unsetenv("PP_FABRIC");
  const char* const home = std::getenv("HOME");
  EXPECT_EQ(outcome.printed, std::string(",1,") + (home ? home : "") + "\n");
}

TEST(Process, that_does_not_end_is_ended_at_its_limit) {
  const Outcome outcome =
      run_process({"/bin/sh", "-c", "exec sleep 1000"}, {}, std::chrono::seconds{1});
  EXPECT_FALSE(outcome.good);
  EXPECT_THAT(outcome.why, HasSubstr("had not ended after 1 s"));
}

}  // namespace
}  // namespace pp::bench
