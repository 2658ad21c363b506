// RollCall: lines and exits in, verdict, table and reasons out.
#include "roll_call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace pp::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using Verdict = RollCall::Verdict;

// A launch of `nodes` nodes whose processes are 100, 101, ... and a clock that moves when told.
struct Launched {
  explicit Launched(unsigned nodes) : roll(nodes, 2, {}, Time{}) { roll.started(0, 100, now); }

  void say(unsigned node, const std::string& line) { roll.said(node, parse_report(line), now); }
  void listen(unsigned node) { say(node, "listening 127.0.0.1:" + std::to_string(4000 + node)); }
  void start(unsigned node) { roll.started(node, 100 + static_cast<int>(node), now); }
  void join(unsigned node) {
    start(node);
    listen(node);
    say(node, "joined aaaaaaaa host:100 127.0.0.1:4000 3 tcp;ofi_rxm");
    say(node, "ready");
  }
  Verdict verdict() const { return roll.verdict(now); }

  Time now{};
  RollCall roll;
};

TEST(RollCall, is_complete_when_the_driver_and_every_worker_say_that_they_are_ready) {
  Launched launch(3);
  launch.listen(0);
  EXPECT_EQ(launch.roll.driver_address(), "127.0.0.1:4000");
  launch.join(1);
  launch.join(2);
  EXPECT_EQ(launch.verdict(), Verdict::kGathering);
  launch.say(0, "ready");
  EXPECT_EQ(launch.verdict(), Verdict::kComplete);
}

TEST(RollCall, takes_the_drivers_word_when_a_workers_own_word_is_late) {
  Launched launch(2);
  launch.listen(0);
  launch.start(1);
  launch.say(1, "ready");  // but not yet what carries its session
  launch.say(0, "ready");
  EXPECT_EQ(launch.verdict(), Verdict::kGathering);
  EXPECT_EQ(launch.roll.due(), launch.now + milliseconds(500));
  launch.now = launch.roll.due();
  EXPECT_EQ(launch.verdict(), Verdict::kComplete);
}

TEST(RollCall, is_complete_when_a_ready_driver_has_already_finished) {
  Launched launch(2);
  launch.listen(0);
  launch.start(1);
  launch.say(0, "ready");
  launch.roll.ended(0, {}, launch.now);
  EXPECT_EQ(launch.verdict(), Verdict::kGathering);  // the worker may still tell how it joined
  launch.roll.ended(1, {}, launch.now);
  EXPECT_EQ(launch.verdict(), Verdict::kComplete);
}

TEST(RollCall, shows_in_its_table_what_each_node_said_of_itself_and_of_others) {
  Launched launch(2);
  launch.listen(0);
  launch.start(1);
  launch.listen(1);
  launch.now += milliseconds(42);
  launch.say(0, "joined bbbbbbbb host name:101 127.0.0.1:4001 7 tcp;ofi_rxm");
  launch.say(1, "joined aaaaaaaa host name:100 127.0.0.1:4000 3 tcp;ofi_rxm");
  launch.say(1, "ready");
  const std::string table = launch.roll.table();
  EXPECT_THAT(table, testing::ContainsRegex("0 +100 +127.0.0.1:4000 +3 +\\(driver\\)"));
  EXPECT_THAT(table, testing::ContainsRegex("1 +101 +127.0.0.1:4001 +7 +tcp;ofi_rxm +42 ms"));
}

TEST(RollCall, waits_no_longer_than_its_limit) {
  Launched launch(2);
  launch.listen(0);
  launch.start(1);
  EXPECT_EQ(launch.roll.due(), launch.now + seconds(30));
  launch.now += seconds(30) - milliseconds(1);
  EXPECT_EQ(launch.verdict(), Verdict::kGathering);
  launch.now += milliseconds(1);
  EXPECT_EQ(launch.verdict(), Verdict::kIncomplete);
}

TEST(RollCall, gives_up_soon_after_a_worker_has_ended_but_first_hears_the_others) {
  Launched launch(3);
  launch.listen(0);
  launch.start(1);
  launch.start(2);
  launch.roll.ended(1, {.code = 7}, launch.now);
  EXPECT_EQ(launch.verdict(), Verdict::kGathering);
  launch.now += milliseconds(100);
  launch.roll.ended(2, {.signal = SIGSEGV}, launch.now);
  launch.now += milliseconds(200);
  EXPECT_EQ(launch.verdict(), Verdict::kIncomplete);
  EXPECT_THAT(launch.roll.missing(),
              HasSubstr("node 1 (pid 101): ended: it ended with code 7 before it opened"));
  EXPECT_THAT(launch.roll.missing(), HasSubstr("node 2 (pid 102): ended: it was killed by SIGSEGV "
                                               "(11: segmentation fault) before it opened"));
}

