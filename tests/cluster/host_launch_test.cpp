// pp-launch over ssh: a driver on one host, nodes on others, and everything that can be in the way.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "cluster.hpp"
#include "ssh_hosts.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int kHosts = 3;

std::string contents(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The hosts are made once: what a test leaves on them is a failure of that test.
class PpLaunchByHosts : public Cluster {
 protected:
  static void SetUpTestSuite() {
    why_not_ = SshHosts::why_not();
    if (!why_not_.empty()) return;
    files_.emplace();
    hosts_.emplace(kHosts, *files_);
  }
  static void TearDownTestSuite() {
    hosts_.reset();
    files_.reset();
  }
  void SetUp() override {
    if (!why_not_.empty()) GTEST_SKIP() << why_not_;
  }
  void TearDown() override {
    if (!why_not_.empty()) return;
    Process patience({"true"});
    for (int host = 0; host <= kHosts; ++host) {
      patience.wait_until(
          [host] { return hosts_->running_on(host).empty(); },
          "the end of all that the launch had started on host " + std::to_string(host));
    }
    for (const char* folder : {"/tmp", "/dev/shm"}) {
      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::filesystem::path file = entry.path();
        if (!file.filename().string().starts_with("pp-key.")) continue;
        // It may be another test's, which runs at the same time and has it for a moment.
        patience.wait_until([&file] { return !std::filesystem::exists(file); },
                            "the end of the key file " + file.string());
      }
    }
  }

  static std::vector<std::string> launch(const std::string& hosts,
                                         const std::vector<std::string>& options,
                                         const std::vector<std::string>& program) {
    std::vector<std::string> words{PP_LAUNCH_PROGRAM, "--ssh", hosts_->ssh(), "--workers", "1"};
    if (!hosts.empty()) words.insert(words.end(), {"-H", hosts});
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), program.begin(), program.end());
    return hosts_->hosts().on(0, words);
  }
  Process::Setting setting(bool held = false) const {
    Process::Setting setting;
    setting.environment = {"XDG_RUNTIME_DIR=" + folder_.path()};
    setting.input_stays_open = held;
    return setting;
  }
  ShellCode run(const std::string& hosts, const std::vector<std::string>& options,
                const std::vector<std::string>& program,
                const std::vector<std::string>& environment = {}) {
    Process::Setting setting = this->setting();
    setting.environment.insert(setting.environment.end(), environment.begin(), environment.end());
    Process launch(this->launch(hosts, options, program), setting);
    const ShellCode code = launch.wait();
    out_ = launch.out();
    err_ = launch.err();
    for (const auto& file : std::filesystem::directory_iterator(folder_.path()))
      EXPECT_THAT(file.path().filename().string(), Not(testing::StartsWith("pp-launch-")));
    return code;
  }
  // The node of that host, as the join table has it.
  static pid_t node_on(Process& launch, const std::string& host) {
    const std::string cell = "  " + host + "  ";
    const std::string row = launch.wait_for_line(cell);
    return static_cast<pid_t>(std::stol(row.substr(row.find(cell) + cell.size())));
  }

  static inline std::string why_not_;
  static inline std::optional<Folder> files_;
  static inline std::optional<SshHosts> hosts_;
  std::string out_, err_;
};

TEST_F(PpLaunchByHosts, runs_a_program_on_three_of_them) {
  EXPECT_EQ(run("h1,h2:2,root@h3", {}, {SUM_PRIMES_PROGRAM}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("Sum of primes below 100000 is 454396537"));
  EXPECT_THAT(out_, HasSubstr("Sum of primes below 100700 is 460217613"));
  EXPECT_THAT(err_, HasSubstr("4 nodes are there after"));
  for (const char* host : {" h1 ", " h2 ", " h3 ", "10.231.7.2:", "10.231.7.4:"})
    EXPECT_THAT(err_, HasSubstr(host));
}

TEST_F(PpLaunchByHosts, works_are_done_on_all_of_them) {
  EXPECT_EQ(run("h1,h2", {"--driver-workers", "1"}, {SPREAD_PROGRAM, "submitted", "3"}), 0)
      << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("jobs ran in 3 processes"));
}

TEST_F(PpLaunchByHosts, forwards_lines_behind_the_hosts_name_and_the_drivers_code) {
  const std::string script = std::string("if [ $PP_ROLE = driver ]; then ") + SPREAD_PROGRAM +
                             " submitted 2; exit 7; fi; echo one; echo two >&2; echo $A; exec " +
                             SPREAD_PROGRAM;
  EXPECT_EQ(run("h1", {"--env", "A=it's set", "-q"}, {"sh", "-c", script}), 7) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("[h1] one\n"), HasSubstr("[h1] it's set\n")));
  EXPECT_THAT(err_, AllOf(HasSubstr("[h1] two\n"), Not(HasSubstr("provider"))));
}

