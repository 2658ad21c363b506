// State: what a node says of itself when it is asked, and when nothing moves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <sstream>
#include <string>
#include <thread>

#include "runtimes.hpp"
#include "stall.hpp"

namespace pp {
namespace {

using namespace std::chrono_literals;
using runtime::Stall;
using testing::AllOf;
using testing::HasSubstr;

Stall::Time at(std::chrono::seconds seconds) { return Stall::Time(seconds); }

TEST(Stalls, are_said_when_nothing_moves_and_something_is_waited_for) {
  Stall stall(30s);
  EXPECT_FALSE(stall.look(at(0s), 5, true));
  EXPECT_FALSE(stall.look(at(29s), 5, true));
  const auto since = stall.look(at(30s), 5, true);
  ASSERT_TRUE(since);
  EXPECT_EQ(*since, at(0s));
}

TEST(Stalls, are_said_again_ever_more_rarely) {
  Stall stall(30s);
  int said = 0;
  for (int second = 0; second <= 3600; ++second) {
    if (stall.look(at(std::chrono::seconds(second)), 1, true)) ++said;
  }
  EXPECT_EQ(said, 7) << "after 30, 60, 120, 240, 480, 960 and 1920 s";
}

TEST(Stalls, end_with_anything_done_and_are_none_when_nothing_is_waited_for) {
  Stall stall(30s);
  for (int second = 0; second < 1000; ++second) {
    EXPECT_FALSE(stall.look(at(std::chrono::seconds(second)), second / 20, true)) << second;
  }
  for (int second = 1000; second < 2000; ++second) {
    EXPECT_FALSE(stall.look(at(std::chrono::seconds(second)), 50, false)) << second;
  }
}

TEST(Stalls, of_no_limit_are_never_said) {
  Stall stall(0s);
  EXPECT_FALSE(stall.look(at(0s), 1, true));
  EXPECT_FALSE(stall.look(at(100'000s), 1, true));
}

test::Gate gate;

int stuck(int value) {
  gate.pass();
  return value;
}

class State : public testing::Test {
 protected:
  State() { gate.close(); }
};

std::string state_of(runtime::Node& node) { return node.describe(); }

TEST_F(State, names_what_stuck_workers_run_and_what_waits_behind_it) {
  Options options;
  options.workers = 1;
  runtime::Node node(options);
  auto* job = runtime::make_job<runtime::Constant<stuck>>(1);
  Future<int> first(job);
  node.submit(*job);
  gate.wait_until_reached();
  auto* behind = runtime::make_job<runtime::Constant<stuck>>(2);
  Future<int> second(behind);
  node.submit(*behind);
  EXPECT_THAT(state_of(node),
              AllOf(HasSubstr("1 of 1 workers run jobs"), HasSubstr("worker 0 runs"),
                    HasSubstr("stuck since"), HasSubstr("1 queued to run anywhere")));
  gate.open();
  EXPECT_EQ(first.get() + second.get(), 3);
}

TEST_F(State, says_who_has_what_was_lent_and_since_when) {
  test::Runtimes nodes(2);
  auto far = nodes.first().submit<stuck>(JobOptions{.where = Where::not_here()}, 7);
  gate.wait_until_reached();
  std::ostringstream said;
  nodes.first().print_state(said);
  EXPECT_THAT(said.str(), AllOf(HasSubstr("node1: 1 job lent to it, the oldest"),
                                HasSubstr("stuck (attempt 1) since"), HasSubstr("1 session")));
  std::ostringstream there;
  nodes[1].print_state(there);
  EXPECT_THAT(there.str(), HasSubstr("node0: 1 job borrowed from it, 1 begun"));
  gate.open();
  EXPECT_EQ(far.get(), 7);
}

// What is written to stderr while it lives.
class Stderr {
 public:
  Stderr() : file_(std::tmpfile()), before_(dup(2)) { dup2(fileno(file_), 2); }
  ~Stderr() {
    dup2(before_, 2);
    close(before_);
    std::fclose(file_);
  }
  std::string said() const {
    std::string text(1 << 16, '\0');
    const ssize_t got = pread(fileno(file_), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

 private:
  std::FILE* file_;
  const int before_;
};

TEST_F(State, is_said_by_a_driver_where_nothing_moves) {
  const Stderr errors;
  Options options;
  options.workers = 1;
  options.stalled = 50ms;
  Runtime rt(options);
  auto job = rt.submit<stuck>(1);
  gate.wait_until_reached();
  while (errors.said().find("stuck since") == std::string::npos) std::this_thread::yield();
  EXPECT_THAT(errors.said(), HasSubstr("nothing has moved here for"));
  gate.open();
  EXPECT_EQ(job.get(), 1);
}

}  // namespace
}  // namespace pp
