// Slurm: programs as tasks of a real one, with no launcher and with pp-launch.
#include "slurm.hpp"

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// One Slurm of three nodes for all tests: it takes a second or two to come up.
class OnSlurm : public Cluster {
 protected:
  static void SetUpTestSuite() {
    why_not_ = Slurm::why_not();
    if (why_not_.empty()) slurm_ = std::make_unique<Slurm>(3);
  }
  static void TearDownTestSuite() { slurm_.reset(); }

  void SetUp() override {
    if (!why_not_.empty()) GTEST_SKIP() << why_not_;
  }
  // Whatever a test did, the next one finds nothing of it.
  void TearDown() override {
    if (!slurm_) return;
    EXPECT_THAT(keys(), IsEmpty());
  }

  using Words = std::vector<std::string>;

  static Words srun(Words options, const Words& program) {
    Words words{"srun", "--job-name=pp-test", "--kill-on-bad-exit=0"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), program.begin(), program.end());
    return slurm_->command(words);
  }
  // Keys of steps that lie where the usual ones do.
  static std::vector<std::string> keys() {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(slurm_->home() + "/.pp/slurm", none))
      names.push_back(entry.path().filename());
    return names;
  }
  static Process::Setting held(std::vector<std::string> environment = {}) {
    Process::Setting setting = slurm_->setting(std::move(environment));
    setting.input_stays_open = true;
    return setting;
  }
  static void expect_sums(const Process& run, const std::string& nodes) {
    EXPECT_THAT(run.out(), AllOf(HasSubstr("Sum of primes below 100 is 1060\n"),
                                 HasSubstr("Sum of primes below 100700 is 460217613\n"),
                                 HasSubstr("; " + nodes + " nodes, ")))
        << run.err();
    EXPECT_EQ(count(run.out(), "below 100 is"), 1u) << "one driver";
  }
  static inline std::string why_not_;
  static inline std::unique_ptr<Slurm> slurm_;
};

TEST_F(OnSlurm, srun_alone_makes_a_cluster_of_its_tasks) {
  Process run(srun({"-N3", "-n3"}, {SUM_PRIMES_PROGRAM}), slurm_->setting());
  EXPECT_EQ(run.wait(), 0) << run.err();
  expect_sums(run, "3");
  for (const char* host : {" n1:", " n2:", " n3:"}) EXPECT_THAT(run.out(), HasSubstr(host));
}

TEST_F(OnSlurm, several_tasks_may_be_on_one_host) {
  Process run(srun({"-N2", "-n4"}, {SPREAD_PROGRAM, "submitted", "4"}), slurm_->setting());
  EXPECT_EQ(run.wait(), 0) << run.err();
  EXPECT_THAT(run.out(), HasSubstr("jobs ran in 4 processes"));
}

TEST_F(OnSlurm, two_steps_run_side_by_side_on_the_same_hosts) {
  Process one(srun({"-N2", "-n2"}, {SPREAD_PROGRAM, "hold"}), held());
  one.wait_for_line("holding ");
  Process other(srun({"-N2", "-n2"}, {SUM_PRIMES_PROGRAM}), slurm_->setting());
  EXPECT_EQ(other.wait(), 0) << other.err();
  expect_sums(other, "2");
  EXPECT_EQ(ask(one, "nodes"), "nodes 2");
  one.close_input();
  EXPECT_EQ(one.wait(), 0) << one.err();
}

TEST_F(OnSlurm, a_driver_is_found_where_only_slurm_knows_the_name_of_its_host) {
  Process run(srun({"-w", "n3", "-n2"}, {SUM_PRIMES_PROGRAM}), slurm_->setting());
  EXPECT_EQ(run.wait(), 0) << run.err();
  expect_sums(run, "2");
}

TEST_F(OnSlurm, a_single_task_is_a_program_alone) {
  Process run(srun({"-n1"}, {SUM_PRIMES_PROGRAM}), slurm_->setting());
  EXPECT_EQ(run.wait(), 0) << run.err();
  EXPECT_THAT(run.out(), HasSubstr("Sum of primes below 100 is 1060\n"));
  EXPECT_THAT(run.out(), HasSubstr("; 1 node, "));
}

TEST_F(OnSlurm, each_task_is_alone_when_it_is_told_to_disregard_slurm) {
  Process run(srun({"-N2", "-n2"}, {SUM_PRIMES_PROGRAM}), slurm_->setting({"PP_SLURM=off"}));
  EXPECT_EQ(run.wait(), 0) << run.err();
  EXPECT_EQ(count(run.out(), "Sum of primes below 100 is 1060\n"), 2u);
}

TEST_F(OnSlurm, with_a_key_of_the_users_own_no_folder_is_needed) {
  Process::Setting setting = slurm_->setting({"PP_KEY_FILE=" + new_key("key")});
  setting.environment.push_back("HOME=/nowhere");
  Process run(srun({"-N3", "-n3"}, {SUM_PRIMES_PROGRAM}), setting);
  EXPECT_EQ(run.wait(), 0) << run.err();
  expect_sums(run, "3");
}

TEST_F(OnSlurm, a_folder_that_the_hosts_do_not_share_is_named) {
  Process run(srun({"-N2", "-n2"}, {SUM_PRIMES_PROGRAM}),
              slurm_->setting({"PP_SLURM_FOLDER=" + slurm_->local(), "PP_JOIN_TIMEOUT=2"}));
  EXPECT_NE(run.wait(), 0);
  EXPECT_THAT(run.err(), AllOf(HasSubstr("the step's key " + slurm_->local()),
                               HasSubstr("was not there within 2 s"), HasSubstr("PP_SLURM_FOLDER"),
                               HasSubstr("only 1 of 2 nodes were there")));
}

