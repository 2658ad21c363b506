// Interrupts: which Ctrl-C is another one, and what it means.
#include "launch_loop.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace pp::tools {
namespace {

using std::chrono::milliseconds;
using Meaning = Interrupts::Meaning;

TEST(Interrupts, once_winds_up_and_from_the_second_on_it_is_the_end) {
  Interrupts interrupts;
  EXPECT_FALSE(interrupts.any());
  EXPECT_EQ(interrupts.heard(SIGINT, Time{}), Meaning::kWindUp);
  EXPECT_TRUE(interrupts.any());
  EXPECT_EQ(interrupts.heard(SIGINT, Time{milliseconds(1000)}), Meaning::kEnd);
  EXPECT_EQ(interrupts.heard(SIGINT, Time{milliseconds(2000)}), Meaning::kEnd);
}

TEST(Interrupts, the_same_signal_again_at_once_is_one) {
  Interrupts interrupts;
  interrupts.heard(SIGTERM, Time{});
  EXPECT_EQ(interrupts.heard(SIGTERM, Time{milliseconds(249)}), Meaning::kSame);
  EXPECT_EQ(interrupts.heard(SIGTERM, Time{milliseconds(251)}), Meaning::kEnd);
}

TEST(Interrupts, another_signal_is_another_one_at_once) {
  Interrupts interrupts;
  interrupts.heard(SIGINT, Time{});
  EXPECT_EQ(interrupts.heard(SIGTERM, Time{milliseconds(1)}), Meaning::kEnd);
}

}  // namespace
}  // namespace pp::tools
