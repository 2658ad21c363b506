// Options: each PP_* variable, understood or refused with its name, its value and what was
// expected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <pp/error.hpp>
#include <pp/options.hpp>
#include <string>

namespace pp {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// An environment without PP_* variables, put back as it was afterwards.
class OptionsFromEnvironment : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      unsetenv(name);
    }
  }
  void TearDown() override {
    for (const char* name : kNames) unsetenv(name);
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }

  static Options with(const char* name, const std::string& value) {
    setenv(name, value.c_str(), 1);
    const Options options = Options::from_environment();
    unsetenv(name);
    return options;
  }
  // The sentence with which it is refused; empty if it is not.
  static std::string refusal(const char* name, const std::string& value) {
    setenv(name, value.c_str(), 1);
    std::string sentence;
    try {
      Options::from_environment();
    } catch (const Error& error) {
      sentence = error.what();
    }
    unsetenv(name);
    return sentence;
  }
  static void expect_refused(const char* name, std::initializer_list<const char*> values,
                             const std::string& expected) {
    for (const char* value : values) {
      EXPECT_THAT(refusal(name, value),
                  AllOf(HasSubstr(name), HasSubstr(value), HasSubstr(expected)))
          << name << "=" << value;
    }
  }

 private:
  static constexpr const char* kNames[] = {
      "PP_WORKERS",    "PP_ROLE",         "PP_LISTEN",      "PP_PEERS",        "PP_KEY_FILE",
      "PP_IFACE",      "PP_FABRIC",       "PP_NAME",        "PP_LAUNCH",       "PP_NODES",
      "PP_RETRIES",    "PP_JOIN_TIMEOUT", "PP_REPORT_FD",   "PP_QUEUE_LIMIT",  "PP_SEED",
      "PP_DISCOVER",   "PP_HOSTS_FILE",   "PP_DNS",         "PP_FOLDER",       "PP_SUSPECT",
      "PP_DEAD",       "PP_DRAIN",        "PP_JOBLOG",      "PP_RESUME",       "PP_SHM",
      "PP_CACHE",      "PP_SLURM",        "PP_SLURM_PORTS", "PP_SLURM_FOLDER", "PP_HTTP",
      "PP_HTTP_TOKEN", "PP_TRACE",        "PP_PROGRESS"};
  std::map<std::string, std::string> before_;
};

TEST_F(OptionsFromEnvironment, nothing_set_is_a_driver_of_its_own) {
  const Options options = Options::from_environment();
  EXPECT_EQ(options.workers, std::nullopt);
  EXPECT_EQ(options.role, Role::kDriver);
  EXPECT_EQ(options.nodes, 1u);
  EXPECT_EQ(options.retries, 3u);
  EXPECT_EQ(options.join_timeout, std::chrono::seconds(30));
  EXPECT_EQ(options.report_fd, -1);
  EXPECT_THAT(options.peers, IsEmpty());
  EXPECT_FALSE(options.opens_network());
}

TEST_F(OptionsFromEnvironment, an_empty_variable_is_as_good_as_none) {
  for (const char* name : {"PP_WORKERS", "PP_ROLE", "PP_LISTEN", "PP_PEERS", "PP_NODES",
                           "PP_RETRIES", "PP_JOIN_TIMEOUT", "PP_REPORT_FD", "PP_NAME"}) {
    EXPECT_EQ(refusal(name, ""), "") << name;
  }
  EXPECT_EQ(with("PP_FABRIC", "").fabric, Options{}.fabric);
}

TEST_F(OptionsFromEnvironment, workers) {
  EXPECT_EQ(with("PP_WORKERS", "7").workers, 7u);
  EXPECT_EQ(with("PP_WORKERS", "0").workers, 0u) << "a node that only hands out work";
  EXPECT_EQ(with("PP_WORKERS", "").workers, std::nullopt) << "as many as may be used";
  EXPECT_EQ(with("PP_WORKERS", "1024").workers, 1024u);
  expect_refused(
      "PP_WORKERS",
      {"-1", "1025", "two", "2x", " 2", "2 ", "2.5", "+2", "0x2", "99999999999999999999"},
      "a number of workers from 0 to 1024");
}

TEST_F(OptionsFromEnvironment, role) {
  EXPECT_EQ(with("PP_ROLE", "driver").role, Role::kDriver);
  setenv("PP_PEERS", "node1:7001", 1);
  EXPECT_EQ(with("PP_ROLE", "worker").role, Role::kWorker);
  expect_refused("PP_ROLE", {"Worker", "boss", "driver "}, "driver or worker");
}