TEST_F(PpLaunchByHosts, names_those_that_fail_and_goes_on_with_the_others) {
  Process held(launch("h1,dead,closed,foreign,unheard-of",
                      {"--min-nodes", "2", "--connect-timeout", "3"}, {SPREAD_PROGRAM, "hold"}),
               setting(true));
  for (const char* line :
       {"closed is not there: ssh: ssh: connect to host 10.231.7.1 port 22: Connection refused",
        "foreign is not there: ssh: root@10.231.7.2: Permission denied",
        "unheard-of is not there: ssh: ssh: Could not resolve hostname",
        "dead is not there: ssh: ", "2 of 6 nodes are there after"}) {
    held.wait_for_line(line);
  }
  ask_until(held, "nodes", "nodes 2");
  held.close_input();
  EXPECT_EQ(held.wait(), 0) << held.err();
}

TEST_F(PpLaunchByHosts, names_a_dead_one) {
  EXPECT_EQ(run("h1,dead", {"--connect-timeout", "3"}, {SUM_PRIMES_PROGRAM}), 3);
  EXPECT_THAT(err_, HasSubstr("dead is not there: ssh: "));
  EXPECT_THAT(err_, AnyOf(HasSubstr("timed out"), HasSubstr("No route to host")));
  EXPECT_THAT(err_, HasSubstr("are there; 3 are needed"));
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(PpLaunchByHosts, names_one_without_the_program) {
  EXPECT_EQ(run("h1", {"--workdir", "/"}, {SUM_PRIMES_PROGRAM}), 0) << err_;
  const std::string script = "[ $PP_ROLE = worker ] && exec ./missing; exec " SUM_PRIMES_PROGRAM;
  EXPECT_EQ(run("h1", {}, {"sh", "-c", script}), 3);
  EXPECT_THAT(err_, AllOf(HasSubstr("h1 is not there: ended: it ended with code 127"),
                          HasSubstr("./missing: not found")));
  EXPECT_EQ(run("h1", {"--workdir", "/no/such/folder"}, {SUM_PRIMES_PROGRAM}), 3);
  EXPECT_THAT(err_, HasSubstr("h1 is not there: workdir: "));
}

TEST_F(PpLaunchByHosts, names_one_that_holds_another_key) {
  const std::string ours = new_key("ours");
  const std::string theirs = new_key("theirs");
  EXPECT_EQ(run("h1", {"--key-file", ours, "--key-on-hosts", theirs, "--join-timeout", "4"},
                {SUM_PRIMES_PROGRAM}),
            3);
  EXPECT_THAT(err_, HasSubstr("h1 is not there: key: cluster keys differ"));
  EXPECT_EQ(
      run("h1", {"--key-file", ours, "--key-on-hosts", folder_ / "none"}, {SUM_PRIMES_PROGRAM}), 3);
  EXPECT_THAT(err_, HasSubstr("there is no such file on this host"));
  EXPECT_EQ(run("h1", {"--key-file", ours, "--key-on-hosts", ours}, {SUM_PRIMES_PROGRAM}), 0)
      << err_;
}

TEST_F(PpLaunchByHosts, names_one_whose_program_is_another) {
  const std::string script = std::string("[ $PP_ROLE = driver ] && exec ") + SUM_PRIMES_PROGRAM +
                             "; exec " + SPREAD_PROGRAM;
  EXPECT_EQ(run("h1", {"--join-timeout", "4"}, {"sh", "-c", script}), 3);
  EXPECT_THAT(err_, HasSubstr("h1 is not there: version: function tables differ"));
}

TEST_F(PpLaunchByHosts, names_one_whose_way_to_the_driver_is_blocked) {
  const auto nft = [](const std::string& what) {
    Process run(hosts_->hosts().on(0, {"nft", what}));
    return run.wait() == 0;
  };
  if (!nft("add table inet pp_test")) GTEST_SKIP() << "no port can be blocked: no nft (nftables)";
  ASSERT_TRUE(nft("add chain inet pp_test in { type filter hook input priority 0; }"));
  ASSERT_TRUE(nft("add rule inet pp_test in tcp dport 7400-7401 drop"));
  // With multicast the driver would find them, and the connections go the other way.
  EXPECT_EQ(run("h1,h2", {"--listen", ":7400", "--join-timeout", "8"}, {SUM_PRIMES_PROGRAM},
                {"PP_DISCOVER=off"}),
            3);
  nft("delete table inet pp_test");
  EXPECT_THAT(err_, HasSubstr("h1 is not there: connect: it could not reach 10.231.7.1:7400"));
  EXPECT_THAT(err_, HasSubstr("h2 is not there: connect: it could not reach 10.231.7.1:7400"));
}

TEST_F(PpLaunchByHosts, never_shows_the_key) {
  const std::string key = new_key("key");
  std::string secret = contents(key);
  secret = secret.substr(0, secret.find('\n'));
  ASSERT_GE(secret.size(), 32u);
  Process held(launch("h1,h2", {"--key-file", key}, {SPREAD_PROGRAM, "hold"}), setting(true));
  held.wait_for_line("3 nodes are there");
  int seen = 0;
  for (int host = 0; host <= 2; ++host) {
    for (const pid_t pid : hosts_->running_on(host)) {
      const std::string process = "/proc/" + std::to_string(pid);
      EXPECT_THAT(contents(process + "/cmdline"), Not(HasSubstr(secret)));
      EXPECT_THAT(contents(process + "/environ"), Not(HasSubstr(secret)));
      ++seen;
    }
  }
  EXPECT_GE(seen, 8);
  held.close_input();
  EXPECT_EQ(held.wait(), 0) << held.err();
}

TEST_F(PpLaunchByHosts, are_left_by_all_when_the_launch_is_killed) {
  Process held(launch("h1,h2,h3", {}, {SPREAD_PROGRAM, "hold"}), setting(true));
  held.wait_for_line("4 nodes are there");
  held.signal(SIGKILL);
  held.wait();  // and TearDown looks
}

TEST_F(PpLaunchByHosts, are_left_by_all_when_the_launch_is_killed_and_nodes_will_not_end) {
  const std::string script = std::string("[ $PP_ROLE = driver ] && exec ") + SPREAD_PROGRAM +
                             " hold; trap '' TERM INT HUP; setsid sleep 1000 & " + SPREAD_PROGRAM +
                             "; sleep 1000";
  Process held(launch("h1,h2", {}, {"sh", "-c", script}), setting(true));
  held.wait_for_line("3 nodes are there");
  held.signal(SIGKILL);
  held.wait();
}

TEST_F(PpLaunchByHosts, are_left_by_all_when_the_driver_is_killed) {
  Process held(launch("h1,h2", {}, {SPREAD_PROGRAM, "hold"}), setting(true));
  held.wait_for_line("3 nodes are there");
  ::kill(node_on(held, "(driver)"), SIGKILL);
  EXPECT_EQ(held.wait(), 128 + SIGKILL);
  EXPECT_THAT(held.err(), HasSubstr("the driver (pid "));
}

// (ctrl_c_test.cpp has programs that wind up.)
TEST_F(PpLaunchByHosts, are_left_when_interrupted_twice_whatever_the_program_does) {
  const std::string stubborn = std::string("trap '' INT TERM; ") + SPREAD_PROGRAM + " hold";
  Process held(launch("h1,h2", {}, {"sh", "-c", stubborn}), setting(true));
  held.wait_for_line("3 nodes are there");
  held.signal(SIGINT);
  held.wait_for_line("once more ends everything");
  held.signal(SIGTERM);
  EXPECT_EQ(held.wait(), 128 + SIGTERM);
}

TEST_F(PpLaunchByHosts, are_checked_and_nothing_is_run) {
  const std::string log = folder_ / "log";
  EXPECT_EQ(run("h1,h2:1", {"--check", "--joblog", log}, {SUM_PRIMES_PROGRAM}), 0) << err_;
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(log));
  EXPECT_THAT(err_,
              testing::ContainsRegex("host +ssh +machine +cores +memory +clock +pp +address"));
  for (const char* host : {"h1", "h2"}) {
    EXPECT_THAT(err_,
                testing::ContainsRegex(std::string(host) +
                                       " +[0-9]+ ms +Linux [^ ]+ +[0-9]+ +[0-9.]+ [KMG]iB +"
                                       "[-+][0-9.]+ ms +[0-9.]+ +10\\.231\\.7\\.[0-9]+:[0-9]+ +"
                                       "ok, joined after [0-9]+ ms"));
  }
  EXPECT_THAT(err_, HasSubstr("pp-launch: check: all hosts can be used\n"));
}

