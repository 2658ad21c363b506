// BoxCopy: what comes home of a black box as lines of text says the same; what is mad says nothing.
#include "box_copy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <pp/black_box.hpp>
#include <pp/function_table.hpp>
#include <string>
#include <vector>

namespace pp::tools {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;

int quadrupled(int n) { return 4 * n; }
[[maybe_unused]] const runtime::Function& kQuadrupled =
    runtime::function_of<runtime::Constant<quadrupled>>();

// The file as od prints it.
std::vector<std::string> printed(int descriptor) {
  struct stat about {};
  ::fstat(descriptor, &about);
  std::string bytes(static_cast<std::size_t>(about.st_size), '\0');
  EXPECT_EQ(::pread(descriptor, bytes.data(), bytes.size(), 0), about.st_size);
  std::vector<std::string> lines;
  std::string last;
  char text[8];
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    std::string line;
    for (std::size_t i = at; i < std::min(at + 16, bytes.size()); ++i) {
      std::snprintf(text, sizeof text, " %02x", static_cast<unsigned char>(bytes[i]));
      line += text;
    }
    if (line == last) {
      if (lines.back() != "*") lines.push_back("*");
      continue;
    }
    last = line;
    std::snprintf(text, sizeof text, "%06zx", at);
    lines.push_back(text + line);
  }
  std::snprintf(text, sizeof text, "%06zx", bytes.size());
  lines.push_back(text);
  return lines;
}

class ABoxCopy : public testing::Test {
 protected:
  ABoxCopy() : box_(runtime::BlackBox::make(1, 2)) {
    const NodeId self = NodeId::random();
    box_->enter(self, "h1", runtime::FunctionTable::seal());
    box_->recorder(0).begin({.owner = NodeId::random(),
                             .loan = 7,
                             .function = kQuadrupled.id,
                             .attempt = 2,
                             .since = seconds(100)});
    lines_ = printed(box_->descriptor());
  }

  const std::unique_ptr<runtime::BlackBox> box_;
  std::vector<std::string> lines_;
  BoxCopy copy_;
};

TEST_F(ABoxCopy, says_what_the_node_was_running) {
  EXPECT_LT(lines_.size(), 200u) << "most of it is nothing";
  for (const std::string& line : lines_) copy_.take(line);
  const std::string said = copy_.last_jobs(::getpid(), seconds(103));
  EXPECT_THAT(said, HasSubstr("h1 was running "));
  EXPECT_THAT(said, HasSubstr("quadrupled of another node (attempt 2, for 3 s)"));
  EXPECT_EQ(copy_.last_jobs(1, seconds(103)), "") << "another process's";
  copy_.clear();
  EXPECT_EQ(copy_.last_jobs(::getpid(), seconds(103)), "");
}

TEST_F(ABoxCopy, says_nothing_when_it_was_cut_short_at_any_line) {
  for (std::size_t end = 0; end + 1 < lines_.size(); end += 7) {
    BoxCopy copy;
    for (std::size_t i = 0; i < end; ++i) copy.take(lines_[i]);
    EXPECT_EQ(copy.last_jobs(::getpid(), seconds(1)), "") << end;
  }
}

TEST_F(ABoxCopy, is_bounded_and_harmless_whatever_comes) {
  for (const char* line : {"*", "", "ffffffffff 01", "7fffffff", "-1 00", "zz", "000010 1ff zz",
                           "*", "3fffff 00 01 02", "000000 01", "*", "400000"}) {
    copy_.take(line);
    EXPECT_EQ(copy_.last_jobs(::getpid(), seconds(1)), "") << line;
  }
}

}  // namespace
}  // namespace pp::tools
