// pp-launch with nodes that behave, and with nodes that fail at every stage: what is printed, what
// is returned, and that no process is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "process.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

// A launch of fake nodes whose temporary keys go to a folder of the test's own.
class PpLaunch : public testing::Test {
 protected:
  std::vector<std::string> command(std::vector<std::string> options,
                                   std::vector<std::string> fake) {
    std::vector<std::string> words{PP_LAUNCH_PROGRAM};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", FAKE_NODE_PROGRAM});
    words.insert(words.end(), fake.begin(), fake.end());
    return words;
  }
  Process::Setting setting(std::string input = "") {
    Process::Setting setting;
    setting.environment = {"XDG_RUNTIME_DIR=" + folder_.path()};
    setting.input = std::move(input);
    return setting;
  }
  std::size_t leftovers() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      count += entry.path().filename().string().rfind("pp-launch-", 0) == 0 ? 1u : 0u;
    }
    return count;
  }

  // Runs to the end; nothing may be left then.
  ShellCode run(std::vector<std::string> options, std::vector<std::string> fake,
                std::string input = "") {
    Process launch(command(std::move(options), std::move(fake)), setting(std::move(input)));
    const ShellCode code = launch.wait();
    out_ = launch.out();
    err_ = launch.err();
    EXPECT_THAT(launch.family(), IsEmpty()) << "processes left behind";
    EXPECT_EQ(leftovers(), 0u) << "a key left behind";
    return code;
  }

  Folder folder_;
  std::string out_, err_;
};

// --- when all is well

