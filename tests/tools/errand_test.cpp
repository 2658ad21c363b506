// Errand: what a launcher makes of what a daemon says.
#include "errand.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace pp::tools::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct FakeHands : Errand::Hands {
  void say(const Message& message) override { said.push_back(message); }
  void write(bool, const std::string& bytes) override { written += bytes; }
  void report(const std::string& line) override { reports.push_back(line); }
  void tell(const std::string& sentence) override { told.push_back(sentence); }
  std::vector<Message> said;
  std::string written;
  std::vector<std::string> reports, told;
};

class ErrandTest : public testing::Test {
 protected:
  static Open an_open() {
    Open open;
    open.size = 10;
    return open;
  }
  FakeHands hands;
  Errand errand{hands, an_open()};
};

TEST_F(ErrandTest, sends_the_program_when_it_is_wanted) {
  errand.begin();
  ASSERT_EQ(hands.said.size(), 1u);
  EXPECT_FALSE(errand.wants_piece());
  errand.take(Wanted{});
  EXPECT_TRUE(errand.wants_piece());
  errand.piece(std::vector<std::byte>(6));
  EXPECT_EQ(errand.sent(), 6u);
  errand.piece(std::vector<std::byte>(4));
  EXPECT_FALSE(errand.wants_piece());
}

TEST_F(ErrandTest, ends_as_the_worker_ended) {
  errand.take(Started{0, 1, 1});
  errand.take(ReportLine{"ready"});
  errand.take(Output{0, false, "hello\n"});
  errand.take(Ended{0, {7, 0, false}, 1200, 0, false});
  EXPECT_FALSE(errand.over());
  errand.take(Over{});
  EXPECT_TRUE(errand.over());
  ASSERT_TRUE(errand.status());
  EXPECT_EQ(errand.status()->code, 7);
  EXPECT_THAT(hands.reports, ElementsAre("ready"));
  EXPECT_EQ(hands.written, "hello\n");
  ASSERT_EQ(hands.told.size(), 1u);
  EXPECT_THAT(hands.told[0], HasSubstr("ended with code 7 after 1.2 s"));
}

TEST_F(ErrandTest, of_several_processes_the_one_that_failed_counts) {
  errand.take(Ended{0, {0, SIGKILL, false}, 0, 0, false});
  errand.take(Ended{1, {}, 0, 0, false});
  errand.take(Over{});
  EXPECT_EQ(errand.status()->signal, SIGKILL);
}

TEST_F(ErrandTest, one_that_was_replaced_is_no_end) {
  errand.take(Ended{0, {0, SIGKILL, false}, 0, 0, true});
  EXPECT_FALSE(errand.status());
  EXPECT_THAT(hands.told, IsEmpty());
}

TEST_F(ErrandTest, a_refusal_is_its_reason) {
  errand.take(Refused{"no \x1b room"});
  EXPECT_TRUE(errand.over());
  EXPECT_EQ(errand.why(), "no \\x1b room");
}

TEST_F(ErrandTest, a_session_that_ends_too_early_is_a_reason_and_a_late_end_is_none) {
  errand.take(Ended{0, {}, 0, 0, false});
  errand.take(Over{});
  errand.lost("closed");
  EXPECT_EQ(errand.why(), "");
  Errand another{hands, an_open()};
  another.lost("closed");
  EXPECT_EQ(another.why(), "closed");
}

TEST_F(ErrandTest, says_now_and_then_how_much_output_was_taken_in) {
  errand.written(1000);
  EXPECT_THAT(hands.said, IsEmpty());
  errand.written(200'000);
  ASSERT_EQ(hands.said.size(), 1u);
  EXPECT_EQ(std::get<Heard>(hands.said[0]).bytes, 201'000u);
}

TEST_F(ErrandTest, a_daemon_that_sends_more_than_it_may_is_left) {
  const std::string much(kMaxOutput, 'x');
  for (int i = 0; i < 1024; ++i) errand.take(Output{0, false, much});
  EXPECT_FALSE(errand.over());
  errand.take(Output{0, false, much});
  EXPECT_THAT(errand.why(), HasSubstr("more than it was asked for"));
}

TEST_F(ErrandTest, a_report_is_one_line_and_counts_as_taken_in) {
  errand.take(ReportLine{std::string(4000, 'x')});
  EXPECT_THAT(hands.said, IsEmpty());
  for (int i = 0; i < 40; ++i) errand.take(ReportLine{std::string(4000, 'x')});
  ASSERT_EQ(hands.said.size(), 1u);
  EXPECT_EQ(std::get<Heard>(hands.said[0]).bytes, 33 * 4000u);
  errand.take(ReportLine{"ready\nready"});
  EXPECT_THAT(errand.why(), HasSubstr("several lines"));
}

TEST_F(ErrandTest, a_daemon_that_speaks_as_a_launcher_is_left) {
  errand.take(Look{});
  EXPECT_TRUE(errand.over());
  EXPECT_THAT(errand.why(), HasSubstr("only a launcher"));
}

}  // namespace
}  // namespace pp::tools::daemon
