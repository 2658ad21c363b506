// Nodes that die: the answer stays exact, the others go on, and nobody outlives the driver.
#include <signal.h>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

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
  EXPECT_THAT(run.err(), HasSubstr("was killed by SIGKILL; the run goes on"));
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
  Process run(launch(3, {SPREAD_PROGRAM, "hold"}), held_open());
  run.wait_for_line("holding");
  run.wait_for_line("nodes are there");
  EXPECT_THAT(run.family(), SizeIs(4));
  run.signal(SIGKILL);
  run.wait_until_nothing_is_left(seconds{30});
}

}  // namespace
}  // namespace pp::test
