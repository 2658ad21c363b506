// What a driver says of its progress, and what a log leaves out.
#include "progress.hpp"
#include "status_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "log.hpp"
#include "log_limit.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// ---- progress

class ProgressLine : public testing::Test {
 protected:
  void look(Progress::Time::duration at, Progress::Standing standing) {
    progress_.look(Progress::Time() + 1h + at, standing);
  }
  Progress progress_;
};

TEST_F(ProgressLine, says_how_much_is_done_how_fast_and_how_long_it_takes) {
  look(0s, {.done = 0, .total = 1000, .nodes = 3, .workers = 8, .idle = 2});
  look(2s, {.done = 420, .total = 1000, .nodes = 3, .workers = 8, .idle = 2, .lost = 2});
  EXPECT_EQ(progress_.line(),
            "420 of 1000 jobs (42 %), 210/s, 2.8 s left; 3 nodes, 75 % busy, 2 retries");
}

TEST_F(ProgressLine, says_nothing_when_there_is_nothing_to_wait_for) {
  EXPECT_EQ(progress_.line(), "");
  look(0s, {});
  EXPECT_EQ(progress_.line(), "");
  look(1s, {.done = 10, .total = 10});
  EXPECT_EQ(progress_.line(), "");
}

TEST_F(ProgressLine, promises_no_end_while_nothing_has_been_done) {
  look(0s, {.done = 0, .total = 10, .nodes = 1, .workers = 1});
  EXPECT_EQ(progress_.line(), "0 of 10 jobs (0 %); 1 node, 100 % busy");
  look(5s, {.done = 0, .total = 10, .nodes = 1, .workers = 1});
  EXPECT_EQ(progress_.line(), "0 of 10 jobs (0 %); 1 node, 100 % busy");
}

