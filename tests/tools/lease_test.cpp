// Lease: from the first word to the last process, whatever comes between.
#include "lease.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <vector>

namespace pp::tools::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using Stage = Lease::Stage;

struct FakeHands : Lease::Hands {
  void say(const Message& message) override { said.push_back(message); }
  std::optional<std::string> why_none_now() override { return objection; }
  bool has_program(const Open&) override { return cached; }
  std::optional<std::string> begin_program(const Open&) override { return no_room; }
  std::optional<std::string> add_piece(std::span<const std::byte> bytes) override {
    received += bytes.size();
    return std::nullopt;
  }
  std::optional<std::string> finish_program() override { return damaged; }
  std::variant<pid_t, std::string> start(const Open&, unsigned process, unsigned workers) override {
    if (cannot_start) return *cannot_start;
    started.emplace_back(process, workers);
    return static_cast<pid_t>(1000 + process);
  }
  void signal(unsigned process, int number) override {
    if (number != SIGCONT) signals.emplace_back(process, number);
  }

  std::vector<Message> said;
  std::vector<std::pair<unsigned, unsigned>> started;
  std::vector<std::pair<unsigned, int>> signals;
  std::optional<std::string> objection, no_room, damaged, cannot_start;
  bool cached = true;
  std::size_t received = 0;
};

class LeaseTest : public testing::Test {
 protected:
  static Open an_open(unsigned workers = 0) {
    Open open;
    open.launch = "launch";
    open.program = "app";
    open.size = 10;
    open.driver = "10.0.0.1:7";
    open.key.resize(3);
    open.workers = workers;
    return open;
  }
  void run(unsigned share = 4) {
    lease.take(an_open(), now);
    lease.set_share(share, now);
  }
  void end(unsigned process, ExitStatus status = {}) { lease.ended(process, status, 0, now); }
  template <class M>
  std::vector<M> said() const {
    std::vector<M> all;
    for (const Message& message : hands.said) {
      if (const auto* one = std::get_if<M>(&message)) all.push_back(*one);
    }
    return all;
  }
  std::string refusal() const {
    const auto all = said<Refused>();
    return all.empty() ? "" : all.back().why;
  }
  static std::vector<std::byte> some(std::size_t many) { return std::vector<std::byte>(many); }

  FakeHands hands;
  Lease lease{hands, "x86_64", {}};
  Time now{seconds(100)};
};

TEST_F(LeaseTest, a_cached_program_runs_as_soon_as_there_is_a_share) {
  lease.take(an_open(), now);
  EXPECT_TRUE(lease.wants_workers());
  EXPECT_THAT(hands.started, IsEmpty());
  lease.set_share(4, now);
  EXPECT_THAT(hands.started, ElementsAre(Pair(0, 4)));
  EXPECT_EQ(said<Started>().size(), 1u);
  EXPECT_THAT(said<Wanted>(), IsEmpty());
}

TEST_F(LeaseTest, a_program_that_is_not_there_is_asked_for_and_runs_when_it_is_whole) {
  hands.cached = false;
  run();
  EXPECT_EQ(said<Wanted>().size(), 1u);
  lease.take(Piece{some(6)}, now);
  EXPECT_THAT(hands.started, IsEmpty());
  lease.take(Piece{some(4)}, now);
  EXPECT_EQ(hands.received, 10u);
  EXPECT_THAT(hands.started, ElementsAre(Pair(0, 4)));
}

TEST_F(LeaseTest, more_than_was_announced_is_refused) {
  hands.cached = false;
  run();
  lease.take(Piece{some(11)}, now);
  EXPECT_THAT(refusal(), HasSubstr("more of the program"));
  EXPECT_TRUE(lease.over());
  EXPECT_EQ(hands.received, 0u);
}

TEST_F(LeaseTest, what_cannot_be_is_refused_with_a_sentence) {
  hands.objection = "too many";
  run();
  EXPECT_EQ(refusal(), "too many");
  EXPECT_TRUE(lease.over());
}

TEST_F(LeaseTest, a_program_for_another_machine_is_refused) {
  Open open = an_open();
  open.machine = "riscv64";
  lease.take(open, now);
  EXPECT_THAT(refusal(), HasSubstr("is for riscv64, this machine is x86_64"));
}

TEST_F(LeaseTest, another_version_is_refused) {
  Open open = an_open();
  open.protocol = kProtocol + 1;
  lease.take(open, now);
  EXPECT_THAT(refusal(), HasSubstr("the same version of pp on both"));
}

