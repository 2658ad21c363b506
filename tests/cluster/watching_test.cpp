// Watching a launch: pp-launch --http, and pp-top beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "process.hpp"

namespace pp::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

class Watched : public testing::Test {
 protected:
  Watched() {
    char name[] = "/tmp/pp_watched_XXXXXX";
    folder_ = ::mkdtemp(name);
    setting_.environment = {"XDG_RUNTIME_DIR=" + folder_, "TERM=dumb"};
  }
  ~Watched() override { std::filesystem::remove_all(folder_); }

  struct Ended {
    ShellCode code;
    std::string out, err;
  };
  Ended top(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PP_TOP_PROGRAM);
    Process process(std::move(arguments), setting_);
    const ShellCode code = process.wait();
    return {code, process.out(), process.err()};
  }

  std::string folder_;
  Process::Setting setting_;
};

TEST_F(Watched, a_launch_is_seen_by_pp_top_with_all_its_nodes) {
  // A tree that takes longer than the test: its end is not waited for.
  Process launch(
      {PP_LAUNCH_PROGRAM, "-n", "3", "-w", "1", "--http", "--", UTS_PROGRAM, "--tree", "T1XXL"},
      setting_);
  const std::string line = launch.wait_for_line("can be watched at http://127.0.0.1:");
  launch.wait_for_line("3 nodes are there");
  const std::string url = line.substr(line.find("http://"));

  Ended once;
  for (int i = 0; i < 600; ++i) {  // until all of them have said something of themselves
    once = top({"--once"});
    if (once.out.find("search_piece") != std::string::npos) break;
  }
  EXPECT_EQ(once.code, 0) << once.err;
  EXPECT_THAT(once.out, AllOf(HasSubstr("3 nodes"), HasSubstr("(driver)"), HasSubstr("joined"),
                              HasSubstr("uts::search_piece")));
  EXPECT_THAT(top({"--once", url}).out, HasSubstr("3 nodes"));
  EXPECT_THAT(top({"--json"}).out, HasSubstr("\"role\":\"driver\""));
  EXPECT_THAT(top({"--why", "search_piece"}).out, HasSubstr("runs uts::search_piece since"));
  EXPECT_THAT(top({"--list"}).out, HasSubstr(url));

  const Ended wrong = top({"--once", url.substr(0, url.size() - 4) + "beef"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("refuses"), HasSubstr("token")));

  launch.signal(SIGTERM);
  launch.wait();
  launch.wait_until_nothing_is_left(seconds{30});
  const Ended nobody = top({"--once"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("PP_HTTP=on"));
}

TEST_F(Watched, a_program_alone_says_where_and_ends_as_ever) {
  setting_.environment.push_back("PP_HTTP=on");
  Process alone({UTS_PROGRAM, "--tree", "T1"}, setting_);
  EXPECT_EQ(alone.wait(), 0);
  EXPECT_THAT(alone.err(), HasSubstr("can be watched at http://127.0.0.1:"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/pp")) << "something was left";
}

TEST_F(Watched, an_address_that_is_none_is_refused_in_a_sentence) {
  setting_.environment.push_back("PP_HTTP=here");
  Process alone({UTS_PROGRAM, "--tree", "T1"}, setting_);
  EXPECT_EQ(alone.wait(), 1);
  EXPECT_THAT(alone.err(), AllOf(HasSubstr("PP_HTTP=here"), HasSubstr("host:port")));
}

TEST_F(Watched, pp_top_tells_what_was_wrong_with_its_command_line) {
  EXPECT_EQ(top({"--once", "localhost"}).code, 2);
  EXPECT_EQ(top({"--delay", "x"}).code, 2);
  EXPECT_EQ(top({"--help"}).code, 0);
  const Ended nobody = top({"--once", "http://127.0.0.1:1/?token=x"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("no answer from the node at 127.0.0.1:1"));
}

}  // namespace
}  // namespace pp::test