TEST_F(OptionsFromEnvironment, a_worker_needs_somebody_to_work_for) {
  EXPECT_THAT(refusal("PP_ROLE", "worker"), AllOf(HasSubstr("PP_KEY_FILE"), HasSubstr("PP_PEERS")));
  setenv("PP_LISTEN", "127.0.0.1:0", 1);
  EXPECT_EQ(refusal("PP_ROLE", "worker"), "");
}

TEST_F(OptionsFromEnvironment, a_worker_needs_nothing_but_the_key) {
  setenv("PP_KEY_FILE", "/a", 1);
  EXPECT_EQ(refusal("PP_ROLE", "worker"), "");
  setenv("PP_DISCOVER", "off", 1);
  EXPECT_THAT(refusal("PP_ROLE", "worker"), HasSubstr("PP_PEERS"));
}

TEST_F(OptionsFromEnvironment, listen) {
  for (const char* place : {"127.0.0.1:0", "node1:7000", "[::1]:7000", ":7000", ":0"}) {
    const Options options = with("PP_LISTEN", place);
    EXPECT_EQ(options.listen, place);
    EXPECT_TRUE(options.opens_network());
  }
  expect_refused("PP_LISTEN", {"node1", "node1:port", "node1:70000", "::1:7000", "a b:1"},
                 "host:port or :port");
  expect_refused("PP_LISTEN", {":", ":port", ":70000", ":-1"}, "host:port or :port");
}

TEST_F(OptionsFromEnvironment, peers) {
  EXPECT_THAT(with("PP_PEERS", "node1:7001,[::1]:7002").peers,
              ElementsAre(Address{"node1", 7001}, Address{"::1", 7002}));
  EXPECT_TRUE(with("PP_PEERS", "node1:7001").opens_network());
  expect_refused("PP_PEERS", {"node1", "node1:7001,", ",node1:7001", "node1:7001 node2:7001", ","},
                 "host:port,host:port");
}

TEST_F(OptionsFromEnvironment, plain_texts) {
  EXPECT_EQ(with("PP_KEY_FILE", "/a b/c").key_file, "/a b/c");
  EXPECT_EQ(with("PP_IFACE", "eth0").interface, "eth0");
  EXPECT_EQ(with("PP_FABRIC", "off").fabric, "off");
  EXPECT_EQ(with("PP_LAUNCH", "x-1").launch, "x-1");
}

TEST_F(OptionsFromEnvironment, shared_memory) {
  EXPECT_TRUE(Options::from_environment().shared_memory);
  EXPECT_TRUE(with("PP_SHM", "on").shared_memory);
  EXPECT_FALSE(with("PP_SHM", "off").shared_memory);
  expect_refused("PP_SHM", {"Off", "0", "no", "off "}, "on or off");
}

TEST_F(OptionsFromEnvironment, a_key_opens_the_network_unless_nobody_is_to_be_found) {
  EXPECT_TRUE(with("PP_KEY_FILE", "/a").opens_network());
  setenv("PP_KEY_FILE", "/a", 1);
  EXPECT_FALSE(with("PP_DISCOVER", "off").opens_network());
}

TEST_F(OptionsFromEnvironment, ways_to_find_others) {
  EXPECT_EQ(with("PP_HOSTS_FILE", "/etc/cluster").hosts_file, "/etc/cluster");
  EXPECT_EQ(with("PP_FOLDER", "/shared/pp").folder, "/shared/pp");
  EXPECT_EQ(with("PP_DNS", "workers.example:7400").dns, (Address{"workers.example", 7400}));
  for (const char* name : {"PP_HOSTS_FILE", "PP_FOLDER"})
    EXPECT_TRUE(with(name, "x").opens_network()) << name;
  EXPECT_TRUE(with("PP_DNS", "x:1").opens_network());
  expect_refused("PP_DNS", {"workers", "workers:port", ":1"}, "name:port");
}

TEST_F(OptionsFromEnvironment, discover) {
  EXPECT_EQ(Options{}.discover, "on");
  for (const char* text : {"on", "off", "port=7708", "group=239.1.2.3,interfaces=eth0+eth1,ttl=2"})
    EXPECT_EQ(with("PP_DISCOVER", text).discover, text);
  expect_refused("PP_DISCOVER", {"yes", "group=10.0.0.1", "port=0", "ttl=300"},
                 "on, off, or settings");
}

TEST_F(OptionsFromEnvironment, limits_of_silence) {
  EXPECT_EQ(with("PP_SUSPECT", "500").suspect, std::chrono::milliseconds(500));
  EXPECT_EQ(with("PP_DEAD", "5000").dead, std::chrono::milliseconds(5000));
  EXPECT_EQ(with("PP_DRAIN", "0").drain, std::chrono::milliseconds(0));
  expect_refused("PP_SUSPECT", {"49", "1s", "-1"}, "milliseconds from 50 to 3600000");
  expect_refused("PP_DEAD", {"1999"}, "at least twice PP_SUSPECT (1000)");
  expect_refused("PP_DRAIN", {"-1", "x"}, "milliseconds from 0 to 86400000");
}