TEST_F(PpLaunch, starts_the_nodes_and_prints_who_joined) {
  EXPECT_EQ(run({"-n", "3", "--workers", "2"}, {}), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("pp-launch: 3 nodes are there after"));
  EXPECT_THAT(err_, ContainsRegex("0 +[0-9]+ +127.0.0.1:[0-9]+ +[0-9]+ +\\(driver\\)"));
  EXPECT_THAT(err_, ContainsRegex("1 +[0-9]+ +127.0.0.1:[0-9]+ +2 +fake +[0-9]+ ms"));
  EXPECT_THAT(err_, ContainsRegex("2 +[0-9]+ +127.0.0.1:[0-9]+ +2 +fake +[0-9]+ ms"));
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(PpLaunch, prints_nothing_of_its_own_when_told_to_be_quiet) {
  EXPECT_EQ(run({"-n", "2", "--quiet"}, {}), 0);
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(PpLaunch, returns_the_drivers_code) {
  EXPECT_EQ(run({"-n", "2"}, {"--driver", "listen; gather; exit 7"}), 7);
}

TEST_F(PpLaunch, returns_128_and_the_signal_of_a_driver_that_was_killed) {
  EXPECT_EQ(run({"-n", "2"}, {"--driver", "listen; gather; die 9"}), 128 + SIGKILL);
  EXPECT_THAT(err_, ContainsRegex("node 0 \\(driver, pid [0-9]+\\) was killed by SIGKILL "
                                  "\\(9: killed\\) after [0-9.]+ [a-z]+, peak memory "));
}

TEST_F(PpLaunch, leaves_the_drivers_input_and_output_alone) {
  EXPECT_EQ(run({"-n", "2", "-q"}, {"--driver", "listen; gather; echo; out no newline; err E"},
                "a word\n"),
            0);
  EXPECT_EQ(out_, "read a word\nno newline");
  EXPECT_EQ(err_, "E");
}

TEST_F(PpLaunch, puts_the_workers_number_before_each_whole_line) {
  const std::string gate = folder_ / "gate";
  const std::string worker =
      "listen; join; out first\\nha; err wrong\\n; await " + gate + "; out lf\\nlast; serve";
  Process launch(
      command({"-n", "2", "-q"}, {"--driver", "listen; gather; echo", "--worker", worker}), [&] {
        Process::Setting open = setting();
        open.input_stays_open = true;
        return open;
      }());
  launch.wait_for_line("first");
  launch.wait_for_line("wrong");
  EXPECT_THAT(launch.out(), Not(HasSubstr("ha")));
  std::ofstream(gate).flush();
  launch.wait_for_line("half");
  launch.write_input("end\n");
  EXPECT_EQ(launch.wait(), 0);
  EXPECT_THAT(lines_with(launch.out(), "[1] "), ElementsAre("[1] first", "[1] half", "[1] last"));
  EXPECT_EQ(launch.err(), "[1] wrong\n");
}

// However the seconds fall: what is not there has been counted.
TEST_F(PpLaunch, drops_what_is_more_than_its_limit_of_a_workers_output_and_says_how_much) {
  constexpr std::size_t kLines = 400;
  std::string many;
  for (std::size_t i = 0; i < kLines; ++i) many += "a line of the worker\\n";
  EXPECT_EQ(run({"-n", "2", "-q", "--output-rate", "1000"},
                {"--worker", "listen; join; serve; out " + many}),
            0);
  std::size_t dropped = 0;
  for (std::size_t at = err_.find("node 1: "); at != std::string::npos;
       at = err_.find("node 1: ", at + 1))
    dropped += std::stoul(err_.substr(at + 8));
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(lines_with(out_, "[1] ").size() + dropped, kLines) << err_;
  EXPECT_THAT(err_, HasSubstr("of output dropped: more than 1000 bytes a second (--output-rate)"));
}

TEST_F(PpLaunch, an_output_rate_that_is_none_is_refused) {
  EXPECT_EQ(run({"-n", "2", "--output-rate", "much"}, {}), 2);
  EXPECT_THAT(err_, HasSubstr("--output-rate=much: expected bytes a second"));
}

TEST_F(PpLaunch, loses_no_line_of_workers_that_print_until_the_end) {
  std::string many;
  for (int i = 0; i < 400; ++i)
    many += "a line of the worker that is long enough to fill a pipe\\n";
  EXPECT_EQ(run({"-n", "3", "-q"}, {"--worker", "listen; join; serve; out " + many}), 0);
  EXPECT_EQ(count(out_, "[1] a line of"), 400u);
  EXPECT_EQ(count(out_, "[2] a line of"), 400u);
}

TEST_F(PpLaunch, gives_workers_an_empty_input) {
  EXPECT_EQ(run({"-n", "2", "-q"}, {"--worker", "listen; join; echo; serve"}, "for the driver\n"),
            0);
  EXPECT_EQ(out_, "[1] read \n");
}

TEST_F(PpLaunch, runs_a_program_alone_without_a_key_or_a_network) {
  EXPECT_EQ(run({"-n", "1"},
                {"--driver", "variable PP_LISTEN; variable PP_KEY_FILE; variable PP_ROLE; exit 5"}),
            5);
  EXPECT_EQ(out_, "PP_LISTEN=\nPP_KEY_FILE=\nPP_ROLE=driver\n");
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(PpLaunch, keeps_its_key_to_itself_and_on_no_disk) {
  const std::string gate = folder_ / "gate";
  Process launch(command({"-n", "2"}, {"--driver",
                                       "listen; variable PP_KEY_FILE; key; await " + gate +
                                           "; gather; key; trap 15; hang",
                                       "--worker", "listen; join; key; serve"}),
                 setting());
  launch.wait_for_line("PP_KEY_FILE=/proc/self/fd/");
  launch.wait_for_line("key 600");
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "a key lies in a folder";
  std::ofstream(gate).flush();
  launch.wait_for_line("nodes are there");
  launch.wait_for_line("[1] key 600");
  launch.wait_until([&] { return count(launch.out(), "\nkey 600") == 2; },
                    "the driver to find the key again");
}

TEST_F(PpLaunch, uses_the_key_that_it_is_given_and_leaves_it_where_it_is) {
  const std::string key = folder_ / "mine";
  Process keygen({PP_KEYGEN_PROGRAM, key});
  ASSERT_EQ(keygen.wait(), 0);
  EXPECT_EQ(run({"-n", "2", "-q", "--key-file", key},
                {"--driver", "listen; gather; variable PP_KEY_FILE"}),
            0);
  EXPECT_EQ(out_, "PP_KEY_FILE=" + key + "\n");
  EXPECT_TRUE(std::filesystem::exists(key));
}

// --- who did not join, and why

TEST_F(PpLaunch, names_a_program_that_does_not_exist) {
  Process launch({PP_LAUNCH_PROGRAM, "-n", "2", "--", "./no-such-program"});
  EXPECT_EQ(launch.wait(), 127);
  EXPECT_THAT(launch.err(), HasSubstr("exec: ./no-such-program: No such file"));
}

TEST_F(PpLaunch, names_a_program_that_may_not_be_executed) {
  std::ofstream(folder_ / "data") << "data";
  Process launch({PP_LAUNCH_PROGRAM, "-n", "2", "--", folder_ / "data"});
  EXPECT_EQ(launch.wait(), 126);
  EXPECT_THAT(launch.err(), HasSubstr("is not executable"));
}

TEST_F(PpLaunch, names_a_script_without_an_interpreter) {
  std::ofstream(folder_ / "script") << "echo hello\n";
  ::chmod((folder_ / "script").c_str(), 0755);
  Process launch({PP_LAUNCH_PROGRAM, "-n", "2", "--", folder_ / "script"}, setting());
  EXPECT_EQ(launch.wait(), 126);
  EXPECT_THAT(launch.err(), HasSubstr("not a program for this machine"));
  EXPECT_EQ(leftovers(), 0u);
}

TEST_F(PpLaunch, returns_the_code_of_a_driver_that_ends_before_it_opens_its_port) {
  EXPECT_EQ(run({"-n", "2"}, {"--driver", "err bad argument\\n; exit 9"}), 9);
  EXPECT_THAT(err_, AllOf(HasSubstr("bad argument"),
                          HasSubstr("ended: it ended with code 9 before it opened its port")));
}

TEST_F(PpLaunch, says_that_a_program_which_ended_well_at_once_had_no_workers) {
  EXPECT_EQ(run({"-n", "2"}, {"--driver", "out usage\\n; exit 0"}), 0);
  EXPECT_EQ(out_, "usage\n");
  EXPECT_THAT(err_, HasSubstr("no worker was started"));
}

TEST_F(PpLaunch, fails_when_the_driver_ends_well_before_all_workers_are_there) {
  EXPECT_EQ(run({"-n", "2"}, {"--driver", "listen; exit 0"}), 3);
  EXPECT_THAT(err_, HasSubstr("ended with code 0 before all workers had joined"));
}

TEST_F(PpLaunch, names_a_driver_that_never_opens_its_port) {
  EXPECT_EQ(run({"-n", "3", "--join-timeout", "1"}, {"--driver", "hang"}), 3);
  EXPECT_THAT(
      err_,
      ContainsRegex("node 0 \\(driver\\) \\(pid [0-9]+\\): listening: it runs but has not opened"));
  EXPECT_THAT(err_, HasSubstr("node 2: not started"));
}

TEST_F(PpLaunch, names_workers_that_end_before_they_join_without_waiting_for_the_limit) {
  EXPECT_EQ(run({"-n", "3", "--join-timeout", "3600"}, {"--worker", "err no\\n; exit 7"}), 3);
  EXPECT_THAT(err_, HasSubstr("1 of 3 nodes are there; missing:"));
  EXPECT_THAT(
      err_, ContainsRegex(
                "node 1 \\(pid [0-9]+\\): ended: it ended with code 7 before it opened its port"));
  EXPECT_THAT(
      err_, ContainsRegex(
                "node 2 \\(pid [0-9]+\\): ended: it ended with code 7 before it opened its port"));
  EXPECT_THAT(err_, HasSubstr("[1] no\n"));
}

TEST_F(PpLaunch, names_the_one_worker_that_dies_by_a_signal) {
  EXPECT_EQ(
      run({"-n", "3", "--join-timeout", "3600"}, {"--odd", folder_ / "odd", "listen; die 12"}), 3);
  EXPECT_THAT(err_, HasSubstr("ended: it was killed by SIGUSR2"));
  EXPECT_THAT(err_, HasSubstr("before it joined the driver"));
  EXPECT_THAT(err_, HasSubstr("2 of 3 nodes are there"));
}

TEST_F(PpLaunch, names_a_worker_that_never_opens_its_port) {
  EXPECT_EQ(run({"-n", "2", "--join-timeout", "1"}, {"--worker", "hang"}), 3);
  EXPECT_THAT(err_, ContainsRegex("node 1 \\(pid [0-9]+\\): listening: "));
}

TEST_F(PpLaunch, names_a_worker_that_cannot_reach_the_driver) {
  const std::string worker = "listen; report unreachable 127.0.0.1:1 connection refused; hang";
  EXPECT_EQ(run({"-n", "2", "--join-timeout", "1"}, {"--worker", worker}), 3);
  EXPECT_THAT(err_, HasSubstr("connect: it could not reach 127.0.0.1:1: connection refused"));
}

TEST_F(PpLaunch, names_a_worker_that_was_refused) {
  const std::string worker = "listen; report refused its key is another; hang";
  EXPECT_EQ(run({"-n", "2", "--join-timeout", "1"}, {"--worker", worker}), 3);
  EXPECT_THAT(err_, ContainsRegex("node 1 \\(pid [0-9]+\\): refused: its key is another"));
}

// --- signals

// Driver and workers wait for ever; the test does not start before all are there.
class PpLaunchRunning : public PpLaunch {
 protected:
  void start(std::vector<std::string> options, std::string driver,
             std::string worker = "listen; join; serve") {
    launch_ = std::make_unique<Process>(
        command(std::move(options),
                {"--driver", "listen; gather; pid; " + driver, "--worker", worker}),
        setting());
    const std::string line = launch_->wait_for_line("my pid ");
    launch_->wait_for_line("nodes are there");
    driver_ = std::stoi(line.substr(line.rfind(' ')));
  }
  void expect_the_end(ShellCode code) {
    EXPECT_EQ(launch_->wait(), code) << launch_->err();
    EXPECT_THAT(launch_->family(), IsEmpty());
    EXPECT_EQ(leftovers(), 0u);
  }
  std::vector<pid_t> workers() const { return launch_->family_with("PP_ROLE=worker"); }

  std::unique_ptr<Process> launch_;
  pid_t driver_ = 0;
};

TEST_F(PpLaunchRunning, hands_each_ending_signal_to_the_driver_and_ends_with_it) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    start({"-n", "3"}, "hang");
    launch_->signal(signal);
    expect_the_end(128 + signal);
  }
}

TEST_F(PpLaunchRunning, lets_the_driver_decide_what_a_signal_means) {
  start({"-n", "2"}, "trap 2; trap 10; out armed\\n; hang");
  launch_->wait_for_line("armed");
  launch_->signal(SIGUSR1);
  launch_->wait_for_line("got USR1");
  launch_->signal(SIGINT);
  launch_->wait_for_line("got INT");
  EXPECT_TRUE(launch_->running());
  EXPECT_THAT(workers(), SizeIs(1));
}

TEST_F(PpLaunchRunning, asks_everybody_to_end_at_the_second_signal_and_kills_at_the_third) {
  start({"-n", "2"}, "trap 2; trap 15; out armed\\n; hang", "trap 15; listen; join; hang");
  launch_->wait_for_line("armed");
  launch_->signal(SIGINT);
  launch_->wait_for_line("SIGINT: the driver is asked to end; once more ends everything");
  launch_->wait_for_line("got INT");
  EXPECT_THAT(workers(), SizeIs(1)) << "the driver has said nothing of an end";
  // The same signal again at once would be taken for one.
  launch_->wait_until(
      [&] {
        launch_->signal(SIGINT);
        return launch_->out().find("got TERM") != std::string::npos;
      },
      "the second signal to count");
  launch_->wait_for_line("[1] got TERM");
  launch_->wait_until(
      [&] {
        launch_->signal(SIGINT);
        return !launch_->running();
      },
      "the third signal to count");
  expect_the_end(128 + SIGINT);
  EXPECT_EQ(count(launch_->out(), "got INT"), 1u);
}

// A driver that winds up says so, and then the workers are asked to leave.
TEST_F(PpLaunchRunning, lets_the_workers_leave_when_the_driver_winds_up) {
  start({"-n", "3", "--respawn"}, "report drains; await " + (folder_ / "gate") + "; exit 130",
        "trap 15; listen; join; serve");
  launch_->wait_for_line("[1] got TERM");
  launch_->wait_for_line("[2] got TERM");
  std::ofstream(folder_ / "gate").flush();
  expect_the_end(130);
  EXPECT_THAT(launch_->err(), Not(HasSubstr("started again")));
}

TEST_F(PpLaunch, checks_whether_the_nodes_come_together_and_ends_them) {
  const std::vector<std::string> nodes{"--driver", "listen; gather; hang", "--worker",
                                       "listen; join; serve"};
  EXPECT_EQ(run({"-n", "3", "--check", "-q", "--joblog", folder_ / "log"}, nodes), 0) << err_;
  EXPECT_THAT(err_, AllOf(HasSubstr("3 nodes are there"), HasSubstr("provider"),
                          HasSubstr("pp-launch: check: all nodes can be used")));
  EXPECT_EQ(run({"-n", "2", "--check"}, {"--worker", "exit 3"}), 3);
  EXPECT_THAT(err_, HasSubstr("ended: it ended with code 3"));
  EXPECT_EQ(run({"-n", "1", "--check"}, {}), 2);
  EXPECT_EQ(run({"--check"}, {}), 2);
}

TEST_F(PpLaunchRunning, takes_a_signal_before_all_are_there_for_the_end) {
  Process launch(
      command({"-n", "2"}, {"--driver", "listen; out waiting\\n; hang", "--worker", "hang"}),
      setting());
  launch.wait_for_line("waiting");
  launch.signal(SIGINT);
  EXPECT_EQ(launch.wait(), 128 + SIGINT);
  EXPECT_THAT(launch.err(), HasSubstr("interrupted before all nodes were there"));
  EXPECT_THAT(launch.family(), IsEmpty());
  EXPECT_EQ(leftovers(), 0u);
}

TEST_F(PpLaunchRunning, hands_SIGUSR1_to_every_node_that_would_not_die_of_it) {
  const std::string gate = folder_ / "gate";
  start({"-n", "3"}, "trap 10; out armed\\n; hang",
        "listen; join; await " + gate + "; trap 10; out armed\\n; serve");
  launch_->wait_until([&] { return count(launch_->out(), "armed") == 1; }, "the driver");
  launch_->signal(SIGUSR1);
  launch_->wait_for_line("got USR1");
  EXPECT_THAT(workers(), SizeIs(2)) << "one that was not prepared died";
  std::ofstream(gate).flush();
  launch_->wait_until([&] { return count(launch_->out(), "armed") == 3; }, "all nodes");
  launch_->signal(SIGUSR1);
  launch_->wait_for_line("[1] got USR1");
  launch_->wait_for_line("[2] got USR1");
  launch_->signal(SIGTERM);
  expect_the_end(128 + SIGTERM);
}

TEST_F(PpLaunchRunning, stops_and_continues_all_nodes_together) {
  start({"-n", "3"}, "hang");
  const std::vector<pid_t> nodes = workers();
  ASSERT_THAT(nodes, SizeIs(2));
  const auto all_in_state = [&](char state) {
    for (const pid_t pid : launch_->family()) {
      std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
      std::string line;
      std::getline(stat, line);
      const std::size_t name_end = line.rfind(')');
      if (name_end == std::string::npos) return false;
      if ((line[name_end + 2] == 'T') != (state == 'T')) return false;
    }
    return true;
  };
  launch_->signal(SIGTSTP);
  launch_->wait_until([&] { return all_in_state('T'); }, "all processes to stop");
  launch_->signal(SIGCONT);
  launch_->wait_until([&] { return all_in_state('S'); }, "all processes to go on");
  launch_->signal(SIGTERM);
  expect_the_end(128 + SIGTERM);
}

// --- the end

TEST_F(PpLaunchRunning, reports_a_worker_that_dies_and_goes_on) {
  start({"-n", "3"}, "hang");
  const std::vector<pid_t> nodes = workers();
  ASSERT_THAT(nodes, SizeIs(2));
  ::kill(nodes.front(), SIGKILL);
  EXPECT_THAT(launch_->wait_for_line("the run goes on"),
              ContainsRegex("node [12] \\(pid " + std::to_string(nodes.front()) +
                            "\\) was killed by SIGKILL \\(9: killed\\) after [0-9.]+ "
                            "[a-z]+, peak memory [0-9.]+ [KM]iB; the run goes on"));
  EXPECT_TRUE(launch_->running());
  EXPECT_THAT(workers(), ElementsAre(nodes.back()));
  ::kill(driver_, SIGTERM);
  expect_the_end(128 + SIGTERM);
}

// A program whose one worker does something else once all are there and the gate is open.
class PpLaunchWithAnOddWorker : public PpLaunchRunning {
 protected:
  std::string open_gate_and_wait_for(const std::string& line) {
    std::ofstream(gate_).flush();
    return launch_->wait_for_line(line);
  }
  void start_with(const std::string& last_act, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"-n", "2"});
    start(std::move(options), "hang", "listen; join; await " + gate_ + "; " + last_act);
  }

  const std::string gate_ = folder_ / "gate";
};

