// Nodes that die: the answer stays exact, the others go on, and nobody outlives the driver.
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class Failure : public Cluster {};

TEST_F(Failure, a_worker_killed_in_the_middle_of_a_search_changes_no_count) {
  Process run(launch(4, {UTS_PROGRAM, "--tree", "T1", "-g", "20"}));
  run.wait_for_line("nodes are there");
  const std::vector<pid_t> workers = run.family_with("PP_ROLE=worker");
  ASSERT_THAT(workers, SizeIs(3));
  const pid_t victim = workers[1];
  run.wait_until([&] { return cpu_seconds(victim) > 0.3; }, "the worker to be at work");
  ASSERT_TRUE(run.running()) << "the search was too short to be disturbed";
  ::kill(victim, SIGKILL);
  EXPECT_EQ(run.wait(seconds{180}), 0) << run.err();
  EXPECT_THAT(run.out(), HasSubstr("4130071 nodes, depth 10, 3305118 leaves"));
  EXPECT_THAT(run.err(), HasSubstr("was killed by SIGKILL (9: killed) after "));
  EXPECT_THAT(run.err(), HasSubstr("; the run goes on"));
  EXPECT_THAT(run.family(), IsEmpty());
}

TEST_F(Failure, the_last_worker_killed_leaves_the_driver_to_finish_alone) {
  Process run(launch(2, {UTS_PROGRAM, "--tree", "T3", "-g", "10"}));
  run.wait_for_line("nodes are there");
  const std::vector<pid_t> workers = run.family_with("PP_ROLE=worker");
  ASSERT_THAT(workers, SizeIs(1));
  run.wait_until([&] { return cpu_seconds(workers[0]) > 0.3; }, "the worker to be at work");
  ::kill(workers[0], SIGKILL);
  EXPECT_EQ(run.wait(seconds{180}), 0) << run.err();
  EXPECT_THAT(run.out(), HasSubstr("4112897 nodes"));
}

TEST_F(Failure, a_worker_that_dies_is_told_of_with_the_job_that_it_was_running) {
  Process run(launch(2, {SPREAD_PROGRAM, "hold"}), held_open());
  run.wait_for_line("holding");
  run.wait_for_line("nodes are there");
  const std::vector<pid_t> workers = run.family_with("PP_ROLE=worker");
  ASSERT_THAT(workers, SizeIs(1));
  EXPECT_EQ(ask(run, "crash 11"), "crash was lost");
  const std::string pid = std::to_string(workers[0]);
  const std::string line = run.wait_for_line("was running");
  EXPECT_THAT(line, StartsWith("pp-launch: node 1 (pid " + pid + ") was killed by SIGSEGV (11: "));
  EXPECT_THAT(line, ContainsRegex(":" + pid +
                                  " was running [^ ]*end_by of [^ ]* ?[^ ]* "
                                  "\\(attempt 1, for [0-9.]+ [mu]?s\\); the run goes on"));
  run.close_input();
  EXPECT_EQ(run.wait(), 0) << run.err();
}

TEST_F(Failure, a_worker_that_dies_is_replaced_and_its_replacement_works) {
  Process run(launch(3, {SPREAD_PROGRAM, "hold"}, {"--respawn"}), held_open());
  run.wait_for_line("holding");
  run.wait_for_line("nodes are there");
  const std::vector<pid_t> workers = run.family_with("PP_ROLE=worker");
  ASSERT_THAT(workers, SizeIs(2));
  for (const pid_t worker : workers) ::kill(worker, SIGKILL);
  run.wait_until([&] { return count(run.err(), "is started again (pid ") == 2; },
                 "the replacements");
  ask_until(run, "nodes", "nodes 3");
  run.write_input("spread\n");
  run.wait_for_line("jobs ran in 3 processes", seconds{120});
  run.close_input();
  EXPECT_EQ(run.wait(), 0) << run.err();
  EXPECT_THAT(run.err(), Not(HasSubstr("did not end"))) << "a replacement had to be killed";
  EXPECT_THAT(run.family(), IsEmpty());
}

// Files of these processes in the places where such things lie: those whose name has a process id.
std::vector<std::string> left_by(const std::vector<pid_t>& family, const std::string& folder) {
  std::vector<std::string> left;
  for (const std::filesystem::path& place : {std::filesystem::path("/dev/shm"), {folder}}) {
    for (const auto& entry : std::filesystem::directory_iterator(place)) {
      const std::string name = entry.path().filename();
      const bool theirs = std::any_of(family.begin(), family.end(), [&](pid_t pid) {
        return name.find(std::to_string(pid)) != std::string::npos;
      });
      if (theirs || place == folder) left.push_back(entry.path());
    }
  }
  return left;
}

