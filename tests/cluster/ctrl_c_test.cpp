// Ctrl-C: once it lets a program wind up, twice it ends it; the same on this machine, on hosts that
// ssh reaches and on hosts that run ppd.
#include <csignal>
#include <filesystem>
#include <iostream>
#include <optional>

#include "cluster.hpp"
#include "ssh_hosts.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Where the nodes are: "processes", "hosts" or "daemons".
class CtrlC : public Cluster, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "hosts") {
      const std::string why_not = SshHosts::why_not();
      if (!why_not.empty()) GTEST_SKIP() << why_not;
      hosts_.emplace(2, files_);
    } else if (GetParam() == "daemons") {
      key_ = new_key("daemons.key");
      for (int i = 0; i < 2; ++i) {
        daemons_.push_back(std::make_unique<Process>(std::vector<std::string>{
            PPD_PROGRAM, "--key-file", key_, "--listen", "127.0.0.1:0", "--discover", "off",
            "--cache", folder_ / ("cache" + std::to_string(i))}));
      }
    }
  }
  void TearDown() override {
    if (IsSkipped() || !hosts_) return;
    Process patience({"true"});
    for (int host = 0; host <= 2; ++host) {
      patience.wait_until([&] { return hosts_->running_on(host).empty(); },
                          "the end of all that was started on host " + std::to_string(host));
    }
  }

  // Three nodes with a worker each.
  std::unique_ptr<Process> start(const std::vector<std::string>& program,
                                 const std::vector<std::string>& options = {}) {
    std::vector<std::string> words{PP_LAUNCH_PROGRAM, "--workers", "1", "--join-timeout", "120"};
    if (hosts_) words.insert(words.end(), {"--ssh", hosts_->ssh(), "-H", "h1,h2"});
    if (!daemons_.empty())
      words.insert(words.end(), {"--key-file", key_, "--daemons", addresses_of_daemons()});
    if (!hosts_ && daemons_.empty()) words.insert(words.end(), {"-n", "3"});
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), program.begin(), program.end());
    if (hosts_) words = hosts_->hosts().on(0, words);
    Process::Setting setting;
    setting.environment = {"XDG_RUNTIME_DIR=" + files_.path()};
    return std::make_unique<Process>(words, setting);
  }
  std::string addresses_of_daemons() {
    std::string all;
    for (const auto& daemon : daemons_) {
      const std::string line = daemon->wait_for_line("listening at ");
      const std::size_t begin = line.find("listening at ") + std::string("listening at ").size();
      all += (all.empty() ? "" : ",") + line.substr(begin, line.find_first_of(" ,", begin) - begin);
    }
    return all;
  }
  static void interrupt_until_it_ends(Process& run) {
    // (The same signal again at once would be taken for one.)
    run.wait_until(
        [&] {
          run.signal(SIGINT);
          return !run.running();
        },
        "the second signal to count");
  }
  std::uint64_t executed() const {
    return std::filesystem::exists(executed_) ? std::filesystem::file_size(executed_) : 0;
  }

  const Folder files_;
  std::optional<SshHosts> hosts_;
  std::string key_;
  std::vector<std::unique_ptr<Process>> daemons_;
  const std::string log_ = folder_ / "log", executed_ = folder_ / "executed";
};

// Each element runs once, whichever life it was in: what had begun came to its end, and was kept.
TEST_P(CtrlC, once_lets_end_what_runs_and_the_job_log_has_it) {
  const std::vector<std::string> program{SUMS_PROGRAM, "64", "100", executed_};
  const auto run = start(program, {"--joblog", log_});
  run->wait_until([&] { return executed() > 12; }, "some elements");
  run->signal(SIGINT);
  EXPECT_EQ(run->wait(), 128 + SIGINT) << run->err();
  EXPECT_THAT(run->err(), AllOf(HasSubstr("once more ends everything"),
                                Not(HasSubstr("the run goes on")), Not(HasSubstr("error"))));
  const std::uint64_t before = executed();
  EXPECT_LT(before, 128u);

  const auto again = start(program, {"--joblog", log_, "--resume"});
  EXPECT_EQ(again->wait(), 0) << again->err();
  EXPECT_THAT(again->out(),
              AllOf(HasSubstr("sums 85344 85344\n"),
                    HasSubstr(std::to_string(before) + " of 128 elements taken from the job log")));
  EXPECT_EQ(executed(), 128u);
}

TEST_P(CtrlC, twice_ends_at_once) {
  const auto run = start({SUMS_PROGRAM, "64", "100000", executed_});
  run->wait_for_line("nodes are there");
  run->signal(SIGINT);
  run->wait_for_line("once more ends everything");
  interrupt_until_it_ends(*run);
  EXPECT_EQ(run->wait(), 128 + SIGINT) << run->err();
  run->wait_until_nothing_is_left(seconds{10});
}

TEST_P(CtrlC, is_the_programs_own_business_if_it_has_a_handler) {
  const auto run = start({CTRL_C_PROGRAM, "own"});
  run->wait_for_line("at work");
  run->signal(SIGINT);
  EXPECT_EQ(run->wait(), 7) << run->err();
  EXPECT_THAT(run->out(), HasSubstr("still able to count to 2"));
}

TEST_P(CtrlC, ends_a_map_with_an_error_that_the_program_can_catch) {
  const auto run = start({CTRL_C_PROGRAM, "catches"});
  run->wait_for_line("at work");
  run->signal(SIGINT);
  EXPECT_EQ(run->wait(), 128 + SIGINT) << run->err();
  EXPECT_THAT(run->out(), HasSubstr("ended: pp: the program was asked to end before"));
}

// Without a launcher; the shell that waits sees the program's own code.
class AProgramAlone : public Cluster {};
TEST_F(AProgramAlone, winds_up_too) {
  Process run({CTRL_C_PROGRAM, "catches"});
  run.wait_for_line("at work");
  run.signal(SIGTERM);
  EXPECT_EQ(run.wait(), 128 + SIGTERM) << run.err();
  EXPECT_THAT(run.out(), HasSubstr("ended: pp: the program was asked to end before"));
}

INSTANTIATE_TEST_SUITE_P(On, CtrlC, testing::Values("processes", "hosts", "daemons"),
                         [](const auto& where) { return where.param; });

}  // namespace
}  // namespace pp::test