TEST_F(OnSlurm, workers_do_not_wait_for_ever_for_a_driver_that_does_not_come) {
  // It ends before it is a node: its folder is none.
  Process run(srun({"-N2", "-n2"}, {"sh", "-c", "test $SLURM_PROCID = 1 || exit 7; exec \"$@\"",
                                    "sh", SUM_PRIMES_PROGRAM}),
              slurm_->setting({"PP_KEY_FILE=" + new_key("key"), "PP_JOIN_TIMEOUT=2"}));
  EXPECT_EQ(run.wait(), 7);
  EXPECT_THAT(run.err(), AllOf(HasSubstr("the step's first task did not answer at n1:"),
                               HasSubstr("within 2 s (PP_JOIN_TIMEOUT)")));
}

TEST_F(OnSlurm, the_step_ends_when_its_driver_is_killed) {
  Process run(srun({"-N3", "-n3"}, {SPREAD_PROGRAM, "hold"}), held());
  const std::string line = run.wait_for_line("holding ");
  ::kill(std::stoi(line.substr(line.find(' ') + 1)), SIGKILL);
  EXPECT_EQ(run.wait(), 128 + SIGKILL) << run.err();
  run.wait_until_nothing_is_left(seconds{30});
}

// The elements that run when all tasks are asked to end are finished, and are in the log.
TEST_F(OnSlurm, scancel_lets_the_workers_leave_and_the_job_log_is_gone_on_from) {
  const std::string log = folder_ / "log", executed = folder_ / "executed";
  const Words program{SUMS_PROGRAM, "64", "100", executed};
  Process run(srun({"-N3", "-n3"}, program), slurm_->setting({"PP_JOBLOG=" + log, "PP_LOG=info"}));
  run.wait_until(
      [&] {
        return std::filesystem::exists(executed) && std::filesystem::file_size(executed) > 12;
      },
      "some elements");
  slurm_->ask({"scancel", "--name=pp-test"});
  EXPECT_NE(run.wait(), 0);
  EXPECT_EQ(count(run.err(), "this node leaves"), 3u) << run.err();  // the driver at its end
  run.wait_until_nothing_is_left(seconds{30});

  Process again(srun({"-N3", "-n3"}, program),
                slurm_->setting({"PP_JOBLOG=" + log, "PP_RESUME=on"}));
  EXPECT_EQ(again.wait(), 0) << again.err();
  EXPECT_THAT(again.out(),
              AllOf(HasSubstr("sums 85344 85344\n"), Not(HasSubstr(" 0 of 128 elements taken"))));
  EXPECT_EQ(std::filesystem::file_size(executed), 128u) << "nothing is run twice";
}

TEST_F(OnSlurm, workers_leave_before_the_allocation_ends) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  Process run(srun({"-N3", "-n3"}, {SPREAD_PROGRAM, "hold"}),
              held({"PP_LOG=info", "SLURM_JOB_END_TIME=" + std::to_string(now.count() + 4)}));
  run.wait_for_line("holding ");
  ask_until(run, "nodes", "nodes 1");
  EXPECT_EQ(count(run.err(), "this node leaves"), 2u) << run.err();
  run.close_input();
  EXPECT_EQ(run.wait(), 0) << run.err();
  EXPECT_THAT(run.out(), HasSubstr("sum 55")) << "the driver goes on alone";
}

TEST_F(OnSlurm, pp_launch_in_a_batch_script_starts_a_node_on_each_host) {
  const std::string script = folder_ / "job.sh", output = folder_ / "out";
  std::ofstream(script) << "#!/bin/sh\n" PP_LAUNCH_PROGRAM " -- " SUM_PRIMES_PROGRAM "\n";
  Process batch(slurm_->command({"sbatch", "--wait", "-N3", "-n5", "-o", output, script}),
                slurm_->setting());
  EXPECT_EQ(batch.wait(), 0) << batch.err();
  std::ifstream stream(output);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_THAT(text,
              AllOf(HasSubstr("Sum of primes below 100 is 1060\n"), HasSubstr("; 3 nodes, ")));
}

TEST_F(OnSlurm, pp_launch_in_an_interactive_allocation_hands_on_input_options_and_exit_code) {
  Process shell(slurm_->command({"salloc", "--quiet", "-N2", PP_LAUNCH_PROGRAM, "--workers", "1",
                                 "--", "sh", "-c",
                                 "test $SLURM_PROCID != 0 || { read word; echo $word; }; "
                                 "echo workers $PP_WORKERS; exit 5"}),
                [] {
                  Process::Setting setting = slurm_->setting();
                  setting.input = "typed\n";
                  return setting;
                }());
  EXPECT_EQ(shell.wait(), 5) << shell.err();
  EXPECT_EQ(count(shell.out(), "typed\n"), 1u);
  EXPECT_EQ(count(shell.out(), "workers 1\n"), 2u);
}

TEST_F(OnSlurm, nothing_is_left_when_pp_launch_is_killed) {
  Process shell(slurm_->command(
                    {"salloc", "--quiet", "-N2", PP_LAUNCH_PROGRAM, "--", SPREAD_PROGRAM, "hold"}),
                held());
  shell.wait_for_line("holding ");
  pid_t launch = 0;
  for (const pid_t pid : shell.family()) {
    std::ifstream name("/proc/" + std::to_string(pid) + "/comm");
    if (std::string word; name >> word && word == "pp-launch") launch = pid;
  }
  ASSERT_NE(launch, 0);
  ::kill(launch, SIGKILL);
  shell.wait();
  shell.wait_until_nothing_is_left(seconds{30});
}

}  // namespace
}  // namespace pp::test
