// Poller: what it must not miss.
#include "poller.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace pp::transport {
namespace {

using namespace std::chrono_literals;

// 'S' asleep, 'T' stopped, ...
char state_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const std::size_t name_end = text.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= text.size() ? '?' : text[name_end + 2];
}

// Would catch: a wait that the stop has interrupted and that says that there was nothing. Whoever
// takes that for silence gives up peers that have spoken.
TEST(Poller, sees_what_came_while_its_process_was_stopped) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Poller poller;
    poller.add(pipe[0], 7, true, false);
    const auto events = poller.wait(Clock::now() + 1min);
    ::_exit(events.size() == 1 && events[0].tag == 7 && events[0].readable ? 0 : 1);
  }
  while (state_of(child) != 'S') std::this_thread::yield();
  ASSERT_EQ(::kill(child, SIGSTOP), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  ASSERT_EQ(::kill(child, SIGCONT), 0);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

}  // namespace
}  // namespace pp::transport
