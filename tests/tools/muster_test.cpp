// Muster: what becomes of hosts that join, fail, and take their time.
#include "muster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pp::tools {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Stage = Muster::Stage;
using Verdict = Muster::Verdict;

const HostFacts kHost{"Linux", "x86_64", 4, false, 0};

class TheMuster : public testing::Test {
 protected:
  void make(unsigned enough, int hosts, Muster::Limits limits = {}) {
    muster_.emplace(enough, 2, limits, now_);
    for (int i = 1; i <= hosts; ++i) muster_->add("h" + std::to_string(i), {}, now_);
    say(0, "listening 10.0.0.1:7400");
  }
  void say(unsigned host, const std::string& line) {
    muster_->said(host, parse_report(line), now_);
  }
  void pass(int by) {
    now_ += milliseconds(by);
    muster_->check_limits(now_);
  }
  void run(unsigned host) {
    muster_->reaching(host, now_);
    muster_->reached(host, kHost, now_);
    muster_->starting(host, now_);
    muster_->started(host, 4711, now_);
    say(host, "listening 10.0.0.9:1");
  }
  void join(unsigned host) {
    run(host);
    say(0, "joined 00 " + muster_->name(host) + " 10.0.0.9:1 4 tcp");
    say(host, "ready");
  }
  std::vector<std::string> news() {
    std::vector<std::string> texts;
    for (Muster::News& each : muster_->take_news()) texts.push_back(std::move(each.text));
    return texts;
  }

  Time now_{};
  std::optional<Muster> muster_;
};

TEST_F(TheMuster, is_complete_when_all_have_joined_and_tells_each_as_it_comes) {
  make(0, 2);
  join(1);
  EXPECT_THAT(news(),
              testing::ElementsAre(HasSubstr("provider"), HasSubstr("(driver)"),
                                   AllOf(HasSubstr("h1"), HasSubstr("4711"), HasSubstr("tcp"))));
  EXPECT_EQ(muster_->verdict(now_), Verdict::kGathering);
  join(2);
  EXPECT_THAT(news(), SizeIs(1));
  EXPECT_EQ(muster_->verdict(now_), Verdict::kGathering);
  say(0, "ready");
  EXPECT_EQ(muster_->verdict(now_), Verdict::kComplete);
  EXPECT_EQ(muster_->present(), 3u);
}

TEST_F(TheMuster, waits_a_moment_for_the_drivers_word_about_a_host) {
  make(0, 1);
  run(1);
  say(1, "ready");
  EXPECT_THAT(news(), IsEmpty());
  EXPECT_EQ(muster_->due(), now_ + milliseconds(300));
  pass(300);
  EXPECT_THAT(news(), SizeIs(3));
}

TEST_F(TheMuster, is_incomplete_when_a_host_fails_that_is_needed) {
  make(0, 2);
  muster_->reaching(1, now_);
  run(2);
  muster_->failed(1, "ssh", "Permission denied", now_);
  EXPECT_THAT(news(), testing::ElementsAre("h1 is not there: ssh: Permission denied"));
  EXPECT_EQ(muster_->verdict(now_), Verdict::kGathering) << "others may still say how they fare";
  EXPECT_EQ(muster_->due(), now_ + milliseconds(1000));
  pass(1000);
  EXPECT_EQ(muster_->verdict(now_), Verdict::kIncomplete);
  EXPECT_EQ(muster_->awaited(), "h2");
}

TEST_F(TheMuster, goes_on_without_a_host_that_is_not_needed) {
  make(2, 2);
  muster_->reaching(2, now_);
  muster_->failed(2, "ssh", "no", now_);
  join(1);
  say(0, "ready");
  EXPECT_EQ(muster_->verdict(now_), Verdict::kComplete);
}