TEST_F(OptionsFromEnvironment, name) {
  EXPECT_EQ(with("PP_NAME", std::string(64, 'n')).name, std::string(64, 'n'));
  const std::string too_long(65, 'n');
  expect_refused("PP_NAME", {too_long.c_str()}, "at most 64 bytes");
}

TEST_F(OptionsFromEnvironment, nodes) {
  EXPECT_EQ(with("PP_NODES", "12").nodes, 12u);
  expect_refused("PP_NODES", {"0", "-3", "100001", "all"}, "a number of nodes from 1 to 100000");
}

TEST_F(OptionsFromEnvironment, retries) {
  EXPECT_EQ(with("PP_RETRIES", "0").retries, 0u);
  EXPECT_EQ(with("PP_RETRIES", "9").retries, 9u);
  expect_refused("PP_RETRIES", {"-1", "1001", "often"}, "a number of retries from 0 to 1000");
}

TEST_F(OptionsFromEnvironment, cache) {
  EXPECT_FALSE(Options{}.cache_bytes);
  EXPECT_EQ(with("PP_CACHE", "0").cache_bytes, std::size_t{0});
  EXPECT_EQ(with("PP_CACHE", "16").cache_bytes, std::size_t{16} << 20);
  expect_refused("PP_CACHE", {"-1", "1G", "much"}, "MiB from 0 to 1099511627776");
}

TEST_F(OptionsFromEnvironment, queue_limit) {
  EXPECT_EQ(Options{}.queue_limit, 1'000'000u);
  EXPECT_EQ(with("PP_QUEUE_LIMIT", "1").queue_limit, 1u);
  EXPECT_EQ(with("PP_QUEUE_LIMIT", "1000000000").queue_limit, 1'000'000'000u);
  expect_refused("PP_QUEUE_LIMIT", {"0", "1000000001", "-1", "1e6"},
                 "a number of jobs from 1 to 1000000000");
}

TEST_F(OptionsFromEnvironment, seed) {
  EXPECT_EQ(with("PP_SEED", "18446744073709551615").seed, UINT64_MAX);
  expect_refused("PP_SEED", {"-1", "18446744073709551616", "x"}, "a number");
}

TEST_F(OptionsFromEnvironment, job_log) {
  EXPECT_EQ(Options::from_environment().joblog, "");
  EXPECT_EQ(with("PP_PROGRESS", "5").progress, "5");
  expect_refused("PP_PROGRESS", {"yes", "0"}, "seconds from 1 to 86400");
  EXPECT_EQ(with("PP_TRACE", "a.json").trace, "a.json");
  EXPECT_EQ(with("PP_JOBLOG", "a.log").joblog, "a.log");
  EXPECT_FALSE(with("PP_JOBLOG", "a.log").resume);
  expect_refused("PP_RESUME", {"on"}, "PP_JOBLOG=file");
  setenv("PP_JOBLOG", "a.log", 1);
  EXPECT_TRUE(with("PP_RESUME", "on").resume);
  EXPECT_FALSE(with("PP_RESUME", "off").resume);
  expect_refused("PP_RESUME", {"1", "yes", "On"}, "on or off");
}

TEST_F(OptionsFromEnvironment, slurm_is_looked_at_unless_it_is_off) {
  EXPECT_TRUE(Options::from_environment().slurm);
  EXPECT_TRUE(with("PP_SLURM", "on").slurm);
  EXPECT_FALSE(with("PP_SLURM", "off").slurm);
  expect_refused("PP_SLURM", {"1", "no", "OFF"}, "on or off");
  EXPECT_EQ(with("PP_SLURM_PORTS", "7400-7499").slurm_ports, "7400-7499");
  expect_refused("PP_SLURM_PORTS", {"x", "0", "7499-7400"}, "a port (7400) or a range");
  EXPECT_EQ(with("PP_SLURM_FOLDER", "/scratch").slurm_folder, "/scratch");
}

TEST_F(OptionsFromEnvironment, join_timeout) {
  EXPECT_EQ(with("PP_JOIN_TIMEOUT", "5").join_timeout, std::chrono::seconds(5));
  expect_refused("PP_JOIN_TIMEOUT", {"0", "-5", "5s", "1.5", "86401"}, "seconds from 1 to 86400");
}

TEST_F(OptionsFromEnvironment, report_descriptor) {
  EXPECT_EQ(with("PP_REPORT_FD", "5").report_fd, 5);
  EXPECT_EQ(with("PP_REPORT_FD", "0").report_fd, 0);
  expect_refused("PP_REPORT_FD", {"-1", "stdout", "1048577"}, "a file descriptor");
}

}  // namespace
}  // namespace pp
