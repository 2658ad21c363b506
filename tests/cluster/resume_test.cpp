// Drivers that die and go on from their job log: the answer is right, and little is repeated.
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <thread>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class Resume : public Cluster {
 protected:
  // Elements of each of the program's two batches: four to a piece.
  static constexpr std::uint64_t kElements = 256;
  static constexpr char kAnswer[] = "sums 5559680 5559680\n";

  std::vector<std::string> program(int milliseconds) const {
    return {SUMS_PROGRAM, std::to_string(kElements), std::to_string(milliseconds), executed_};
  }
  std::vector<std::string> resuming(int nodes, int milliseconds = 1) const {
    return launch(nodes, program(milliseconds), {"--joblog", log_, "--resume"});
  }
  // Elements that were run to their end, by anybody, in all lives.
  std::uint64_t executed() const {
    return std::filesystem::exists(executed_) ? std::filesystem::file_size(executed_) : 0;
  }

  const std::string log_ = folder_ / "log";
  const std::string executed_ = folder_ / "executed";
};

// What may be lost with a driver: elements that run, or are finished in the other nodes' pieces
// (which come home as wholes), or were finished within the last milliseconds. Were nothing kept,
// each life would run dozens again; were anything kept that is not so, the sums would be wrong.
TEST_F(Resume, a_driver_killed_twenty_times_repeats_little_and_ends_with_the_right_answer) {
  constexpr int kLives = 20;
  constexpr int kNodes = 3;
  constexpr std::uint64_t kLostPerLife = 16;
  const char* given = std::getenv("PP_TEST_SEED");
  const auto seed = static_cast<std::mt19937::result_type>(
      given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device{}());
  std::cout << "PP_TEST_SEED=" << seed << std::endl;
  std::mt19937 random(seed);
  int killed = 0;
  for (int life = 0; life < kLives; ++life) {
    Process run(resuming(kNodes, 20));
    // Before there is a log, or within the work. The moment is what is random here.
    if (random() % 4 != 0) run.wait_for_line("nodes are there");
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 500));
    const std::vector<pid_t> driver = run.family_with("PP_ROLE=driver");
    if (random() % 4 == 0 || driver.empty()) {
      run.signal(SIGKILL);  // the launch, which takes all with it
    } else {
      ::kill(driver.front(), SIGKILL);
    }
    killed += run.wait() == 128 + SIGKILL;
    run.wait_until_nothing_is_left(seconds{30});
  }
  EXPECT_GT(killed, 0) << "every life came to its end";
  Process last(resuming(kNodes, 20));
  EXPECT_EQ(last.wait(), 0) << last.err();
  EXPECT_THAT(last.out(), HasSubstr(kAnswer));
  EXPECT_THAT(last.out(), HasSubstr("of 512 elements taken from the job log"));
  EXPECT_THAT(last.out(), Not(HasSubstr(" 0 of 512 elements"))) << "nothing was kept";
  std::cout << killed << " killed, " << executed() << " executions of " << 2 * kElements
            << " elements; the last: " << lines_with(last.out(), "elapsed").at(0) << std::endl;
  EXPECT_GE(executed(), 2 * kElements);
  EXPECT_LE(executed(), 2 * kElements + kLostPerLife * static_cast<std::uint64_t>(killed));
}

TEST_F(Resume, a_program_that_was_done_runs_nothing_again) {
  for (int life = 0; life < 3; ++life) {
    Process run(resuming(life == 1 ? 1 : 3));
    EXPECT_EQ(run.wait(), 0) << run.err();
    EXPECT_THAT(run.out(), HasSubstr(kAnswer));
    EXPECT_EQ(executed(), 2 * kElements);
  }
}

TEST_F(Resume, a_log_that_exists_is_refused_without_the_word) {
  Process first(launch(1, program(0), {"--joblog", log_}));
  EXPECT_EQ(first.wait(), 0) << first.err();
  const auto size = std::filesystem::file_size(log_);
  Process second(launch(2, program(0), {"--joblog", log_}));
  EXPECT_NE(second.wait(), 0);
  EXPECT_THAT(second.err(), AllOf(HasSubstr(log_), HasSubstr("add --resume")));
  EXPECT_EQ(std::filesystem::file_size(log_), size);
  EXPECT_EQ(executed(), 2 * kElements);
}

TEST_F(Resume, to_resume_without_a_log_is_a_mistake) {
  Process run(launch(1, program(0), {"--resume"}));
  EXPECT_EQ(run.wait(), 2);
  EXPECT_THAT(run.err(), HasSubstr("--joblog"));
}

TEST_F(Resume, the_log_of_another_program_is_refused) {
  Process first(launch(1, program(0), {"--joblog", log_}));
  EXPECT_EQ(first.wait(), 0) << first.err();
  Process other(launch(1, {SPREAD_PROGRAM, "hold"}, {"--joblog", log_, "--resume"}));
  EXPECT_EQ(other.wait(), 1);
  EXPECT_THAT(other.err(), HasSubstr("written by another program"));
}

TEST_F(Resume, another_input_is_refused) {
  Process first(launch(1, program(0), {"--joblog", log_}));
  EXPECT_EQ(first.wait(), 0) << first.err();
  Process other(launch(1, {SUMS_PROGRAM, "300", "0", executed_}, {"--joblog", log_, "--resume"}));
  EXPECT_EQ(other.wait(), 1);
  EXPECT_THAT(other.err(), AllOf(HasSubstr("batch 1 of this run"), HasSubstr("300 calls of"),
                                 HasSubstr("256 calls of")));
}

TEST_F(Resume, one_log_serves_one_driver_at_a_time) {
  Process holder({SPREAD_PROGRAM, "hold"}, held_open({"PP_JOBLOG=" + log_}));
  holder.wait_for_line("holding");
  Process other({SPREAD_PROGRAM, "hold"}, held_open({"PP_JOBLOG=" + log_, "PP_RESUME=on"}));
  EXPECT_EQ(other.wait(), 1);
  EXPECT_THAT(other.err(), HasSubstr("in use by another driver"));
  holder.close_input();
  EXPECT_EQ(holder.wait(), 0) << holder.err();
}

// A limit on the size of files is met as a full disk is.
TEST_F(Resume, a_run_whose_log_cannot_grow_goes_on_and_can_be_resumed_from_what_there_is) {
  std::string command = "ulimit -f 4; exec";
  for (const std::string& word : program(1)) command += " '" + word + "'";
  Process::Setting setting;
  setting.environment = {"PP_JOBLOG=" + log_, "PP_WORKERS=2"};
  Process run({"bash", "-c", command}, setting);
  EXPECT_EQ(run.wait(), 0) << run.err();
  EXPECT_THAT(run.out(), HasSubstr(kAnswer));
  EXPECT_THAT(lines_with(run.err(), "NOTHING MORE IS RECORDED"), SizeIs(1));
  EXPECT_EQ(executed(), 2 * kElements);
  Process again(launch(1, program(1), {"--joblog", log_, "--resume"}));
  EXPECT_EQ(again.wait(), 0) << again.err();
  EXPECT_THAT(again.out(), HasSubstr(kAnswer));
  EXPECT_GT(executed(), 2 * kElements);
  EXPECT_LT(executed(), 4 * kElements);
}

}  // namespace
}  // namespace pp::test
