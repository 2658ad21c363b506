// Work goes both ways: what the driver submits runs on every node, and what a worker spawns comes
// back to the driver and to other workers. Workers by hand take part as well.
#include <csignal>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Spread : public Cluster {};

TEST_F(Spread, jobs_of_the_driver_run_on_every_node) {
  Process run(launch(4, {SPREAD_PROGRAM, "submitted", "4"}));
  EXPECT_EQ(run.wait(), 0) << run.out() << run.err();
  EXPECT_THAT(run.out(), HasSubstr("jobs ran in 4 processes"));
  EXPECT_THAT(run.family(), IsEmpty());
}

TEST_F(Spread, children_of_a_job_on_a_worker_run_on_the_driver_and_on_another_worker) {
  Process run(launch(3, {SPREAD_PROGRAM, "spawned"}));
  EXPECT_EQ(run.wait(), 0) << run.out() << run.err();
  EXPECT_THAT(run.out(), HasSubstr("ran on the driver"));
}

TEST_F(Spread, a_worker_started_by_hand_joins_a_running_launch_and_steals) {
  const std::string key = new_key("key");
  Process driver(launch(2, {SPREAD_PROGRAM, "hold"}, {"--key-file", key}), held_open());
  const std::string address = address_of(driver);
  Process::Setting by_hand;
  by_hand.environment = worker_environment(address, key);
  Process worker({SPREAD_PROGRAM}, by_hand);
  ask_until(driver, "nodes", "nodes 3");
  driver.write_input("spread\n");
  driver.wait_for_line("jobs ran in 3 processes");
  driver.wait_for_line("other " + std::to_string(worker.pid()) + " ran ");
}

TEST_F(Spread, a_driver_and_a_worker_by_hand_need_no_launcher) {
  const std::string key = new_key("key");
  Process driver({SPREAD_PROGRAM, "hold"},
                 held_open({"PP_LISTEN=127.0.0.1:0", "PP_KEY_FILE=" + key, "PP_WORKERS=1"}));
  Process::Setting by_hand;
  by_hand.environment = worker_environment(address_of(driver), key);
  Process worker({SPREAD_PROGRAM}, by_hand);
  ask_until(driver, "nodes", "nodes 2");
  driver.write_input("spread\n");
  driver.wait_for_line("jobs ran in 2 processes");
}

}  // namespace
}  // namespace pp::test