TEST_F(PpLaunchWithAnOddWorker, reports_a_worker_that_segfaults) {
  start_with("die 11");
  EXPECT_THAT(open_gate_and_wait_for("the run goes on"),
              ContainsRegex("node 1 \\(pid [0-9]+\\) was killed by SIGSEGV \\(11: segmentation "
                            "fault(; core dumped)?\\) after [0-9.]+ "));
  ::kill(driver_, SIGTERM);
  expect_the_end(128 + SIGTERM);
}

TEST_F(PpLaunchWithAnOddWorker, reports_a_worker_that_ends_with_a_code) {
  start_with("exit 3");
  EXPECT_THAT(open_gate_and_wait_for("the run goes on"),
              ContainsRegex("node 1 \\(pid [0-9]+\\) ended with code 3 after [0-9.]+ "));
  EXPECT_THAT(launch_->err(), Not(HasSubstr("started again")));
  ::kill(driver_, SIGTERM);
  expect_the_end(128 + SIGTERM);
}

TEST_F(PpLaunchWithAnOddWorker, does_not_start_again_what_dies_again_and_again) {
  start_with("exit 3", {"--respawn"});
  EXPECT_THAT(open_gate_and_wait_for("is not started again"),
              HasSubstr("node 1 ended within 1 s of its start 3 times in a row"));
  EXPECT_GE(count(launch_->err(), "node 1 is started again (pid "), 2u);
  EXPECT_GE(count(launch_->err(), "ended with code 3"), 3u);
  EXPECT_THAT(workers(), IsEmpty());
  EXPECT_TRUE(launch_->running());
  ::kill(driver_, SIGTERM);
  expect_the_end(128 + SIGTERM);
}

