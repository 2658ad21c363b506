// What nodes are told, how many workers there are, and where a program is found.
#include "launch_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <pp/usable_cores.hpp>
#include <string>
#include <variant>
#include <vector>

#include "child.hpp"
#include "exit_status.hpp"
#include "process.hpp"

namespace pp::tools {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

LaunchPlan four_nodes() {
  LaunchPlan plan;
  plan.nodes = 4;
  plan.workers = 2;
  plan.key_file = "/keys/one";
  return plan;
}

TEST(LaunchPlan, tells_the_driver_whom_to_wait_for) {
  EXPECT_THAT(node_environment(four_nodes(), 0, "cafe", "", {9, 8}, {"HOME=/root"}),
              UnorderedElementsAre("HOME=/root", "PP_ROLE=driver", "PP_WORKERS=2", "PP_LAUNCH=cafe",
                                   "PP_REPORT_FD=9", "PP_BLACK_BOX=8", "PP_LISTEN=127.0.0.1:0",
                                   "PP_KEY_FILE=/keys/one", "PP_NODES=4", "PP_JOIN_TIMEOUT=30"));
}

TEST(LaunchPlan, tells_a_worker_whom_to_join) {
  LaunchPlan plan = four_nodes();
  plan.listen = "[::1]:7000";
  EXPECT_THAT(node_environment(plan, 3, "cafe", "[::1]:7000", {9, 8}, {}),
              UnorderedElementsAre("PP_ROLE=worker", "PP_WORKERS=2", "PP_LAUNCH=cafe",
                                   "PP_REPORT_FD=9", "PP_BLACK_BOX=8", "PP_LISTEN=[::1]:0",
                                   "PP_KEY_FILE=/keys/one", "PP_PEERS=[::1]:7000"));
}

TEST(LaunchPlan, opens_no_network_for_a_program_that_is_alone) {
  LaunchPlan plan = four_nodes();
  plan.nodes = 1;
  EXPECT_THAT(
      node_environment(plan, 0, "cafe", "", {.report = 9}, {}),
      UnorderedElementsAre("PP_ROLE=driver", "PP_WORKERS=2", "PP_LAUNCH=cafe", "PP_REPORT_FD=9"));
}

TEST(LaunchPlan, tells_the_driver_alone_of_its_job_log) {
  LaunchPlan plan = four_nodes();
  plan.joblog = "app.log";
  plan.resume = true;
  const std::vector<std::string> inherited{"PP_JOBLOG=other.log", "PP_RESUME=on"};
  const auto driver = node_environment(plan, 0, "cafe", "", {.report = 9}, inherited);
  EXPECT_THAT(driver, Contains("PP_JOBLOG=app.log"));
  EXPECT_THAT(driver, Contains("PP_RESUME=on"));
  EXPECT_THAT(driver, Not(Contains("PP_JOBLOG=other.log")));
  const auto worker = node_environment(plan, 1, "cafe", "127.0.0.1:7000", {.report = 9}, inherited);
  EXPECT_THAT(worker, Not(Contains(StartsWith("PP_JOBLOG="))));
  EXPECT_THAT(worker, Not(Contains(StartsWith("PP_RESUME="))));
  plan.nodes = 1;
  EXPECT_THAT(node_environment(plan, 0, "cafe", "", {.report = 9}, {}),
              Contains("PP_JOBLOG=app.log"));
}

TEST(LaunchPlan, tells_the_driver_alone_of_the_trace) {
  LaunchPlan plan = four_nodes();
  plan.trace = "run.json";
  EXPECT_THAT(node_environment(plan, 0, "cafe", "", {.report = 9}, {"PP_TRACE=other.json"}),
              AllOf(Contains("PP_TRACE=run.json"), Not(Contains("PP_TRACE=other.json"))));
  EXPECT_THAT(
      node_environment(plan, 1, "cafe", "127.0.0.1:7000", {.report = 9}, {"PP_TRACE=other.json"}),
      Not(Contains(StartsWith("PP_TRACE="))));
}

TEST(LaunchPlan, does_not_hand_on_what_another_launch_said) {
  const auto environment = node_environment(
      four_nodes(), 0, "cafe", "", {.report = 9},
      {"PP_PEERS=elsewhere:1", "PP_ROLE=worker", "PP_FABRIC=off", "PP_BLACK_BOX=3"});
  EXPECT_THAT(environment, Not(Contains(StartsWith("PP_PEERS="))));
  EXPECT_THAT(environment, Not(Contains("PP_ROLE=worker")));
  EXPECT_THAT(environment, Not(Contains("PP_BLACK_BOX=3")));
  EXPECT_THAT(environment, Contains("PP_FABRIC=off"));  // the user's own
}

TEST(LaunchPlan, draws_a_fresh_launch_id_each_time) {
  EXPECT_EQ(fresh_launch_id().size(), 32u);
  EXPECT_NE(fresh_launch_id(), fresh_launch_id());
}

TEST(UsableCores, rounds_a_quota_up) {
  EXPECT_EQ(quota_of("150000 100000"), 2u);
  EXPECT_EQ(quota_of("100000 100000"), 1u);
  EXPECT_EQ(quota_of("1000 100000"), 1u);
  EXPECT_EQ(quota_of("250000", "100000"), 3u);
}

TEST(UsableCores, knows_when_there_is_no_quota) {
  for (const char* text :
       {"max 100000", "", "garbage", "100000", "0 100000", "100000 0", "-1 100000"}) {
    EXPECT_EQ(quota_of(text), std::nullopt) << text;
  }
  EXPECT_EQ(quota_of("-1", "100000"), std::nullopt);
}

TEST(UsableCores, there_is_always_one) { EXPECT_GE(usable_cores(), 1u); }

TEST(ExitStatus, speaks_of_codes_and_signals) {
  EXPECT_EQ(ExitStatus{.code = 7}.sentence(), "ended with code 7");
  EXPECT_EQ((ExitStatus{.signal = SIGSEGV, .core_dumped = true}.sentence()),
            "was killed by SIGSEGV (11: segmentation fault; core dumped)");
  EXPECT_EQ(ExitStatus{.signal = SIGKILL}.sentence(), "was killed by SIGKILL (9: killed)");
  EXPECT_EQ(ExitStatus{.signal = SIGTERM}.shell_code(), 143);
  EXPECT_EQ(ExitStatus{.code = 7}.shell_code(), 7);
  EXPECT_EQ(signal_name(SIGRTMAX), "signal " + std::to_string(SIGRTMAX));
}

TEST(FindProgram, looks_where_a_shell_would) {
  const test::Folder folder;
  const auto file = [&](const char* name, mode_t mode) {
    std::ofstream(folder / name) << "#!/bin/true\n";
    ::chmod((folder / name).c_str(), mode);
  };
  file("app", 0755);
  file("data", 0644);
  const auto failure = [&](const std::string& program) {
    const auto found = find_program(program, "/nowhere:" + folder.path());
    return std::holds_alternative<ExecFailure>(found) ? std::get<ExecFailure>(found)
                                                      : ExecFailure{0, "found"};
  };
  EXPECT_EQ(std::get<std::string>(find_program("app", "/nowhere:" + folder.path())),
            folder / "app");
  EXPECT_EQ(std::get<std::string>(find_program(folder / "app", "")), folder / "app");
  EXPECT_EQ(failure("nope").shell_code, 127);
  EXPECT_THAT(failure("nope").why, HasSubstr("command not found"));
  EXPECT_EQ(failure("data").shell_code, 126);
  EXPECT_EQ(failure(folder / "data").shell_code, 126);
  EXPECT_THAT(failure(folder / "data").why, HasSubstr("not executable"));
  EXPECT_EQ(failure(folder.path() + "/").shell_code, 126);
  EXPECT_EQ(failure(folder / "nope").shell_code, 127);
}

}  // namespace
}  // namespace pp::tools
