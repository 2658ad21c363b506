// LineSplitter: whole lines, however the bytes arrive.
#include "line_splitter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pp::tools {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Lines {
  std::vector<std::string> all;
  LineSplitter::Sink sink = [this](std::string_view line) { all.emplace_back(line); };
};

TEST(LineSplitter, hands_on_whole_lines_and_holds_the_rest) {
  LineSplitter splitter;
  Lines lines;
  splitter.feed("one\ntwo\nthr", lines.sink);
  EXPECT_THAT(lines.all, ElementsAre("one", "two"));
  splitter.feed("ee\n", lines.sink);
  EXPECT_THAT(lines.all, ElementsAre("one", "two", "three"));
}

TEST(LineSplitter, gives_the_same_lines_byte_by_byte) {
  LineSplitter splitter;
  Lines lines;
  for (const char c : std::string("a\n\nbc\n")) splitter.feed({&c, 1}, lines.sink);
  EXPECT_THAT(lines.all, ElementsAre("a", "", "bc"));
}

TEST(LineSplitter, hands_on_the_unfinished_line_at_the_end_and_only_then) {
  LineSplitter splitter;
  Lines lines;
  splitter.feed("half", lines.sink);
  EXPECT_THAT(lines.all, IsEmpty());
  splitter.finish(lines.sink);
  splitter.finish(lines.sink);
  EXPECT_THAT(lines.all, ElementsAre("half"));
}

TEST(LineSplitter, cuts_a_line_that_never_ends) {
  LineSplitter splitter(4);
  Lines lines;
  splitter.feed("abcdefghij\nkl\n", lines.sink);
  EXPECT_THAT(lines.all, ElementsAre("abcd", "efgh", "ij", "kl"));
}

TEST(LineSplitter, a_line_of_exactly_the_limit_is_one_line) {
  LineSplitter splitter(4);
  Lines lines;
  splitter.feed("abcd\nef\n", lines.sink);
  EXPECT_THAT(lines.all, ElementsAre("abcd", "ef"));
}

TEST(LineSplitter, a_line_of_exactly_the_limit_may_end_in_the_next_read) {
  LineSplitter splitter(4);
  Lines lines;
  splitter.feed("abcd", lines.sink);
  splitter.feed("\nefgh", lines.sink);
  splitter.feed("ij\n", lines.sink);
  EXPECT_THAT(lines.all, ElementsAre("abcd", "efgh", "ij"));
}

}  // namespace
}  // namespace pp::tools
