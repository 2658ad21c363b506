// The node daemon: launches on hosts that run ppd, and what is left when somebody is killed.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "on_hosts.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kSum = "Sum of primes below 100700 is 460217613";

// One ppd on the loopback, found by its address.
class NodeDaemon : public Cluster {
 protected:
  void SetUp() override { key_ = new_key("daemons.key"); }

  std::vector<std::string> daemon_words(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{PPD_PROGRAM, "--key-file",  key_,
                                   "--listen",  "127.0.0.1:0", "--discover",
                                   "off",       "--cache",     folder_ / "cache"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::unique_ptr<Process> start_daemon(const std::vector<std::string>& more = {}) {
    auto daemon = std::make_unique<Process>(daemon_words(more));
    daemon->wait_for_line("listening at ");
    return daemon;
  }
  static std::string address_of_daemon(Process& daemon) {
    const std::string line = daemon.wait_for_line("listening at ");
    const std::size_t begin = line.find("listening at ") + std::string("listening at ").size();
    return line.substr(begin, line.find_first_of(" ,", begin) - begin);
  }
  std::vector<std::string> on_daemons(const std::string& addresses,
                                      const std::vector<std::string>& program,
                                      const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{PP_LAUNCH_PROGRAM, "--daemons", addresses, "--key-file", key_,
                                   "--join-timeout",  "120"};
    words.insert(words.end(), more.begin(), more.end());
    words.push_back("--");
    words.insert(words.end(), program.begin(), program.end());
    return words;
  }
  // A launch that holds on until its input ends, with a worker at the daemon.
  std::unique_ptr<Process> start_held(Process& daemon) {
    auto launch = std::make_unique<Process>(
        on_daemons(address_of_daemon(daemon), {SPREAD_PROGRAM, "hold"}), held_open());
    launch->wait_for_line("holding ");
    launch->wait_for_line("nodes are there");  // from now on it tells of each end
    return launch;
  }
  static void wait_until_no_worker_is_left(Process& daemon, seconds limit) {
    daemon.wait_until([&] { return daemon.family_with("PP_ROLE=worker").empty(); },
                      "the end of the workers", limit);
  }

  std::string key_;
};

TEST_F(NodeDaemon, a_program_is_sent_once_and_computes) {
  const auto daemon = start_daemon({"--log-level", "debug", "--workers", "1"});
  for (int i = 0; i < 2; ++i) {
    Process launch(on_daemons(address_of_daemon(*daemon), {SUM_PRIMES_PROGRAM}));
    EXPECT_EQ(launch.wait(), 0) << launch.err();
    EXPECT_THAT(launch.out(), HasSubstr(kSum));
    EXPECT_THAT(launch.err(), HasSubstr("2 nodes are there"));
  }
  daemon->read(std::chrono::milliseconds(0));
  EXPECT_THAT(lines_with(daemon->err(), "has sent"), SizeIs(1));
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait(), 0);
  // Neither a folder of a lease nor an unfinished program.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "cache"), {}), 1);
}

TEST_F(NodeDaemon, several_daemons_are_used_together) {
  const auto one = start_daemon({"--workers", "1"});
  const auto other = start_daemon({"--workers", "1"});
  Process launch(on_daemons(address_of_daemon(*one) + "," + address_of_daemon(*other),
                            {SPREAD_PROGRAM, "hold"}, {"-n", "3"}),
                 held_open());
  ask_until(launch, "nodes", "nodes 3");
  launch.write_input("spread\n");
  launch.wait_for_line("jobs ran in 3 processes");
  launch.close_input();
  EXPECT_EQ(launch.wait(), 0) << launch.err();
}

TEST_F(NodeDaemon, one_that_a_seed_knows_is_found_through_it) {
  const auto seed = start_daemon({"--workers", "1"});
  const auto other = start_daemon({"--workers", "1", "--peers", address_of_daemon(*seed)});
  const std::string& all = seed->err();
  seed->wait_until(
      [&] {
        seed->signal(SIGUSR1);
        return all.find("other daemons: 1") != std::string::npos;
      },
      "the other daemon");
  Process launch(on_daemons(address_of_daemon(*seed), {SUM_PRIMES_PROGRAM}, {"-n", "3"}));
  EXPECT_EQ(launch.wait(), 0) << launch.err();
  EXPECT_THAT(launch.err(), HasSubstr("3 nodes are there"));
}

TEST_F(NodeDaemon, when_pp_launch_is_killed_the_workers_are_gone) {
  const auto daemon = start_daemon();
  const auto launch = start_held(*daemon);
  ASSERT_THAT(daemon->family_with("PP_ROLE=worker"), SizeIs(1));
  launch->signal(SIGKILL);
  wait_until_no_worker_is_left(*daemon, seconds{5});
  Process again(on_daemons(address_of_daemon(*daemon), {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(again.wait(), 0) << again.err();
}

TEST_F(NodeDaemon, when_the_driver_is_killed_the_workers_are_gone) {
  const auto daemon = start_daemon();
  const auto launch = start_held(*daemon);
  for (const pid_t pid : launch->family_with("PP_ROLE=driver")) ::kill(pid, SIGKILL);
  wait_until_no_worker_is_left(*daemon, seconds{5});
  launch->wait_until_nothing_is_left(seconds{5});
}

TEST_F(NodeDaemon, when_ppd_is_killed_the_workers_are_gone_and_the_launch_goes_on) {
  const auto daemon = start_daemon();
  const auto launch = start_held(*daemon);
  daemon->signal(SIGKILL);
  daemon->wait_until_nothing_is_left(seconds{5});
  launch->wait_for_line("the session with it has ended");
  ask_until(*launch, "nodes", "nodes 1");
  launch->close_input();
  EXPECT_EQ(launch->wait(), 0) << launch->err();
}

TEST_F(NodeDaemon, a_worker_that_is_killed_is_told_of_where_it_was_missed) {
  const auto daemon = start_daemon();
  const auto launch = start_held(*daemon);
  for (const pid_t pid : daemon->family_with("PP_ROLE=worker")) ::kill(pid, SIGKILL);
  launch->wait_for_line("the process there was killed by SIGKILL");
  launch->wait_for_line("node 1 (pid ");
  launch->close_input();
  EXPECT_EQ(launch->wait(), 0) << launch->err();
}

TEST_F(NodeDaemon, asked_to_end_it_has_its_workers_leave_in_order) {
  const auto daemon = start_daemon({"--pid-file", folder_ / "pid"});
  const auto launch = start_held(*daemon);
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait(), 0) << daemon->err();
  EXPECT_THAT(daemon->err(), HasSubstr("process 0 ended with code 0"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pid"));
  ask_until(*launch, "nodes", "nodes 1");
}

TEST_F(NodeDaemon, two_launches_share_its_workers_fairly_and_one_gets_back_what_the_other_leaves) {
  const auto daemon = start_daemon({"--workers", "4"});
  const auto first = start_held(*daemon);
  daemon->wait_for_line("with 4 workers");
  const auto second = start_held(*daemon);
  daemon->wait_until([&] { return lines_with(daemon->err(), "with 2 workers").size() == 2; },
                     "two shares");
  ask_until(*first, "nodes", "nodes 2");
  second->close_input();
  EXPECT_EQ(second->wait(), 0) << second->err();
  daemon->wait_until([&] { return lines_with(daemon->err(), "with 2 workers").size() == 3; },
                     "what the second has left");
  ask_until(*first, "nodes", "nodes 3");  // the share has grown by a process
  first->write_input("spread\n");
  first->wait_for_line("jobs ran in 3 processes");
}

TEST_F(NodeDaemon, one_that_is_full_says_so) {
  const auto daemon = start_daemon({"--leases", "1"});
  const auto first = start_held(*daemon);
  Process second(on_daemons(address_of_daemon(*daemon), {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(second.wait(), 3);
  EXPECT_THAT(second.err(), HasSubstr("it serves 1 launch already"));
}

TEST_F(NodeDaemon, memory_is_limited) {
  const auto daemon = start_daemon({"--memory", "1GiB"});
  const auto launch = start_held(*daemon);
  const auto workers = daemon->family_with("PP_ROLE=worker");
  ASSERT_THAT(workers, SizeIs(1));
  std::ifstream limits("/proc/" + std::to_string(workers[0]) + "/limits");
  const std::string all{std::istreambuf_iterator<char>(limits), {}};
  EXPECT_THAT(lines_with(all, "Max data size"), SizeIs(1));
  EXPECT_THAT(lines_with(all, "Max data size")[0], HasSubstr("1073741824"));
}

TEST_F(NodeDaemon, who_has_another_key_is_told_so) {
  const auto daemon = start_daemon();
  const std::string theirs = std::exchange(key_, new_key("another.key"));
  Process launch(on_daemons(address_of_daemon(*daemon), {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(seconds{20}), 3);
  EXPECT_THAT(launch.err(), AllOf(HasSubstr("no answer from"), HasSubstr("key")));
}

TEST_F(NodeDaemon, where_nobody_listens_is_told_within_moments) {
  Process launch(on_daemons("127.0.0.1:1", {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(seconds{20}), 3);
  EXPECT_THAT(launch.err(), HasSubstr("no answer from 127.0.0.1:1"));
}

TEST_F(NodeDaemon, a_stopped_launch_stops_its_workers_and_goes_on_with_them) {
  const auto daemon = start_daemon({"--silence", "3"});
  const auto launch = start_held(*daemon);
  const auto workers = daemon->family_with("PP_ROLE=worker");
  ASSERT_THAT(workers, SizeIs(1));
  const auto is_stopped = [&] {
    std::ifstream status("/proc/" + std::to_string(workers[0]) + "/stat");
    const std::string all{std::istreambuf_iterator<char>(status), {}};
    return all.substr(all.rfind(')') + 2, 1) == "T";
  };
  launch->signal(SIGTSTP);
  daemon->wait_until(is_stopped, "the worker to stop");
  launch->signal(SIGCONT);
  daemon->wait_until([&] { return !is_stopped(); }, "the worker to go on");
  launch->close_input();
  EXPECT_EQ(launch->wait(), 0) << launch->err();
}

TEST_F(NodeDaemon, settings_that_make_no_sense_are_named_with_file_and_line) {
  std::ofstream(folder_ / "ppd.toml") << "workers = 1\nleases = \"some\"\n";
  Process daemon({PPD_PROGRAM, "--config", folder_ / "ppd.toml"});
  EXPECT_EQ(daemon.wait(), 2);
  EXPECT_THAT(daemon.err(), HasSubstr(folder_ / "ppd.toml:2:"));
}

TEST_F(NodeDaemon, settings_are_read_again_and_a_mistake_changes_nothing) {
  const auto write = [this](const std::string& text) {
    std::ofstream(folder_ / "ppd.toml") << text;
  };
  write("workers = 1\n");
  const auto daemon = start_daemon({"--config", folder_ / "ppd.toml"});
  const auto launch = start_held(*daemon);
  daemon->wait_for_line("with 1 worker");
  write("workers = 3\n");
  daemon->signal(SIGHUP);
  daemon->wait_for_line("the settings were read again");
  daemon->wait_for_line("with 2 workers");  // more, beside the one
  write("workers = lots\n");
  daemon->signal(SIGHUP);
  EXPECT_THAT(daemon->wait_for_line("the settings stay as they were"),
              HasSubstr(folder_ / "ppd.toml:1:"));
  ask_until(*launch, "nodes", "nodes 3");
}

TEST_F(NodeDaemon, a_new_key_counts_when_it_was_read_again) {
  const auto daemon = start_daemon();
  std::filesystem::remove(key_);
  new_key("daemons.key");
  daemon->signal(SIGHUP);
  daemon->wait_until([&] { return lines_with(daemon->err(), "listening at").size() == 2; },
                     "the new network");
  const std::string line = lines_with(daemon->err(), "listening at").back();
  const std::size_t begin = line.find("listening at ") + 13;
  Process launch(
      on_daemons(line.substr(begin, line.find(' ', begin) - begin), {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(), 0) << launch.err();
}

TEST_F(NodeDaemon, a_second_one_with_the_same_pid_file_is_refused_and_a_stale_file_is_taken_over) {
  std::ofstream(folder_ / "pid") << "1\n";
  const auto daemon = start_daemon({"--pid-file", folder_ / "pid"});
  Process second(daemon_words({"--pid-file", folder_ / "pid"}));
  EXPECT_EQ(second.wait(), 2);
  EXPECT_THAT(second.err(), HasSubstr("runs already (pid " + std::to_string(daemon->pid()) + ")"));
  daemon->signal(SIGKILL);
  daemon->wait();
  const auto third = start_daemon({"--pid-file", folder_ / "pid"});
}

TEST_F(NodeDaemon, an_idle_one_ends_by_itself) {
  Process daemon(daemon_words({"--idle-exit", "1"}));
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_THAT(daemon.err(), HasSubstr("nobody has called for 1 s"));
}

// ---- what a program finds there, and what it may leave

TEST_F(NodeDaemon, a_worker_holds_no_descriptor_of_the_daemons_and_none_that_it_was_started_with) {
  const std::string leaked = folder_ / "leaked";
  auto words = daemon_words({"--pid-file", folder_ / "pid"});
  words.insert(words.begin(), {"sh", "-c", "exec 7>" + leaked + "; exec \"$@\"", "sh"});
  Process daemon(words);
  const auto launch = start_held(daemon);
  const auto workers = daemon.family_with("PP_ROLE=worker");
  ASSERT_THAT(workers, SizeIs(1));
  const std::string cache = folder_ / "cache";
  for (const auto& one :
       std::filesystem::directory_iterator("/proc/" + std::to_string(workers[0]) + "/fd")) {
    const std::string what = std::filesystem::read_symlink(one.path());
    EXPECT_NE(what, leaked);
    EXPECT_NE(what, key_);
    EXPECT_NE(what, folder_ / "pid");
    EXPECT_FALSE(what.starts_with(cache)) << what;
  }
}

TEST_F(NodeDaemon, what_its_owner_has_set_goes_before_what_a_launch_says) {
  Process::Setting environment;
  environment.environment = {"NOTIFY_SOCKET=" + (folder_ / "none"), "PP_DRAIN=5"};
  Process daemon(daemon_words({"--drain", "7"}), environment);
  Process launch(
      on_daemons(address_of_daemon(daemon),
                 {FAKE_NODE_PROGRAM, "--worker",
                  "listen; join; variable PP_DRAIN; variable NOTIFY_SOCKET; variable PP_FABRIC"}),
      held_open({"PP_DRAIN=99000", "PP_FABRIC=off", "LD_PRELOAD="}));
  EXPECT_EQ(launch.wait(), 0) << launch.err();
  EXPECT_THAT(
      launch.out() + launch.err(),
      AllOf(HasSubstr("PP_DRAIN=7000"), HasSubstr("NOTIFY_SOCKET=\n"), HasSubstr("PP_FABRIC=off")));
}

TEST_F(NodeDaemon, what_a_program_has_started_and_left_ends_with_its_lease_and_with_the_daemon) {
  const auto daemon = start_daemon();
  const std::vector<std::string> program{FAKE_NODE_PROGRAM, "--worker",
                                         "stray; listen; join; serve", "--driver",
                                         "listen; gather; echo"};
  {
    Process launch(on_daemons(address_of_daemon(*daemon), program), held_open());
    launch.wait_for_line("nodes are there");
    launch.write_input("\n");
    EXPECT_EQ(launch.wait(), 0) << launch.err();
    wait_until_no_worker_is_left(*daemon, seconds{5});
  }
  Process launch(on_daemons(address_of_daemon(*daemon), program), held_open());
  launch.wait_for_line("nodes are there");
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait(), 0) << daemon->err();
  EXPECT_THAT(daemon->family(), IsEmpty());
}

TEST_F(NodeDaemon, one_that_floods_its_output_and_its_reports_keeps_nobody_else_waiting) {
  std::ofstream(folder_ / "flood") << "#!/bin/sh\n"
                                      "if [ \"$PP_ROLE\" = driver ]; then exec \"$@\"; fi\n"
                                      "echo ready >&$PP_REPORT_FD\n"
                                      "yes >&$PP_REPORT_FD 2>/dev/null &\n"
                                      "yes >&2 & exec yes\n";
  std::filesystem::permissions(folder_ / "flood", std::filesystem::perms::owner_all);
  const auto daemon = start_daemon({"--workers", "2"});
  // Its driver takes nothing in: pp-launch is stopped, so that what comes is not read.
  Process flood(on_daemons(address_of_daemon(*daemon),
                           {folder_ / "flood", FAKE_NODE_PROGRAM, "--driver", "listen; hang"}),
                held_open());
  daemon->wait_for_line("flood runs as pid");
  Process launch(on_daemons(address_of_daemon(*daemon), {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(), 0) << launch.err();
  flood.signal(SIGKILL);
  wait_until_no_worker_is_left(*daemon, seconds{5});
}

TEST_F(NodeDaemon, what_it_left_when_it_was_killed_is_cleared_away_by_the_next) {
  const auto in_cache = [this] {
    std::set<std::string> names;
    for (const auto& one : std::filesystem::directory_iterator(folder_ / "cache"))
      names.insert(one.path().filename().string().substr(0, 4));
    return names;
  };
  {
    const auto daemon = start_daemon();
    const auto launch = start_held(*daemon);
    daemon->signal(SIGKILL);
    daemon->wait_until_nothing_is_left(seconds{5});
  }
  EXPECT_THAT(in_cache(), testing::Contains("run-"));
  const auto next = start_daemon();
  EXPECT_THAT(in_cache(), testing::Not(testing::Contains("run-")));
}

TEST_F(NodeDaemon, a_program_that_cannot_run_there_is_named) {
  std::ofstream(folder_ / "app") << "#!/nowhere/interpreter\n";
  std::filesystem::permissions(folder_ / "app", std::filesystem::perms::owner_all);
  const auto daemon = start_daemon();
  Process launch(
      on_daemons(address_of_daemon(*daemon), {folder_ / "app"}, {"--join-timeout", "5"}));
  EXPECT_NE(launch.wait(), 0);
  const auto gone = start_daemon({"--workdir", folder_ / "none"});
  Process other(on_daemons(address_of_daemon(*gone), {SUM_PRIMES_PROGRAM}));
  EXPECT_NE(other.wait(), 0);
  EXPECT_THAT(other.err(), AllOf(HasSubstr("(workdir)"), HasSubstr("No such file")));
}

TEST_F(NodeDaemon, an_address_that_is_not_ours_is_named_when_it_is_read_and_changes_nothing) {
  const auto write = [this](const std::string& text) {
    std::ofstream(folder_ / "ppd.toml") << text;
  };
  std::vector<std::string> words{PPD_PROGRAM,      "--key-file",         key_,
                                 "--config",       folder_ / "ppd.toml", "--cache",
                                 folder_ / "cache"};
  write("listen = '127.0.0.1:0'\ndiscover = 'off'\n");
  Process daemon(words);
  daemon.wait_for_line("listening at ");
  write("listen = '192.0.2.1:0'\ndiscover = 'off'\n");
  daemon.signal(SIGHUP);
  daemon.wait_for_line("addresses and discovery stay as they were");
  daemon.wait_until([&] { return lines_with(daemon.err(), "listening at").size() == 2; },
                    "the network that was");
  const std::string line = lines_with(daemon.err(), "listening at").back();
  const std::size_t begin = line.find("listening at ") + 13;
  Process launch(
      on_daemons(line.substr(begin, line.find(' ', begin) - begin), {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(), 0) << launch.err();
}

// A launch past its time whose workers ignore SIGTERM: waiting for `drain` costs nothing.
TEST_F(NodeDaemon, a_launch_ends_when_it_has_had_its_time_and_waiting_for_it_costs_nothing) {
  const auto daemon = start_daemon({"--longest-lease", "1", "--drain", "3"});
  Process launch(on_daemons(address_of_daemon(*daemon),
                            {FAKE_NODE_PROGRAM, "--worker", "ignore 15; listen; join; hang",
                             "--driver", "listen; gather; echo"}),
                 held_open());
  daemon->wait_for_line("has had its time");
  const double before = cpu_seconds(daemon->pid());
  wait_until_no_worker_is_left(*daemon, seconds{20});
  EXPECT_LT(cpu_seconds(daemon->pid()) - before, 1.0);
  launch.wait_for_line("killed by SIGKILL");
}

TEST_F(NodeDaemon, a_full_disk_is_named) {
  auto words = daemon_words();
  words.insert(words.begin(), {"unshare", "-m", "sh", "-c",
                               "mkdir \"$0\" && mount -t tmpfs -o size=64k,mode=700 none \"$0\" && "
                               "exec \"$@\"",
                               folder_ / "cache"});
  Process daemon(words);
  try {
    daemon.wait_for_line("listening at ");
  } catch (const std::runtime_error& error) {
    GTEST_SKIP() << "no file system of our own can be mounted: " << error.what();
  }
  Process launch(on_daemons(address_of_daemon(daemon), {SUM_PRIMES_PROGRAM}));
  EXPECT_NE(launch.wait(seconds{20}), 0);
  EXPECT_THAT(launch.err(), HasSubstr("No space left on device"));
}

// Strangers who come and come again fill neither its log nor its memory.
TEST_F(NodeDaemon, strangers_do_not_fill_its_log) {
  const auto daemon = start_daemon();
  const std::string address = address_of_daemon(*daemon);
  const std::string ours = std::exchange(key_, new_key("another.key"));
  for (int i = 0; i < 15; ++i) {
    Process launch(on_daemons(address, {SUM_PRIMES_PROGRAM}));
    EXPECT_EQ(launch.wait(seconds{20}), 3);
  }
  key_ = ours;
  Process launch(on_daemons(address, {SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(), 0) << launch.err();
  daemon->read(std::chrono::milliseconds(0));
  EXPECT_LT(lines_with(daemon->err(), "was refused").size(), 14u);
}

// Hosts that find each other by multicast.
class NodeDaemons : public OnHosts {
 protected:
  std::unique_ptr<Process> start_daemon(const Hosts& hosts, int host, const std::string& key) {
    auto daemon = std::make_unique<Process>(hosts.on(
        host,
        {PPD_PROGRAM, "--key-file", key, "--workers", "1", "--cache",
         folder_ / ("cache" + std::to_string(host)), "--name", "host" + std::to_string(host)}));
    daemon->wait_for_line("listening at ");
    return daemon;
  }
};

TEST_F(NodeDaemons, are_found_by_multicast_shown_and_used) {
  const Hosts hosts(3);
  const std::string key = new_key("key");
  const auto one = start_daemon(hosts, 1, key);
  const auto two = start_daemon(hosts, 2, key);
  Process launch(
      hosts.on(0, {PP_LAUNCH_PROGRAM, "--discover", "--key-file", key, "--", SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(), 0) << launch.err();
  EXPECT_THAT(launch.out(), HasSubstr(kSum));
  EXPECT_THAT(launch.err(), AllOf(HasSubstr("host1"), HasSubstr(hosts.address(2) + ":7706"),
                                  HasSubstr("3 nodes are there")));
}

TEST_F(NodeDaemons, of_another_key_are_mentioned_and_not_used) {
  const Hosts hosts(3);
  const std::string key = new_key("key");
  const auto ours = start_daemon(hosts, 1, key);
  const auto theirs = start_daemon(hosts, 2, new_key("another"));
  Process launch(hosts.on(0, {PP_LAUNCH_PROGRAM, "--discover", "-n", "3", "--discover-time", "1",
                              "--key-file", key, "--", SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(), 3);
  EXPECT_THAT(launch.err(), AllOf(HasSubstr("1 of 2 node daemons can be used"), HasSubstr("host1"),
                                  HasSubstr("node daemons of another cluster")));
  Process again(hosts.on(0, {PP_LAUNCH_PROGRAM, "--discover", "-n", "2", "--key-file", key, "--",
                             SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(again.wait(), 0) << again.err();
}

TEST_F(NodeDaemons, where_there_are_none_a_sentence_says_what_to_look_at) {
  const Hosts hosts(1);
  Process launch(hosts.on(0, {PP_LAUNCH_PROGRAM, "--discover", "--discover-time", "0.5",
                              "--key-file", new_key("key"), "--", SUM_PRIMES_PROGRAM}));
  EXPECT_EQ(launch.wait(), 3);
  EXPECT_THAT(launch.err(), AllOf(HasSubstr("no ppd has answered within 500 ms"),
                                  HasSubstr("pp-keygen --fingerprint")));
}

}  // namespace
}  // namespace pp::test