TEST_F(PpLaunchByHosts, are_named_by_a_check_with_what_is_in_the_way) {
  const std::string script =
      std::string("if [ $PP_ROLE = worker ] && [ $PP_NAME = h2 ]; then exec ") + SPREAD_PROGRAM +
      "; fi; exec " + SUM_PRIMES_PROGRAM;
  const std::vector<std::string> options{"--check", "--connect-timeout", "3", "--join-timeout",
                                         "4"};
  EXPECT_EQ(run("h1,h2,closed,foreign", options, {"sh", "-c", script}), 3);
  EXPECT_THAT(err_, testing::ContainsRegex("h1 .* ok, joined after"));
  EXPECT_THAT(err_, testing::ContainsRegex("h2 .* version: function tables differ"));
  EXPECT_THAT(err_, testing::ContainsRegex("closed .* ssh: .*Connection refused"));
  EXPECT_THAT(err_, testing::ContainsRegex("foreign .* ssh: .*Permission denied"));
  EXPECT_THAT(err_,
              HasSubstr("check: 1 of 4 hosts can be used: with the driver, 5 nodes are needed\n"));
  EXPECT_THAT(err_, Not(HasSubstr("is not there"))) << "the table says it";
  EXPECT_EQ(run("h1,closed", {"--check", "--min-nodes", "2"}, {SUM_PRIMES_PROGRAM}), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("check: 1 of 2 hosts can be used: enough\n"));
  EXPECT_EQ(run("h1", {"--check", "--join-timeout", "2"}, {"sleep", "1000"}), 3);
  EXPECT_THAT(err_, HasSubstr("the program has not opened its port here (does it call pp::run?)"));
}

