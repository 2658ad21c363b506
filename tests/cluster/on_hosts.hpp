// OnHosts: nodes of a cluster, each on a host of its own.
#pragma once

#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cluster.hpp"
#include "hosts.hpp"

namespace pp::test {

// A test makes its hosts itself, before the programs that run on them. Where hosts may not be made
// the test is skipped.
class OnHosts : public Cluster {
 protected:
  void SetUp() override {
    if (const std::string why = Hosts::why_not(); !why.empty()) GTEST_SKIP() << why;
  }

  using Environment = std::vector<std::string>;
  using Nodes = std::vector<std::unique_ptr<Process>>;

  static Environment together(Environment one, const Environment& more) {
    one.insert(one.end(), more.begin(), more.end());
    return one;
  }

  // A node needs nothing but a key to find the others; `more` says how if it must be otherwise.
  static Environment driver_with(const std::string& key, const Environment& more = {}) {
    return together({"PP_KEY_FILE=" + key, "PP_WORKERS=1", "PP_JOIN_TIMEOUT=120"}, more);
  }
  static Environment worker_with(const std::string& key, const Environment& more = {}) {
    return together({"PP_KEY_FILE=" + key, "PP_WORKERS=1", "PP_ROLE=worker"}, more);
  }

  static std::unique_ptr<Process> start(std::vector<std::string> command, Environment environment) {
    Process::Setting setting;
    setting.environment = std::move(environment);
    return std::make_unique<Process>(std::move(command), setting);
  }
  // A driver that answers what it is asked.
  static std::unique_ptr<Process> start_held(const Hosts& hosts, int host,
                                             Environment environment) {
    auto driver = std::make_unique<Process>(hosts.on(host, {SPREAD_PROGRAM, "hold"}),
                                            held_open(std::move(environment)));
    driver->wait_for_line("holding ");
    return driver;
  }

  // Names of the nodes that a held driver knows, its own included.
  static std::set<std::string> members(Process& driver) {
    const std::size_t before = lines_with(driver.out(), "member ").size();
    const std::size_t many = std::stoul(ask(driver, "who").substr(4));
    std::vector<std::string> lines = lines_with(driver.out(), "member ");
    EXPECT_EQ(lines.size(), before + many);
    std::set<std::string> names;
    for (std::size_t i = before; i < lines.size(); ++i) {
      const std::size_t begin = lines[i].find(' ') + 1;
      names.insert(lines[i].substr(begin, lines[i].rfind(' ') - begin));
    }
    return names;
  }

  // Jobs of a held driver reach that process.
  static void expect_work_on(Process& driver, const Process& node) {
    const std::size_t before = driver.out().size();
    driver.write_input("spread\n");
    const std::string ran = "other " + std::to_string(node.pid()) + " ran ";
    driver.wait_until([&] { return driver.out().find(ran, before) != std::string::npos; }, ran);
  }

  // Whoever wants to see the same again sets PP_TEST_SEED to what was printed.
  static std::mt19937 seeded() {
    const char* given = std::getenv("PP_TEST_SEED");
    const auto seed = static_cast<std::mt19937::result_type>(
        given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device{}());
    std::cout << "PP_TEST_SEED=" << seed << std::endl;
    return std::mt19937(seed);
  }
};

}  // namespace pp::test