TEST_F(LeaseTest, one_that_is_too_large_or_empty_is_refused) {
  Open open = an_open();
  open.size = 0;
  lease.take(open, now);
  EXPECT_THAT(refusal(), HasSubstr("max-program"));
}

TEST_F(LeaseTest, a_damaged_one_is_refused) {
  hands.cached = false;
  hands.damaged = "its hash differs";
  run();
  lease.take(Piece{some(10)}, now);
  EXPECT_EQ(refusal(), "its hash differs");
  EXPECT_THAT(hands.started, IsEmpty());
}

TEST_F(LeaseTest, one_that_cannot_be_started_ends_the_lease) {
  hands.cannot_start = "no such interpreter";
  run();
  EXPECT_EQ(refusal(), "no such interpreter");
  EXPECT_TRUE(lease.over());
}

TEST_F(LeaseTest, one_more_process_that_cannot_be_started_ends_none_of_those_that_run) {
  run(2);
  hands.cannot_start = "no more descriptors";
  lease.set_share(4, now);
  lease.set_share(4, now);
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(lease.stage(), Stage::kRunning);
  EXPECT_EQ(lease.due(), now + seconds(10));
  hands.cannot_start.reset();
  lease.set_share(4, now);
  EXPECT_EQ(hands.started.size(), 1u);  // not before
  now += seconds(10);
  lease.set_share(4, now);
  EXPECT_THAT(hands.started, ElementsAre(Pair(0, 2), Pair(1, 2)));
  EXPECT_EQ(lease.due(), Time::max());
}

TEST_F(LeaseTest, shares_that_change_and_change_do_not_pile_up_processes) {
  run(4);
  for (int i = 0; i < 20; ++i) {
    lease.set_share(1, now);
    lease.set_share(4, now);
  }
  EXPECT_EQ(lease.processes(), 8u);
  EXPECT_EQ(lease.workers(), 1u);  // the second; all others are leaving
  for (const unsigned process : {0u, 2u, 3u, 4u, 5u, 6u, 7u}) end(process);
  lease.set_share(4, now);
  EXPECT_EQ(lease.workers(), 4u);
}

TEST_F(LeaseTest, a_variable_that_is_none_of_pps_is_refused) {
  Open open = an_open();
  open.environment = {"PP_FABRIC=off", "LD_PRELOAD=/tmp/theirs.so"};
  lease.take(open, now);
  EXPECT_THAT(refusal(), HasSubstr("'LD_PRELOAD'"));
  EXPECT_TRUE(lease.over());
}

TEST_F(LeaseTest, a_program_that_does_not_come_is_not_waited_for_for_ever) {
  hands.cached = false;
  run();
  now += seconds(59);
  lease.take(Piece{some(1)}, now);
  EXPECT_EQ(lease.due(), now + seconds(60));
  now += seconds(59);
  lease.step(now);
  EXPECT_EQ(lease.stage(), Stage::kReceiving);
  now += seconds(1);
  lease.step(now);
  EXPECT_THAT(refusal(), HasSubstr("nothing of the program has come for 60 s"));
  EXPECT_TRUE(lease.over());
}

TEST_F(LeaseTest, a_second_program_in_a_session_is_refused_and_ends_the_first) {
  run();
  lease.take(an_open(), now);
  EXPECT_THAT(refusal(), HasSubstr("one lease"));
  EXPECT_EQ(lease.stage(), Stage::kEnding);
  lease.step(now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(0, SIGTERM)));
}

TEST_F(LeaseTest, a_larger_share_starts_another_process) {
  run(2);
  lease.set_share(5, now);
  EXPECT_THAT(hands.started, ElementsAre(Pair(0, 2), Pair(1, 3)));
  EXPECT_EQ(lease.workers(), 5u);
}

TEST_F(LeaseTest, a_smaller_share_has_processes_leave_and_a_smaller_one_take_their_place) {
  run(4);
  lease.set_share(1, now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(0, SIGTERM)));
  EXPECT_THAT(hands.started, ElementsAre(Pair(0, 4), Pair(1, 1)));
  end(0);
  EXPECT_EQ(lease.stage(), Stage::kRunning);
  ASSERT_EQ(said<Ended>().size(), 1u);
  EXPECT_TRUE(said<Ended>()[0].replaced);
}

