// Two hosts on one machine: two network namespaces joined by a veth pair, a node in each.
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;

// Made and removed by each test; names carry the process id, so that tests may run beside each
// other. Where namespaces may not be made the test is skipped.
class TwoHosts : public Cluster {
 protected:
  static constexpr char kDriverAddress[] = "10.231.7.1";
  static constexpr char kWorkerAddress[] = "10.231.7.2";

  TwoHosts() {
    const std::string id = std::to_string(::getpid());
    driver_host_ = "pp-test-" + id + "-a";
    worker_host_ = "pp-test-" + id + "-b";
    driver_end_ = "pa" + id;
    worker_end_ = "pb" + id;
  }

  void SetUp() override {
    if (!ip({"netns", "add", driver_host_}))
      GTEST_SKIP() << "no network namespace may be made here: " << why_;
    const bool joined = ip({"netns", "add", worker_host_}) &&
                        ip({"link", "add", driver_end_, "netns", driver_host_, "type", "veth",
                            "peer", "name", worker_end_, "netns", worker_host_}) &&
                        ip({"-n", driver_host_, "addr", "add", std::string(kDriverAddress) + "/24",
                            "dev", driver_end_}) &&
                        ip({"-n", worker_host_, "addr", "add", std::string(kWorkerAddress) + "/24",
                            "dev", worker_end_}) &&
                        ip({"-n", driver_host_, "link", "set", driver_end_, "up"}) &&
                        ip({"-n", worker_host_, "link", "set", worker_end_, "up"}) &&
                        ip({"-n", driver_host_, "link", "set", "lo", "up"}) &&
                        ip({"-n", worker_host_, "link", "set", "lo", "up"});
    if (!joined) GTEST_SKIP() << "no two network namespaces can be joined here: " << why_;
  }

  // Also after a failure. Removing a namespace removes the interfaces in it.
  void TearDown() override {
    ip({"netns", "del", driver_host_});
    ip({"netns", "del", worker_host_});
  }

  bool ip(std::vector<std::string> words) {
    words.insert(words.begin(), "ip");
    Process run(words);
    const bool done = run.wait() == 0;
    if (!done) why_ = run.err().empty() ? "there is no program ip (iproute2)" : run.err();
    return done;
  }

  static std::vector<std::string> on(const std::string& host, std::vector<std::string> program) {
    std::vector<std::string> words{"ip", "netns", "exec", host};
    words.insert(words.end(), program.begin(), program.end());
    return words;
  }

  std::string driver_host_, worker_host_, driver_end_, worker_end_, why_;
};

TEST_F(TwoHosts, a_worker_on_another_host_joins_a_running_driver_and_steals) {
  const std::string key = new_key("key");
  Process driver(on(driver_host_, {SPREAD_PROGRAM, "hold"}),
                 held_open({std::string("PP_LISTEN=") + kDriverAddress + ":0", "PP_KEY_FILE=" + key,
                            "PP_WORKERS=1"}));
  const std::string address = address_of(driver);
  EXPECT_THAT(address, HasSubstr(kDriverAddress));
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", "PP_PEERS=" + address, "PP_KEY_FILE=" + key,
                         "PP_WORKERS=1", std::string("PP_LISTEN=") + kWorkerAddress + ":0"};
  Process worker(on(worker_host_, {SPREAD_PROGRAM}), by_hand);
  ask_until(driver, "nodes", "nodes 2");
  driver.write_input("spread\n");
  driver.wait_for_line("jobs ran in 2 processes");
}

TEST_F(TwoHosts, an_interface_is_chosen_by_itself) {
  const std::string key = new_key("key");
  Process driver(on(driver_host_, {SPREAD_PROGRAM, "hold"}),
                 held_open({"PP_LISTEN=:0", "PP_KEY_FILE=" + key, "PP_WORKERS=1"}));
  const std::string address = address_of(driver);
  EXPECT_THAT(address, HasSubstr(kDriverAddress));
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", "PP_PEERS=" + address, "PP_KEY_FILE=" + key,
                         "PP_WORKERS=1", "PP_LISTEN=:0"};
  Process worker(on(worker_host_, {SPREAD_PROGRAM}), by_hand);
  ask_until(driver, "nodes", "nodes 2");
}

TEST_F(TwoHosts, a_launch_on_one_host_is_joined_from_another) {
  const std::string key = new_key("key");
  Process driver(
      on(driver_host_, launch(2, {SPREAD_PROGRAM, "hold"},
                              {"--key-file", key, "--listen", std::string(kDriverAddress) + ":0"})),
      held_open());
  const std::string address = address_of(driver);
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", "PP_PEERS=" + address, "PP_KEY_FILE=" + key,
                         "PP_WORKERS=1", std::string("PP_LISTEN=") + kWorkerAddress + ":0"};
  Process worker(on(worker_host_, {SPREAD_PROGRAM}), by_hand);
  ask_until(driver, "nodes", "nodes 3");
  driver.write_input("spread\n");
  driver.wait_for_line("jobs ran in 3 processes");
}

TEST_F(TwoHosts, a_driver_finishes_when_the_other_host_is_cut_off) {
  const std::string key = new_key("key");
  Process driver(on(driver_host_, {UTS_PROGRAM, "--tree", "T3", "-g", "60"}), [&] {
    Process::Setting setting;
    setting.environment = {std::string("PP_LISTEN=") + kDriverAddress + ":7654",
                           "PP_KEY_FILE=" + key, "PP_WORKERS=1", "PP_NODES=2"};
    return setting;
  }());
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", std::string("PP_PEERS=") + kDriverAddress + ":7654",
                         "PP_KEY_FILE=" + key, "PP_WORKERS=1",
                         std::string("PP_LISTEN=") + kWorkerAddress + ":0"};
  Process worker(on(worker_host_, {UTS_PROGRAM, "--tree", "T3", "-g", "60"}), by_hand);
  driver.wait_until([&] { return cpu_seconds(worker.pid()) > 0.3; }, "the worker to be at work");
  ASSERT_TRUE(ip({"-n", worker_host_, "link", "set", worker_end_, "down"})) << why_;
  EXPECT_EQ(driver.wait(seconds{180}), 0) << driver.err();
  EXPECT_THAT(driver.out(), HasSubstr("4112897 nodes"));
}

}  // namespace
}  // namespace pp::test