TEST_F(PpLaunchByHosts, are_checked_with_a_program_that_they_lack) {
  const std::string app = folder_ / "app", cache = folder_ / "cache";
  std::filesystem::copy_file(SUM_PRIMES_PROGRAM, app);
  EXPECT_EQ(run("h1", {"--check", "--stage", "--stage-cache", cache, "--workdir", "/"}, {app}), 0)
      << err_;
  EXPECT_EQ(run("h1", {"--check", "--stage", "--stage-cache", "/proc/cache"}, {app}), 3);
  EXPECT_THAT(err_, testing::ContainsRegex("h1 .* stage: .*/proc/cache"));
}

TEST_F(PpLaunchByHosts, lose_a_node_and_get_another_in_its_place) {
  Process held(launch("h1,h2", {"--respawn"}, {SPREAD_PROGRAM, "hold"}), setting(true));
  held.wait_for_line("3 nodes are there");
  ::kill(node_on(held, "h1"), SIGKILL);
  held.wait_for_line("was killed by SIGKILL");
  held.wait_for_line("a node on h1 is started again");
  ask_until(held, "nodes", "nodes 3");
  held.close_input();
  EXPECT_EQ(held.wait(), 0) << held.err();
}

TEST_F(PpLaunchByHosts, tell_what_a_node_was_running_when_it_died) {
  Process held(launch("h1", {"--respawn"}, {SPREAD_PROGRAM, "hold"}), setting(true));
  held.wait_for_line("2 nodes are there");
  held.write_input("crash 11\n");
  const std::string line = held.wait_for_line("was killed by SIGSEGV");
  EXPECT_THAT(line,
              testing::ContainsRegex("; h1 was running .*of another node \\(attempt 1, for "));
  held.wait_for_line("a node on h1 is started again");
  held.signal(SIGINT);
  EXPECT_EQ(held.wait(), 128 + SIGINT) << held.err();
}

TEST_F(PpLaunchByHosts, come_and_go_with_the_lines_of_a_hostfile) {
  const std::string file = folder_ / "hosts";
  std::ofstream(file) << "# ours\nh1 slots=1\n";
  Process held(launch("", {"--hostfile", file}, {SPREAD_PROGRAM, "hold"}), setting(true));
  held.wait_for_line("2 nodes are there");
  std::ofstream(file) << "h1 slots=1\n1/h2\n";
  ask_until(held, "nodes", "nodes 3");
  std::ofstream(file) << "h1 slots=many\n";
  held.wait_for_line("the hosts stay as they are");
  std::ofstream(file) << "1/h2\n";
  held.wait_for_line("h1 is no longer listed and drains");
  ask_until(held, "nodes", "nodes 2");
  held.close_input();
  EXPECT_EQ(held.wait(), 0) << held.err();
  EXPECT_THAT(held.err(), Not(HasSubstr("the run goes on")));
}