TEST_F(LeaseTest, one_that_does_not_leave_in_time_is_killed) {
  run(4);
  lease.set_share(1, now);
  EXPECT_EQ(lease.due(), now + seconds(30));
  now += seconds(30);
  lease.step(now);
  lease.step(now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(0, SIGTERM), Pair(0, SIGKILL)));
}

TEST_F(LeaseTest, an_orderly_end_is_told_and_over) {
  run();
  end(0);
  ASSERT_EQ(said<Ended>().size(), 1u);
  EXPECT_FALSE(said<Ended>()[0].replaced);
  EXPECT_EQ(said<Over>().size(), 1u);
  EXPECT_TRUE(lease.over());
}

TEST_F(LeaseTest, one_that_was_killed_takes_the_others_along) {
  run(2);
  lease.set_share(4, now);
  end(0, {0, SIGSEGV, false});
  EXPECT_EQ(lease.stage(), Stage::kEnding);
  now += seconds(5);
  lease.step(now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(1, SIGTERM)));
  end(1);
  EXPECT_TRUE(lease.over());
}

TEST_F(LeaseTest, a_lost_session_ends_all_within_five_seconds) {
  run();
  hands.said.clear();
  lease.lost(now);
  lease.step(now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(0, SIGTERM)));
  now += milliseconds(1500);
  lease.step(now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(0, SIGTERM), Pair(0, SIGKILL)));
  end(0, {0, SIGKILL, false});
  EXPECT_TRUE(lease.over());
  EXPECT_THAT(hands.said, IsEmpty());  // nobody hears it
}

TEST_F(LeaseTest, a_session_that_is_lost_before_anything_ran_is_over) {
  hands.cached = false;
  run();
  lease.lost(now);
  EXPECT_TRUE(lease.over());
}

TEST_F(LeaseTest, signals_are_passed_on_and_sigterm_ends) {
  run();
  lease.take(SignalFor{SIGUSR1}, now);
  lease.take(SignalFor{SIGTERM}, now);
  lease.step(now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(0, SIGUSR1), Pair(0, SIGTERM)));
}

TEST_F(LeaseTest, drains_within_its_time) {
  run();
  lease.drain(now);
  lease.step(now);
  EXPECT_THAT(hands.signals, ElementsAre(Pair(0, SIGTERM)));
  now += seconds(29);
  lease.step(now);
  EXPECT_EQ(hands.signals.size(), 1u);
  now += seconds(1);
  lease.step(now);
  EXPECT_EQ(hands.signals.back(), std::make_pair(0u, SIGKILL));
}

TEST_F(LeaseTest, a_launcher_that_takes_no_output_in_is_sent_no_more) {
  run();
  lease.output(0, false, std::string(std::size_t{1} << 20, 'x'));
  EXPECT_FALSE(lease.wants_output());
  lease.take(Heard{1000}, now);
  EXPECT_TRUE(lease.wants_output());
  lease.take(Heard{~std::uint64_t{0}}, now);  // counts wrongly: no more than was written
  lease.output(0, false, std::string(std::size_t{1} << 20, 'x'));
  EXPECT_FALSE(lease.wants_output());
}

TEST_F(LeaseTest, reports_are_those_of_the_first_process) {
  run(2);
  lease.set_share(4, now);
  lease.report(1, "listening 10.0.0.2:9");
  EXPECT_THAT(said<ReportLine>(), IsEmpty());
  lease.report(0, "listening 10.0.0.2:8");
  EXPECT_EQ(said<ReportLine>().size(), 1u);
}

TEST_F(LeaseTest, whoever_takes_the_place_of_the_first_process_speaks_for_it) {
  run(4);
  lease.set_share(1, now);
  lease.report(0, "left 1234 said goodbye");
  EXPECT_THAT(said<ReportLine>(), IsEmpty());
  lease.report(1, "listening 10.0.0.2:9");
  EXPECT_EQ(said<ReportLine>().size(), 1u);
}

TEST_F(LeaseTest, reports_are_sent_as_fast_as_they_are_taken_in) {
  run();
  const std::string line(kMaxLine, 'x');
  while (lease.wants_output()) lease.report(0, line);
  EXPECT_EQ(said<ReportLine>().size(), (std::size_t{1} << 20) / kMaxLine);
  lease.take(Heard{kMaxLine}, now);
  EXPECT_TRUE(lease.wants_output());
}

TEST_F(LeaseTest, what_only_a_daemon_says_is_refused) {
  lease.take(Wanted{}, now);
  EXPECT_THAT(refusal(), HasSubstr("only a daemon"));
}

}  // namespace
}  // namespace pp::tools::daemon
