// SlurmLaunch: the command line and the environment of srun.
#include "slurm_launch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <pp/error.hpp>

namespace pp::tools {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class InAnAllocation : public testing::Test {
 protected:
  InAnAllocation() { plan_.command = {"./app", "--size", "3"}; }
  std::optional<SlurmLaunch> launch() const {
    return SlurmLaunch::from(
        plan_,
        [this](const char* name) -> std::optional<std::string> {
          const auto found = variables_.find(name);
          if (found == variables_.end()) return std::nullopt;
          return found->second;
        },
        inherited_);
  }
  std::string refusal() const {
    try {
      launch();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  LaunchPlan plan_;
  std::map<std::string, std::string> variables_{{"SLURM_JOB_ID", "7"},
                                                {"SLURM_JOB_NUM_NODES", "3"}};
  std::vector<std::string> inherited_{"PATH=/bin", "PP_ROLE=worker", "PP_WORKERS=9",
                                      "SLURM_CPUS_PER_TASK=2", "PP_FABRIC=off"};
};

TEST_F(InAnAllocation, each_host_gets_one_task) {
  const std::vector<std::string> command = launch()->command;
  EXPECT_EQ(command.front(), "srun");
  EXPECT_THAT(command, AllOf(Contains("--nodes=3"), Contains("--ntasks=3"),
                             Contains("--ntasks-per-node=1"), Contains("--input=0")));
  EXPECT_THAT(std::vector<std::string>(command.end() - 4, command.end()),
              ElementsAre("--", "./app", "--size", "3"));
  EXPECT_THAT(command, Not(Contains("--overlap")));
}

TEST_F(InAnAllocation, a_shell_that_is_a_step_shares_what_it_has) {
  variables_["SLURM_STEP_ID"] = "0";
  EXPECT_THAT(launch()->command, Contains("--overlap"));
}

TEST_F(InAnAllocation, what_was_said_to_pp_launch_reaches_every_node) {
  plan_.workers = 4;
  plan_.key_file = "/home/me/key";
  plan_.listen = ":7400";
  plan_.join_limit = std::chrono::seconds(9);
  plan_.joblog = "log";
  plan_.resume = true;
  plan_.http = "on";
  plan_.trace = "run.json";
  plan_.progress = "off";
  EXPECT_THAT(launch()->environment,
              ElementsAre("PATH=/bin", "PP_FABRIC=off", "PP_WORKERS=4", "PP_KEY_FILE=/home/me/key",
                          "PP_LISTEN=:7400", "PP_JOIN_TIMEOUT=9", "PP_JOBLOG=log", "PP_RESUME=on",
                          "PP_HTTP=on", "PP_TRACE=run.json", "PP_PROGRESS=off"));
}

TEST_F(InAnAllocation, what_was_not_said_is_left_to_the_nodes) {
  EXPECT_THAT(
      launch()->environment,
      AllOf(Contains("PP_WORKERS=9"), Not(Contains(StartsWith("PP_ROLE="))),
            Not(Contains(StartsWith("PP_LISTEN="))), Not(Contains(StartsWith("PP_KEY_FILE="))),
            Not(Contains(StartsWith("SLURM_CPUS_PER_TASK=")))));
}

TEST_F(InAnAllocation, outside_of_one_nothing_is_done) {
  variables_.erase("SLURM_JOB_ID");
  EXPECT_FALSE(launch());
}

TEST_F(InAnAllocation, what_makes_no_sense_is_refused) {
  for (const char* number : {"", "0", "x", "-1", "100001", "3x"}) {
    variables_["SLURM_JOB_NUM_NODES"] = number;
    EXPECT_THAT(refusal(), AllOf(HasSubstr("SLURM_JOB_NUM_NODES="), HasSubstr("-n N"))) << number;
  }
  variables_.erase("SLURM_JOB_NUM_NODES");
  EXPECT_THAT(refusal(), HasSubstr("SLURM_NNODES="));
  variables_["SLURM_NNODES"] = "2";
  EXPECT_THAT(launch()->command, Contains("--nodes=2"));
  plan_.respawn = 3;
  EXPECT_THAT(refusal(), HasSubstr("--respawn"));
}

}  // namespace
}  // namespace pp::tools
