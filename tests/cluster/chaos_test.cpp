// Chaos in short: some dozens of faults at random while everything that is computed is checked.
#include <cstdlib>
#include <string>
#include <vector>

#include "on_hosts.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Would catch: a result that is lost, wrong, or delivered twice; a node that crashes, or does not
// leave when it is told to, or is not taken back; anything that hangs.
class Chaos : public OnHosts {
 protected:
  // Only those on hosts need any.
  void SetUp() override {}

  static void expect_exact(const std::vector<std::string>& options) {
    const bool is_long = std::getenv("PP_TEST_LONG") != nullptr;
    const std::string seed = std::to_string(seeded()());
    std::vector<std::string> command{PP_CHAOS_PROGRAM,       "--seed", seed, "--faults",
                                     is_long ? "200" : "25", "--rate", "2"};
    command.insert(command.end(), options.begin(), options.end());
    Process run(command);
    EXPECT_EQ(run.wait(seconds{is_long ? 900 : 280}), 0) << run.err();
    EXPECT_THAT(run.out(), HasSubstr("verdict: exact"));
    // Nobody can have been at work all by himself.
    EXPECT_THAT(run.out(), AllOf(HasSubstr("\"lent\":"), Not(HasSubstr("\"lent\":0,"))));
    std::cout << run.out();
  }
};

TEST_F(Chaos, among_processes_changes_no_result) { expect_exact({"--nodes", "5"}); }

TEST_F(Chaos, among_processes_without_shared_memory_changes_no_result) {
  expect_exact({"--nodes", "5", "--fabric", "off"});
}

TEST_F(Chaos, among_hosts_changes_no_result) {
  OnHosts::SetUp();
  if (IsSkipped()) return;
  expect_exact({"--nodes", "5", "--mode", "hosts"});
}

// A node joins, is killed or told to leave every second, on eight hosts.
TEST_F(Chaos, of_nodes_that_come_and_go_changes_no_count) {
  OnHosts::SetUp();
  if (IsSkipped()) return;
  expect_exact(
      {"--nodes", "8", "--mode", "hosts", "--kinds", "kill,restart,term", "--work", "uts"});
}

TEST_F(Chaos, finds_out_a_job_that_was_delivered_twice) {
  Process run({PP_CHAOS_PROGRAM, "--nodes", "2", "--faults", "0", "--work", "lie"});
  EXPECT_EQ(run.wait(), 1);
  EXPECT_THAT(run.out(), AllOf(HasSubstr("not delivered once"), HasSubstr("verdict: NOT exact")));
}

TEST_F(Chaos, of_a_kind_that_is_not_known_is_refused_by_name) {
  Process run({PP_CHAOS_PROGRAM, "--kinds", "kill,tickle"});
  EXPECT_EQ(run.wait(), 2);
  EXPECT_THAT(run.err(), AllOf(HasSubstr("tickle"), HasSubstr("restart")));
}

TEST_F(Chaos, without_hosts_cuts_no_cable) {
  Process run({PP_CHAOS_PROGRAM, "--kinds", "cut"});
  EXPECT_EQ(run.wait(), 2);
  EXPECT_THAT(run.err(), HasSubstr("--mode hosts"));
}

TEST_F(Chaos, app_refuses_work_that_it_does_not_know) {
  Process run({CHAOS_APP_PROGRAM, "uts,knit", "1"});
  EXPECT_EQ(run.wait(), 2);
  EXPECT_THAT(run.err(), HasSubstr("uts, fib, map, bulk"));
}

}  // namespace
}  // namespace pp::test
