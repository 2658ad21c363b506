// Two hosts that were told each other's address: a node on each.
#include <optional>

#include "on_hosts.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;

class TwoHosts : public OnHosts {
 protected:
  void SetUp() override {
    OnHosts::SetUp();
    if (!IsSkipped()) hosts_.emplace(2);
  }

  std::vector<std::string> on_driver_host(const std::vector<std::string>& program) const {
    return hosts_->on(0, program);
  }
  std::vector<std::string> on_worker_host(const std::vector<std::string>& program) const {
    return hosts_->on(1, program);
  }
  std::string at_driver(const std::string& port) const { return hosts_->address(0) + ":" + port; }
  std::string at_worker(const std::string& port) const { return hosts_->address(1) + ":" + port; }

  std::optional<Hosts> hosts_;
};

TEST_F(TwoHosts, a_worker_on_another_host_joins_a_running_driver_and_steals) {
  const std::string key = new_key("key");
  Process driver(on_driver_host({SPREAD_PROGRAM, "hold"}),
                 held_open({"PP_LISTEN=" + at_driver("0"), "PP_KEY_FILE=" + key, "PP_WORKERS=1"}));
  const std::string address = address_of(driver);
  EXPECT_THAT(address, HasSubstr(hosts_->address(0)));
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", "PP_PEERS=" + address, "PP_KEY_FILE=" + key,
                         "PP_WORKERS=1", "PP_LISTEN=" + at_worker("0")};
  Process worker(on_worker_host({SPREAD_PROGRAM}), by_hand);
  ask_until(driver, "nodes", "nodes 2");
  driver.write_input("spread\n");
  driver.wait_for_line("jobs ran in 2 processes");
}

TEST_F(TwoHosts, an_interface_is_chosen_by_itself) {
  const std::string key = new_key("key");
  Process driver(on_driver_host({SPREAD_PROGRAM, "hold"}),
                 held_open({"PP_LISTEN=:0", "PP_KEY_FILE=" + key, "PP_WORKERS=1"}));
  const std::string address = address_of(driver);
  EXPECT_THAT(address, HasSubstr(hosts_->address(0)));
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", "PP_PEERS=" + address, "PP_KEY_FILE=" + key,
                         "PP_WORKERS=1", "PP_LISTEN=:0"};
  Process worker(on_worker_host({SPREAD_PROGRAM}), by_hand);
  ask_until(driver, "nodes", "nodes 2");
}

TEST_F(TwoHosts, a_launch_on_one_host_is_joined_from_another) {
  const std::string key = new_key("key");
  Process driver(on_driver_host(launch(2, {SPREAD_PROGRAM, "hold"},
                                       {"--key-file", key, "--listen", at_driver("0")})),
                 held_open());
  const std::string address = address_of(driver);
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", "PP_PEERS=" + address, "PP_KEY_FILE=" + key,
                         "PP_WORKERS=1", "PP_LISTEN=" + at_worker("0")};
  Process worker(on_worker_host({SPREAD_PROGRAM}), by_hand);
  ask_until(driver, "nodes", "nodes 3");
  driver.write_input("spread\n");
  driver.wait_for_line("jobs ran in 3 processes");
}

TEST_F(TwoHosts, a_driver_finishes_when_the_other_host_is_cut_off) {
  const std::string key = new_key("key");
  Process driver(on_driver_host({UTS_PROGRAM, "--tree", "T3", "-g", "60"}), [&] {
    Process::Setting setting;
    setting.environment = {"PP_LISTEN=" + at_driver("7654"), "PP_KEY_FILE=" + key, "PP_WORKERS=1",
                           "PP_NODES=2"};
    return setting;
  }());
  Process::Setting by_hand;
  by_hand.environment = {"PP_ROLE=worker", "PP_PEERS=" + at_driver("7654"), "PP_KEY_FILE=" + key,
                         "PP_WORKERS=1", "PP_LISTEN=" + at_worker("0")};
  Process worker(on_worker_host({UTS_PROGRAM, "--tree", "T3", "-g", "60"}), by_hand);
  driver.wait_until([&] { return cpu_seconds(worker.pid()) > 0.3; }, "the worker to be at work");
  hosts_->link_down(1);
  EXPECT_EQ(driver.wait(seconds{180}), 0) << driver.err();
  EXPECT_THAT(driver.out(), HasSubstr("4112897 nodes"));
}

}  // namespace
}  // namespace pp::test