TEST_F(ProgressLine, the_rate_is_that_of_the_last_seconds) {
  look(0s, {.done = 0, .total = 100'000});
  for (int second = 1; second <= 100; ++second)
    look(std::chrono::seconds(second),
         {.done = static_cast<std::uint64_t>(1000 * second), .total = 1'000'000});
  for (int second = 101; second <= 120; ++second)
    look(std::chrono::seconds(second),
         {.done = static_cast<std::uint64_t>(100'000 + second - 100), .total = 1'000'000});
  EXPECT_THAT(progress_.line(), HasSubstr(", 1.0/s, "));
}

TEST_F(ProgressLine, another_run_of_the_program_begins_anew) {
  look(0s, {.done = 0, .total = 1000});
  look(1s, {.done = 1000, .total = 1000});
  look(8s, {.done = 1000, .total = 2000});
  look(9s, {.done = 1001, .total = 2000});
  EXPECT_THAT(progress_.line(), HasSubstr(", 1.0/s, "));
}

TEST_F(ProgressLine, what_was_counted_too_early_does_no_harm) {
  look(0s, {.done = 500, .total = 1000, .workers = 1, .idle = 5});
  look(1s, {.done = 490, .total = 1000, .workers = 1, .idle = 5});
  EXPECT_EQ(progress_.line(), "490 of 1000 jobs (49 %); 1 node, 0 % busy");
}

TEST_F(ProgressLine, is_no_wider_than_the_terminal) {
  look(0s, {.done = 1, .total = 1000});
  EXPECT_EQ(progress_.line(10), "1 of 1000 ");
}

TEST(ForPeople, times_are_rounded) {
  EXPECT_EQ(for_people(2840ms), "2.8 s");
  EXPECT_EQ(for_people(42s), "42 s");
  EXPECT_EQ(for_people(200s), "3 min 20 s");
  EXPECT_EQ(for_people(7500s), "2 h 5 min");
  EXPECT_EQ(for_people(240h), "10 days");
  EXPECT_EQ(for_people(-1s), "0.0 s");
}

TEST(ProgressSettings, are_words_or_seconds) {
  using Mode = ProgressSetting::Mode;
  EXPECT_EQ(ProgressSetting::parse("auto")->mode, Mode::kAuto);
  EXPECT_EQ(ProgressSetting::parse("auto")->every, 30s);
  EXPECT_EQ(ProgressSetting::parse("on")->every, 10s);
  EXPECT_EQ(ProgressSetting::parse("off")->mode, Mode::kOff);
  EXPECT_EQ(ProgressSetting::parse("5")->mode, Mode::kPlain);
  EXPECT_EQ(ProgressSetting::parse("5")->every, 5s);
  for (const char* wrong : {"", "yes", "0", "-3", "5s", "86401"})
    EXPECT_EQ(ProgressSetting::parse(wrong), std::nullopt) << wrong;
}

// ---- logs

class Limited : public testing::Test {
 protected:
  LogLimit::Answer say(LogLimit::Time::duration at, std::string_view sentence) {
    return limit_.say(LogLimit::Time() + 1h + at, sentence);
  }
  LogLimit limit_;
};

TEST_F(Limited, what_is_said_again_is_shown_once_and_counted) {
  EXPECT_TRUE(say(0s, "the disk is full").show);
  for (int i = 0; i < 57; ++i) {
    const LogLimit::Answer answer = say(1s, "the disk is full");
    EXPECT_FALSE(answer.show);
    EXPECT_THAT(answer.left_out, IsEmpty());
  }
  const LogLimit::Answer other = say(11s, "something else");
  EXPECT_TRUE(other.show);
  EXPECT_THAT(other.left_out, ElementsAre("the disk is full ... 57 times more in the last 10 s"));
  EXPECT_TRUE(say(12s, "the disk is full").show) << "a while later it is news again";
}

TEST_F(Limited, what_was_said_once_is_not_told_of_again) {
  EXPECT_TRUE(say(0s, "one").show);
  EXPECT_THAT(say(20s, "two").left_out, IsEmpty());
  EXPECT_THAT(limit_.rest(), IsEmpty());
}

TEST_F(Limited, of_many_different_sentences_only_so_many_are_shown) {
  unsigned shown = 0;
  for (int i = 0; i < 1000; ++i) shown += say(1s, "blob " + std::to_string(i)).show ? 1u : 0u;
  EXPECT_EQ(shown, LogLimit::kMost);
  const LogLimit::Answer next = say(12s, "calm again");
  EXPECT_TRUE(next.show);
  EXPECT_THAT(next.left_out, ElementsAre("800 other lines are left out"));
}

TEST_F(Limited, what_was_left_out_is_told_at_the_end) {
  say(0s, "again");
  say(1s, "again");
  EXPECT_THAT(limit_.rest(), ElementsAre("again ... 1 time more in the last 10 s"));
  EXPECT_THAT(limit_.rest(), IsEmpty());
}

class Logs : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* before = std::getenv("PP_LOG")) before_ = before;
  }
  void TearDown() override { before_ ? setenv("PP_LOG", before_->c_str(), 1) : unsetenv("PP_LOG"); }
  // What a log says on stderr at this level.
  template <class Say>
  static std::string said(const char* level, Say say) {
    level == nullptr ? unsetenv("PP_LOG") : setenv("PP_LOG", level, 1);
    testing::internal::CaptureStderr();
    {
      Log log("host:1", -1);
      say(log);
    }
    return testing::internal::GetCapturedStderr();
  }
  static void say_everything(Log& log) {
    log.error("e");
    log.warn("w");
    log.info("i");
    log.debug("d");
  }
  std::optional<std::string> before_;
};

TEST_F(Logs, show_warnings_and_errors_unless_told_otherwise) {
  const std::string usual = "pp host:1 error: e\npp host:1 warning: w\n";
  EXPECT_EQ(said(nullptr, say_everything), usual);
  EXPECT_EQ(said("warning", say_everything), usual);
  EXPECT_EQ(said("error", say_everything), "pp host:1 error: e\n");
  EXPECT_EQ(said("info", say_everything), usual + "pp host:1 info: i\n");
  EXPECT_EQ(said("debug", say_everything), usual + "pp host:1 info: i\npp host:1 debug: d\n");
}

TEST_F(Logs, an_unknown_level_is_told_of_and_hides_nothing) {
  EXPECT_THAT(said("loud", say_everything),
              AllOf(HasSubstr("PP_LOG=loud: expected off, error, warning, info or debug"),
                    HasSubstr("error: e\n"), HasSubstr("warning: w\n"), Not(HasSubstr("info: i"))));
}

TEST_F(Logs, errors_are_never_left_out_and_the_rest_is_counted) {
  const std::string lines = said(nullptr, [](Log& log) {
    for (int i = 0; i < 3; ++i) log.error("bad");
    for (int i = 0; i < 3; ++i) log.warn("odd");
  });
  EXPECT_EQ(lines,
            "pp host:1 error: bad\npp host:1 error: bad\npp host:1 error: bad\n"
            "pp host:1 warning: odd\npp host:1 warning: odd ... 2 times more in the last 10 s\n");
}

TEST_F(Logs, the_status_is_erased_before_a_line_and_is_there_again_below_it) {
  const std::string lines = said(nullptr, [](Log& log) {
    log.status("");
    log.status("pp: half");
    log.warn("w");
    log.status("");
    log.warn("v");
  });
  EXPECT_EQ(lines,
            "\rpp: half\x1b[K\r"
            "\r\x1b[K"
            "pp host:1 warning: w\n"
            "\rpp: half\x1b[K\r"
            "\r\x1b[K"
            "pp host:1 warning: v\n");
}

TEST_F(Logs, the_status_is_there_only_while_a_thread_waits) {
  const std::string drawn = said(nullptr, [](Log& log) {
    StatusLine::show(log, "pp: a third");  // nobody waits: the program may be printing
    {
      const StatusLine::Wait wait;
      StatusLine::show(log, "pp: half");
    }
    StatusLine::show(log, {});
  });
  EXPECT_EQ(drawn, "\rpp: half\x1b[K\r\r\x1b[K");
}

}  // namespace
}  // namespace pp::runtime