TEST_F(PpLaunchRunning, replaces_workers_that_die_and_ends_their_replacements_too) {
  const std::string gate = folder_ / "gate";
  start({"-n", "3", "--respawn"}, "await " + gate + "; exit 7",
        "listen; join; out at work\\n; serve");
  launch_->wait_until([&] { return count(launch_->out(), "at work") == 2; }, "both workers");
  for (std::size_t deaths = 1; deaths <= 2; ++deaths) {
    ::kill(workers().front(), SIGKILL);
    launch_->wait_until([&] { return count(launch_->out(), "at work") == 2 + deaths; },
                        "the replacement");
    EXPECT_EQ(count(launch_->err(), "was killed by SIGKILL"), deaths);
    EXPECT_EQ(count(launch_->err(), "is started again (pid "), deaths);
    EXPECT_THAT(workers(), SizeIs(2));
  }
  std::ofstream(gate).flush();
  expect_the_end(7);
  EXPECT_EQ(count(launch_->err(), "is started again (pid "), 2u) << "at the end nobody is replaced";
}

TEST_F(PpLaunchRunning, replaces_no_more_workers_than_it_was_allowed) {
  start({"-n", "3", "--respawn=1"}, "hang");
  ::kill(workers().front(), SIGKILL);
  launch_->wait_for_line("is started again");
  launch_->wait_until([&] { return workers().size() == 2; }, "the replacement");
  ::kill(workers().front(), SIGKILL);
  EXPECT_THAT(launch_->wait_for_line("is not started again"),
              HasSubstr("--respawn=1 has been used up"));
  EXPECT_THAT(workers(), SizeIs(1));
  launch_->signal(SIGTERM);
  expect_the_end(128 + SIGTERM);
}