TEST_F(TheMuster, still_awaits_a_host_that_is_not_needed_but_may_come) {
  make(2, 2);
  join(1);
  say(0, "ready");
  EXPECT_EQ(muster_->verdict(now_), Verdict::kGathering);
  join(2);
  EXPECT_EQ(muster_->verdict(now_), Verdict::kComplete);
}

TEST_F(TheMuster, names_a_host_that_does_not_answer) {
  make(0, 1);
  muster_->reaching(1, now_);
  EXPECT_EQ(muster_->due(), now_ + milliseconds(15'000));
  pass(15'000);
  EXPECT_THAT(news(), testing::ElementsAre("h1 is not there: ssh: no answer within 15 s"));
  EXPECT_EQ(muster_->verdict(now_), Verdict::kIncomplete);
}

TEST_F(TheMuster, says_at_which_stage_a_node_stands_whose_time_is_over) {
  make(0, 5);
  for (unsigned host = 1; host <= 5; ++host) {
    muster_->reaching(host, now_);
    muster_->reached(host, kHost, now_);
    muster_->starting(host, now_);
    muster_->started(host, 1, now_);
    if (host > 1) say(host, "listening 10.0.0.9:1");
  }
  say(2, "unreachable 10.0.0.1:7400 no answer within 5 s");
  say(2, "unreachable 192.0.2.1:7400 connection refused");  // a jump host's, nobody promised it
  say(3, "refused cluster keys differ: ...");
  say(4, "refused function tables differ: ...");
  pass(15'000);
  EXPECT_THAT(news(),
              testing::ElementsAre(
                  HasSubstr("h1 is not there: listening: "),
                  HasSubstr("h2 is not there: connect: it could not reach 10.0.0.1:7400"),
                  HasSubstr("h3 is not there: key: "), HasSubstr("h4 is not there: version: "),
                  HasSubstr("h5 is not there: connect: it listens at 10.0.0.9:1")));
}

TEST_F(TheMuster, repeats_the_last_words_of_a_node_that_ended_before_it_joined) {
  make(0, 1);
  muster_->reaching(1, now_);
  muster_->reached(1, kHost, now_);
  muster_->starting(1, now_);
  muster_->started(1, 1, now_);
  muster_->ended(1, ExitStatus{127}, "libfoo.so: cannot open", now_);
  EXPECT_THAT(news(), testing::ElementsAre(AllOf(HasSubstr("ended with code 127"),
                                                 HasSubstr("libfoo.so: cannot open"))));
}

TEST_F(TheMuster, does_not_call_the_end_of_a_node_that_was_there_a_failure) {
  make(0, 1);
  join(1);
  news();
  muster_->ended(1, ExitStatus{0}, "", now_);
  EXPECT_EQ(muster_->stage(1), Stage::kGone);
  EXPECT_THAT(news(), IsEmpty());
}

TEST_F(TheMuster, warns_of_root_once_and_of_each_host_that_is_asked_for_more_than_it_has) {
  make(0, 0);
  HostFacts root = kHost;
  root.root = true;
  for (const char* name : {"a", "b"}) {
    const unsigned host = muster_->add(name, 8, now_);
    muster_->reaching(host, now_);
    muster_->reached(host, root, now_);
  }
  EXPECT_THAT(news(), testing::ElementsAre(HasSubstr("a has 4 cores and is asked for 8 workers"),
                                           HasSubstr("as root on a"),
                                           HasSubstr("b has 4 cores and is asked for 8 workers")));
}

TEST_F(TheMuster, lets_nobody_write_to_the_terminal_what_is_not_text) {
  make(0, 1);
  muster_->failed(1, "ssh", "\x1b[31mred", now_);
  EXPECT_THAT(news(), testing::ElementsAre("h1 is not there: ssh: \\x1b[31mred"));
}

TEST_F(TheMuster, is_incomplete_when_the_driver_ends_before_all_are_there) {
  make(0, 1);
  muster_->driver_ended();
  EXPECT_EQ(muster_->verdict(now_), Verdict::kIncomplete);
}

// --- as a check

TEST_F(TheMuster, finds_what_a_host_is_and_why_another_cannot_be_used) {
  make(0, 2);
  run(1);
  muster_->timed(1, 3.25, 1);
  muster_->timed(1, 900, 800);  // it took longer: it says less
  say(1, "version 0.1.0 (wire version 5, ABI 0)");
  say(0, "joined 00 h1 10.0.0.9:1 4 tcp");
  pass(40);
  say(1, "ready");
  muster_->reaching(2, now_);
  muster_->failed(2, "ssh", "Permission denied", now_);
  const std::vector<std::string> lines = muster_->findings();
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[2], testing::ContainsRegex("h1 +0 ms +Linux x86_64 +4 +- +\\+3.2 ms +0.1.0 +"
                                               "10.0.0.9:1 +ok, joined after 40 ms \\(tcp\\)"));
  EXPECT_THAT(lines[3], testing::ContainsRegex("h2 +- .* ssh: Permission denied"));
  EXPECT_EQ(muster_->check_verdict(),
            "1 of 2 hosts can be used: with the driver, 3 nodes are needed");
}

TEST_F(TheMuster, finds_a_host_good_whose_clock_is_not_and_says_so) {
  make(0, 1);
  join(1);
  muster_->timed(1, -12'340, 2);
  EXPECT_THAT(muster_->findings()[2], AllOf(HasSubstr(" -12.3 s "), HasSubstr("clock is wrong")));
  EXPECT_EQ(muster_->check_verdict(), "the host can be used");
}

TEST_F(TheMuster, may_do_without_some_in_a_check_too) {
  make(2, 2);
  join(1);
  muster_->failed(2, "exec", "./app: no such file", now_);
  EXPECT_EQ(muster_->check_verdict(), "1 of 2 hosts can be used: enough");
}

TEST_F(TheMuster, waits_in_a_check_for_every_host_however_many_have_failed) {
  Muster::Limits limits;
  limits.driver = milliseconds(5000);
  limits.check = true;
  muster_.emplace(0, 2, limits, now_);
  muster_->add("h1", {}, now_);
  muster_->add("h2", {}, now_);
  muster_->failed(1, "ssh", "no", now_);
  pass(2000);
  EXPECT_EQ(muster_->verdict(now_), Verdict::kGathering);
  say(0, "listening 10.0.0.1:7400");
  say(0, "ready");
  EXPECT_EQ(muster_->verdict(now_), Verdict::kGathering);
  join(2);
  EXPECT_EQ(muster_->verdict(now_), Verdict::kComplete);
}

TEST_F(TheMuster, waits_for_ever_for_the_drivers_port_unless_it_is_told_for_how_long) {
  for (const bool limited : {false, true}) {
    Muster::Limits limits;
    if (limited) limits.driver = milliseconds(5000);
    muster_.emplace(0, 2, limits, now_);
    muster_->add("h1", {}, now_);
    EXPECT_EQ(muster_->due() != Time::max(), limited);
    pass(5000);
    EXPECT_EQ(muster_->verdict(now_), limited ? Verdict::kIncomplete : Verdict::kGathering);
  }
  EXPECT_THAT(muster_->findings()[1], HasSubstr("listening: it has not opened its port"));
  EXPECT_THAT(muster_->check_verdict(), HasSubstr("does it call pp::run?"));
}

TEST_F(TheMuster, never_asks_to_be_called_at_a_time_that_is_over) {
  make(2, 3);
  muster_->reaching(2, now_);
  muster_->failed(2, "ssh", "no", now_);
  run(1);
  for (int turn = 0; turn < 100; ++turn) {
    pass(500);
    if (muster_->verdict(now_) != Verdict::kGathering) break;
    EXPECT_GT(muster_->due(), now_);
  }
}

}  // namespace
}  // namespace pp::tools
