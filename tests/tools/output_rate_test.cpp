// How much of a worker's output is passed on.
#include "output_rate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pp::tools {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

TEST(OutputRate, passes_on_what_is_within_the_allowance_and_drops_whole_lines_beyond_it) {
  OutputRate rate(100);
  OutputRate::Time now{};
  now += 1h;
  EXPECT_TRUE(rate.pass(now, std::string(50, 'x')));
  EXPECT_TRUE(rate.pass(now + 10ms, std::string(500, 'x')));  // begins within it
  EXPECT_FALSE(rate.pass(now + 20ms, "short"));
  EXPECT_FALSE(rate.pass(now + 999ms, ""));
  EXPECT_EQ(rate.dropped(now + 999ms), "");
  EXPECT_THAT(rate.dropped(now + 1s),
              AllOf(HasSubstr("2 lines (7 bytes) of output dropped"),
                    HasSubstr("100 bytes a second"), HasSubstr("--output-rate")));
  EXPECT_TRUE(rate.pass(now + 1s, "short"));
  EXPECT_EQ(rate.dropped(now + 5s), "") << "said once";
}

TEST(OutputRate, empty_lines_cost_something) {
  OutputRate rate(100);
  OutputRate::Time now{};
  now += 1h;
  int passed = 0;
  for (int i = 0; i < 1000; ++i) passed += rate.pass(now, "") ? 1 : 0;
  EXPECT_EQ(passed, 7);
  EXPECT_THAT(rate.dropped(now, true), HasSubstr("993 lines"));
}

TEST(OutputRate, passes_on_everything_when_told_to) {
  OutputRate rate(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(rate.pass({}, std::string(1'000'000, 'x')));
  EXPECT_EQ(rate.dropped({}, true), "");
}

TEST(OutputRate, is_read_from_a_command_line) {
  EXPECT_EQ(OutputRate::parse("500"), 500u);
  EXPECT_EQ(OutputRate::parse("500k"), 500'000u);
  EXPECT_EQ(OutputRate::parse("10M"), 10'000'000u);
  EXPECT_EQ(OutputRate::parse("off"), 0u);
  for (const char* wrong : {"", "0", "-1", "10 M", "M", "1G", "99999999999999999999", "9999999M"})
    EXPECT_EQ(OutputRate::parse(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace pp::tools