TEST_F(PpLaunchRunning, does_not_replace_workers_that_leave_in_order) {
  const std::string gate = folder_ / "gate";
  start({"-n", "3", "--respawn"}, "hang", "listen; join; await " + gate + "; exit 0");
  std::ofstream(gate).flush();
  launch_->wait_until([&] { return workers().empty(); }, "the workers' end");
  launch_->signal(SIGTERM);
  expect_the_end(128 + SIGTERM);
  EXPECT_THAT(launch_->err(), Not(HasSubstr("started again")));
}

// Nobody is replaced who was not there at all: the cause is shown instead.
TEST_F(PpLaunch, replaces_no_worker_before_all_were_there) {
  EXPECT_EQ(run({"-n", "2", "--respawn"}, {"--worker", "exit 3"}), 3);
  EXPECT_THAT(err_, HasSubstr("ended with code 3 before it opened its port"));
  EXPECT_THAT(err_, Not(HasSubstr("started again")));
}

TEST_F(PpLaunch, is_told_to_replace_workers_by_its_environment) {
  Process::Setting with = setting();
  with.environment.push_back("PP_RESPAWN=0x5");
  Process wrong({PP_LAUNCH_PROGRAM, "-n", "1", "--", "true"}, with);
  EXPECT_EQ(wrong.wait(), 2);
  EXPECT_THAT(wrong.err(), HasSubstr("--respawn=0x5: expected how many workers"));
  with.environment.back() = "PP_RESPAWN=on";
  Process launch(command({"-n", "2"}, {"--driver", "listen; gather; hang", "--worker",
                                       "listen; join; out at work\\n; serve"}),
                 with);
  launch.wait_for_line("at work");
  launch.wait_for_line("nodes are there");
  ::kill(launch.family_with("PP_ROLE=worker").front(), SIGKILL);
  launch.wait_for_line("node 1 is started again");
}