// The driver may be anything: computing, waiting, or stopped with its workers.
TEST_F(Failure, nothing_is_left_of_a_driver_that_was_killed) {
  for (const bool stopped : {false, true}) {
    Process::Setting setting =
        held_open({"XDG_RUNTIME_DIR=" + folder_.path(), "TMPDIR=" + folder_.path()});
    Process run(launch(3, {SPREAD_PROGRAM, "hold"}, {"--respawn"}), setting);
    run.wait_for_line("holding");
    run.wait_for_line("nodes are there");
    const std::vector<pid_t> family = run.family();
    const std::vector<pid_t> driver = run.family_with("PP_ROLE=driver");
    ASSERT_THAT(family, SizeIs(4));
    ASSERT_THAT(driver, SizeIs(1));
    if (stopped) {
      for (const pid_t worker : run.family_with("PP_ROLE=worker")) ::kill(worker, SIGSTOP);
    }
    ::kill(driver[0], SIGKILL);
    EXPECT_EQ(run.wait(), 128 + SIGKILL);
    EXPECT_THAT(run.err(), HasSubstr("node 0 (driver, pid " + std::to_string(driver[0]) +
                                     ") was killed by SIGKILL (9: killed) after "));
    EXPECT_THAT(run.err(), Not(HasSubstr("is started again")));
    EXPECT_THAT(run.family(), IsEmpty());
    EXPECT_THAT(left_by(family, folder_.path()), IsEmpty());
  }
}

TEST_F(Failure, nobody_outlives_a_killed_driver) {
  Process run(launch(4, {UTS_PROGRAM, "--tree", "T1", "-g", "200"}));
  run.wait_for_line("nodes are there");
  std::vector<pid_t> driver;
  for (const pid_t pid : run.family_with("PP_ROLE=driver")) driver.push_back(pid);
  ASSERT_THAT(driver, SizeIs(1));
  run.wait_until([&] { return cpu_seconds(driver[0]) > 0.1; }, "the search to begin");
  ::kill(driver[0], SIGKILL);
  EXPECT_EQ(run.wait(), 128 + SIGKILL);
  EXPECT_THAT(run.family(), IsEmpty());
}

TEST_F(Failure, a_worker_of_a_launch_leaves_by_itself_when_its_driver_is_gone) {
  const std::string key = new_key("key");
  Process driver({SPREAD_PROGRAM, "hold"}, held_open({"PP_LISTEN=127.0.0.1:0", "PP_KEY_FILE=" + key,
                                                      "PP_WORKERS=1", "PP_LAUNCH=cafe"}));
  Process::Setting by_hand;
  by_hand.environment = worker_environment(address_of(driver), key);
  by_hand.environment.push_back("PP_LAUNCH=cafe");
  Process worker({SPREAD_PROGRAM}, by_hand);
  ask_until(driver, "nodes", "nodes 2");
  driver.signal(SIGKILL);
  EXPECT_EQ(worker.wait(seconds{30}), 0) << worker.err();
}

// Would catch: a node that joins before it knows what to do with a SIGTERM, and dies of it.
TEST_F(Failure, a_worker_may_be_told_to_leave_as_soon_as_it_listens) {
  const std::string key = new_key("key");
  for (int i = 0; i < 20; ++i) {
    Process::Setting setting;
    setting.environment = {"PP_ROLE=worker", "PP_LISTEN=127.0.0.1:0", "PP_KEY_FILE=" + key,
                           "PP_FABRIC=off",  "PP_DISCOVER=off",       "PP_REPORT_FD=1"};
    Process worker({SPREAD_PROGRAM}, setting);
    worker.wait_for_line("listening");
    worker.signal(SIGTERM);
    ASSERT_EQ(worker.wait(), 0) << worker.err();
  }
}

TEST_F(Failure, workers_leave_in_order_when_the_driver_says_goodbye) {
  Process run(launch(3, {SPREAD_PROGRAM, "hold"}), [] {
    Process::Setting ended;  // no input: it holds nothing and ends
    return ended;
  }());
  EXPECT_EQ(run.wait(), 0) << run.err();
  EXPECT_THAT(run.out(), HasSubstr("sum 55"));
  EXPECT_THAT(run.err(), Not(HasSubstr("did not end"))) << "a worker had to be killed";
  EXPECT_THAT(run.err(), Not(HasSubstr("ended with code"))) << "a worker failed";
}

TEST_F(Failure, the_programs_exit_code_and_signals_are_those_of_the_launch) {
  Process wrong_use(launch(2, {NQUEENS_PROGRAM, "99"}));
  EXPECT_EQ(wrong_use.wait(), 2) << wrong_use.err();

  for (const int signal : {SIGINT, SIGTERM}) {
    Process run(launch(3, {SPREAD_PROGRAM, "hold"}), held_open());
    run.wait_for_line("holding");
    run.wait_for_line("nodes are there");
    run.signal(signal);
    EXPECT_EQ(run.wait(), 128 + signal);
    EXPECT_THAT(run.family(), IsEmpty());
  }
}

TEST_F(Failure, a_killed_launch_takes_its_nodes_with_it) {
  Process run(launch(3, {SPREAD_PROGRAM, "hold"}),
              held_open({"XDG_RUNTIME_DIR=" + folder_.path(), "TMPDIR=" + folder_.path()}));
  run.wait_for_line("holding");
  run.wait_for_line("nodes are there");
  const std::vector<pid_t> family = run.family();
  EXPECT_THAT(family, SizeIs(4));
  run.signal(SIGKILL);
  run.wait_until_nothing_is_left(seconds{30});
  EXPECT_THAT(left_by(family, folder_.path()), IsEmpty());
}

}  // namespace
}  // namespace pp::test