TEST(RollCall, gives_up_at_once_when_the_driver_has_ended_or_given_up) {
  Launched ended(2);
  ended.roll.ended(0, {.code = 1}, ended.now);
  EXPECT_EQ(ended.verdict(), Verdict::kIncomplete);

  Launched gave_up(2);
  gave_up.listen(0);
  gave_up.say(0, "missing 1");
  EXPECT_EQ(gave_up.verdict(), Verdict::kIncomplete);
}

TEST(RollCall, does_not_believe_a_worker_that_claims_that_nodes_are_missing) {
  Launched launch(2);
  launch.listen(0);
  launch.start(1);
  launch.say(1, "missing 1");
  EXPECT_EQ(launch.verdict(), Verdict::kGathering);
}

TEST(RollCall, names_the_stage_at_which_each_missing_node_stands) {
  Launched launch(7);
  launch.listen(0);
  launch.start(1);
  launch.start(2);
  launch.listen(2);
  launch.start(3);
  launch.listen(3);
  launch.say(3, "unreachable 127.0.0.1:4000 connection refused");
  launch.start(4);
  launch.listen(4);
  launch.say(4, "refused the other side has another key: expected aa, it has bb");
  launch.roll.not_started(5, "./app: Permission denied", launch.now);
  launch.join(6);
  const std::string missing = launch.roll.missing();
  EXPECT_THAT(missing,
              HasSubstr("node 1 (pid 101): listening: it runs but has not opened its port"));
  EXPECT_THAT(missing,
              HasSubstr("node 2 (pid 102): connect: it listens at 127.0.0.1:4002 but has not met"));
  EXPECT_THAT(
      missing,
      HasSubstr(
          "node 3 (pid 103): connect: it could not reach 127.0.0.1:4000: connection refused"));
  EXPECT_THAT(missing, HasSubstr("node 4 (pid 104): refused: the other side has another key"));
  EXPECT_THAT(missing, HasSubstr("node 5: exec: ./app: Permission denied"));
  EXPECT_THAT(missing, Not(HasSubstr("node 0")));
  EXPECT_THAT(missing, Not(HasSubstr("node 6")));
  EXPECT_EQ(launch.roll.present(), 2u);
}

TEST(RollCall, says_why_workers_were_never_started) {
  Launched launch(2);
  launch.now += seconds(30);
  EXPECT_THAT(launch.roll.missing(),
              HasSubstr("node 0 (driver) (pid 100): listening: it runs but"));
  EXPECT_THAT(launch.roll.missing(),
              HasSubstr("node 1: not started: the driver has not opened its port"));
}

TEST(RollCall, repeats_the_last_words_of_a_worker_that_ended) {
  Launched launch(2);
  launch.listen(0);
  launch.start(1);
  launch.say(1, "error no such interface: eth7");
  launch.roll.ended(1, {.code = 1}, launch.now);
  EXPECT_THAT(launch.roll.missing(),
              HasSubstr("before it opened its port; it said: no such interface: eth7"));
}

TEST(RollCall, counts_a_worker_that_joined_and_died_as_missing) {
  Launched launch(3);
  launch.listen(0);
  launch.join(1);
  launch.roll.ended(1, {.signal = SIGKILL}, launch.now);
  launch.now = launch.roll.due();
  EXPECT_EQ(launch.verdict(), Verdict::kIncomplete);
  EXPECT_THAT(launch.roll.missing(),
              HasSubstr("was killed by SIGKILL (9: killed) after it had joined"));
}

TEST(RollCall, repeats_what_the_driver_refused_last) {
  Launched launch(2);
  launch.listen(0);
  launch.start(1);
  launch.say(0, "refused 127.0.0.1:99 has another key");
  EXPECT_THAT(launch.roll.missing(),
              HasSubstr("the driver's last refusal: 127.0.0.1:99 has another key"));
}

TEST(RollCall, shows_no_control_characters_of_a_hostile_line) {
  Launched launch(2);
  launch.say(0, "refused \x1b[2J\x07");
  EXPECT_THAT(launch.roll.missing(), HasSubstr("refusal: \\x1b[2J\\x07"));
}

TEST(RollCall, ignores_lines_that_it_does_not_know) {
  Launched launch(2);
  const std::string before = launch.roll.missing();
  launch.say(0, "sings a song");
  launch.say(0, "");
  EXPECT_EQ(launch.roll.missing(), before);
  EXPECT_EQ(launch.verdict(), Verdict::kGathering);
}

}  // namespace
}  // namespace pp::tools