TEST_F(PpLaunchRunning, leaves_nothing_when_it_is_killed_itself) {
  start({"-n", "3"}, "hang", "ignore 15; listen; join; hang");
  EXPECT_THAT(launch_->family(), SizeIs(4));
  launch_->signal(SIGKILL);
  launch_->wait_until_nothing_is_left(seconds{20});
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(PpLaunch, leaves_nothing_when_it_is_killed_before_all_are_there) {
  Process launch(command({"-n", "3"}, {"--worker", "out waiting\\n; hang"}), setting());
  launch.wait_for_line("waiting");
  launch.signal(SIGKILL);
  launch.wait_until_nothing_is_left(seconds{20});
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(PpLaunchRunning, kills_workers_that_do_not_end_when_the_driver_was_killed) {
  start({"-n", "3"}, "hang", "ignore 15; listen; join; hang");
  ::kill(driver_, SIGKILL);
  expect_the_end(128 + SIGKILL);
  EXPECT_EQ(count(launch_->err(), "did not end when asked and is killed"), 2u);
}

TEST_F(PpLaunchRunning, is_faster_when_the_user_is_impatient) {
  start({"-n", "2"}, "hang", "ignore 15; listen; join; hang");
  ::kill(driver_, SIGTERM);
  launch_->wait_until([&] { return launch_->family().size() == 2; }, "the driver's end");
  launch_->signal(SIGINT);   // asked to end at once
  launch_->signal(SIGTERM);  // killed at once
  expect_the_end(128 + SIGTERM);
}

TEST_F(PpLaunch, ends_what_nodes_have_left_behind) {
  EXPECT_EQ(run({"-n", "2"},
                {"--driver", "stray; listen; gather", "--worker", "stray; listen; join; serve"}),
            0);
}

TEST_F(PpLaunch, waits_for_workers_that_still_have_something_to_say) {
  Process launch(command({"-n", "2"}, {"--worker", "listen; join; serve; await " +
                                                       (folder_ / "gate") + "; out bye\\n"}),
                 setting());
  launch.wait_for_line("nodes are there");
  launch.wait_until([&] { return launch.family_with("PP_ROLE=driver").empty(); },
                    "the driver's end");
  std::ofstream(folder_ / "gate").flush();
  EXPECT_EQ(launch.wait(), 0);
  EXPECT_THAT(launch.out(), HasSubstr("[1] bye\n"));
}

// --- the command line

struct Line {
  std::vector<std::string> words;
  std::string sentence;
};

TEST(PpLaunchCommandLine, answers_nonsense_with_one_sentence_and_code_2) {
  const std::vector<Line> lines = {
      {{}, "no program was named"},
      {{"./app"}, "--nodes is required"},
      {{"--discover=foo", "--", "./app"}, "expected on, or group="},
      {{"--daemons", "nonsense", "--", "./app"}, "expected host:port"},
      {{"-n", "2", "--timeout", "5", "./app"},
       "--timeout is about hosts, expected -H or --hostfile"},
      {{"-n", "2", "--stage", "./app"}, "--stage is about hosts"},
      {{"--dry-run", "./app"}, "--dry-run is about hosts"},
      {{"-n", "0", "--", "true"}, "not in range"},
      {{"-n", "many", "--", "true"}, "not in range"},
      {{"-n", "2"}, "no program was named"},
      {{"-n", "2", "--"}, "no program was named"},
      {{"-n", "2", "--colour", "--", "true"}, "no option is called --colour"},
      {{"-n", "2", "--workers", "0", "--", "true"}, "not in range"},
      {{"-n", "2", "--respawn=many", "--", "true"}, "expected how many workers"},
      {{"-n", "2", "--listen", "nowhere", "--", "true"}, "expected host:port"},
      {{"-n", "2", "--key-file", "/no/such/key", "--", "true"}, "/no/such/key"},
  };
  for (const Line& line : lines) {
    std::vector<std::string> words{PP_LAUNCH_PROGRAM};
    words.insert(words.end(), line.words.begin(), line.words.end());
    Process launch(words);
    EXPECT_EQ(launch.wait(), 2) << line.sentence;
    EXPECT_THAT(launch.err(), AllOf(StartsWith("pp-launch: "), HasSubstr(line.sentence)));
    EXPECT_EQ(count(launch.err(), "\n"), 1u) << launch.err();
    EXPECT_THAT(launch.out(), IsEmpty());
  }
}

TEST(PpLaunchCommandLine, hands_everything_behind_the_program_to_it) {
  Process with({PP_LAUNCH_PROGRAM, "-n", "1", "--", "echo", "-n", "4", "--", "--help"});
  EXPECT_EQ(with.wait(), 0);
  EXPECT_EQ(with.out(), "4 -- --help");  // echo -n
  Process without({PP_LAUNCH_PROGRAM, "-n", "1", "echo", "a", "-n", "4", "--", "--help"});
  EXPECT_EQ(without.wait(), 0);
  EXPECT_EQ(without.out(), "a -n 4 -- --help\n");
}

TEST(PpLaunchCommandLine, tells_its_version_and_its_use) {
  Process version({PP_LAUNCH_PROGRAM, "--version"});
  EXPECT_EQ(version.wait(), 0);
  EXPECT_THAT(version.out(),
              ::testing::MatchesRegex("pp-launch [0-9.]+ \\(wire version [0-9]+, ABI [0-9]+\\)\n"));
  Process help({PP_LAUNCH_PROGRAM, "--help"});
  EXPECT_EQ(help.wait(), 0);
  EXPECT_THAT(help.out(), AllOf(HasSubstr("Usage: pp-launch -n N"), HasSubstr("Examples:")));
}

}  // namespace
}  // namespace pp::test