TEST_F(PpLaunchByHosts, are_given_the_program_once) {
  const std::string app = folder_ / "app";
  std::filesystem::copy_file(SUM_PRIMES_PROGRAM, app);
  const std::string cache = folder_ / "cache";
  EXPECT_EQ(run("h1,h2", {"--stage", "--stage-cache", cache, "--workdir", "/"}, {app}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("Sum of primes below 100000 is 454396537"));
  std::vector<std::filesystem::path> staged;
  for (const auto& file : std::filesystem::recursive_directory_iterator(cache)) {
    if (file.is_regular_file()) staged.push_back(file.path());
  }
  ASSERT_EQ(staged.size(), 1u);
  EXPECT_EQ(contents(staged[0]), contents(app));
  const auto before = std::filesystem::status(staged[0]).permissions();
  EXPECT_EQ(before, std::filesystem::perms::owner_all);
  EXPECT_EQ(run("h1", {"--stage", "--stage-cache", cache}, {app}), 0) << err_;
}

TEST_F(PpLaunchByHosts, are_named_when_their_disk_is_full) {
  const std::string small = folder_ / "small";
  std::filesystem::create_directory(small);
  // By ssh: an sshd in a network namespace has mounts of its own.
  const auto on_h1 = [](const std::string& command) {
    Process run(hosts_->hosts().on(0, {"sh", "-c", hosts_->ssh() + " h1 " + command}));
    return run.wait();
  };
  if (on_h1("mount -t tmpfs -o size=64k tmpfs " + small) != 0)
    GTEST_SKIP() << "no small disk can be made here";
  EXPECT_EQ(run("h1", {"--stage", "--stage-cache", small + "/cache"}, {SUM_PRIMES_PROGRAM}), 3);
  EXPECT_THAT(err_,
              AllOf(HasSubstr("h1 is not there: stage: "), HasSubstr("No space left on device")));
  EXPECT_EQ(run("h1", {"--stage", "--stage-cache", small + "/cache", "--min-nodes", "1"},
                {SUM_PRIMES_PROGRAM}),
            0)
      << err_;
  EXPECT_EQ(on_h1("umount " + small), 0);
}

TEST_F(PpLaunchByHosts, are_not_touched_by_a_dry_run) {
  EXPECT_EQ(run("h1:3,dead", {"--dry-run", "--env", "A=b"}, {SUM_PRIMES_PROGRAM, "an argument"}), 0)
      << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("h1, first to reach it"), HasSubstr("dead, first to reach it"),
                          HasSubstr("BatchMode=yes"), HasSubstr("export PP_WORKERS='3'"),
                          HasSubstr("export A='b'"), HasSubstr("'an argument'")));
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(PpLaunchByHosts, may_be_named_in_a_file_and_everything_tells_where_it_came_from) {
  const std::string file = folder_ / "launch.toml";
  std::ofstream(file) << "hosts = \"h1,h2\"\nmin-nodes = 2\nconnect-timeout = 7\n";
  Process::Setting setting = this->setting();
  setting.environment.insert(setting.environment.end(),
                             {"PP_LAUNCH_CONFIG=" + file, "PP_LAUNCH_MIN_NODES=3"});
  Process shown(launch("", {"--show-config", "--timeout", "9"}, {SUM_PRIMES_PROGRAM}), setting);
  EXPECT_EQ(shown.wait(), 0) << shown.err();
  for (const std::string& line :
       {"hosts = h1,h2   (" + file + ":1)",
        std::string("min-nodes = 3   (environment: PP_LAUNCH_MIN_NODES)"),
        "connect-timeout = 7   (" + file + ":3)", std::string("timeout = 9   (command line)"),
        std::string("stage-limit = 1024   (default)")}) {
    EXPECT_THAT(shown.out(), HasSubstr(line + "\n"));
  }
  Process launched(launch("", {}, {SUM_PRIMES_PROGRAM}), setting);
  EXPECT_EQ(launched.wait(), 0) << launched.err();
  EXPECT_THAT(launched.err(), HasSubstr("3 nodes are there"));
  std::ofstream(file) << "hosts = \"h1\"\nmany = 3\n";
  Process refused(launch("", {}, {SUM_PRIMES_PROGRAM}), setting);
  EXPECT_EQ(refused.wait(), 2);
  EXPECT_THAT(refused.err(), HasSubstr(file + ":2: no option for a file is called many"));
}

TEST_F(PpLaunchByHosts, are_left_when_the_runs_time_is_over) {
  Process held(launch("h1", {"--timeout", "4"}, {SPREAD_PROGRAM, "hold"}), setting(true));
  EXPECT_EQ(held.wait(), 124);
  EXPECT_THAT(held.err(), HasSubstr("(--timeout)"));
}

}  // namespace
}  // namespace pp::test
