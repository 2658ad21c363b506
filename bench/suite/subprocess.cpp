// One thread, one poll() over two pipes and the process itself.
#include "subprocess.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <variant>

#include "child.hpp"

namespace pp::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kGrace{5};  // between "please" and the end
constexpr std::size_t kMostKept = std::size_t{16} << 20;

std::vector<std::string> environment_with(const std::vector<std::string>& ours) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (text.substr(0, 3) != "PP_") all.emplace_back(text);
  }
  all.insert(all.end(), ours.begin(), ours.end());
  return all;
}

// What can be read now; false: nothing will come any more.
bool drain(int from, std::string& into) {
  std::array<char, 65536> some;
  for (;;) {
    const ssize_t got = ::read(from, some.data(), some.size());
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    const std::size_t room = kMostKept - std::min(kMostKept, into.size());
    into.append(some.data(), std::min(room, static_cast<std::size_t>(got)));
  }
}

// The last lines that say something.
std::string last_words(const std::string& error) {
  const std::size_t end = error.find_last_not_of(" \n");
  if (end == std::string::npos) return "";
  std::size_t begin = end;
  for (int lines = 0; lines < 3 && begin != std::string::npos && begin > 0; ++lines)
    begin = error.rfind('\n', begin - 1);
  begin = begin == std::string::npos ? 0 : begin;
  std::string words = error.substr(begin, end + 1 - begin);
  words.erase(0, words.find_first_not_of('\n'));
  std::ranges::replace(words, '\n', ' ');
  return ": " + words;
}

tools::ExitStatus status_of(int wait_status) {
  tools::ExitStatus status;
  if (WIFEXITED(wait_status)) status.code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) status.signal = WTERMSIG(wait_status);
  return status;
}

}  // namespace

long long monotonic_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

Outcome run_process(const std::vector<std::string>& words,
                    const std::vector<std::string>& environment, std::chrono::seconds limit) {
  const char* const path = std::getenv("PATH");
  const auto file = tools::find_program(words.front(), path != nullptr ? path : "/usr/bin:/bin");
  if (const auto* failure = std::get_if<tools::ExecFailure>(&file))
    return {false, "", failure->why};

  tools::Pipe out = tools::make_pipe();
  tools::Pipe error = tools::make_pipe();
  tools::SignalState signals;
  ::sigprocmask(SIG_SETMASK, nullptr, &signals.mask);
  std::vector<std::string> told = environment_with(environment);
  told.push_back(std::string(kStarted) + "=" + std::to_string(monotonic_nanoseconds()));
  const auto started = tools::start_child({.file = std::get<std::string>(file),
                                           .arguments = words,
                                           .environment = std::move(told),
                                           .output = out.writing.get(),
                                           .error = error.writing.get(),
                                           .keep = {},
                                           .signals = &signals});
  out.writing.close();
  error.writing.close();
  if (const auto* failure = std::get_if<tools::ExecFailure>(&started))
    return {false, "", failure->why};
  const pid_t pid = std::get<pid_t>(started);
  // glibc 2.36 declares pidfd_open() without extern "C".
  const tools::Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));

  Outcome outcome;
  std::string said;
  const Clock::time_point due = Clock::now() + limit;
  int asked = 0;  // how often it was told to end
  for (bool ended = false; !ended;) {
    const Clock::time_point next = due + asked * kGrace;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    std::array<pollfd, 3> descriptors{{{out.reading.get(), POLLIN, 0},
                                       {error.reading.get(), POLLIN, 0},
                                       {process.get(), POLLIN, 0}}};
    ::poll(descriptors.data(), descriptors.size(), static_cast<int>(std::max<long>(left, 0)));
    if (out.reading.get() >= 0 && !drain(out.reading.get(), outcome.printed)) out.reading.close();
    if (error.reading.get() >= 0 && !drain(error.reading.get(), said)) error.reading.close();
    ended = descriptors[2].revents != 0;
    if (!ended && Clock::now() >= next) ::kill(pid, ++asked == 1 ? SIGTERM : SIGKILL);
  }
  if (out.reading.get() >= 0) drain(out.reading.get(), outcome.printed);
  if (error.reading.get() >= 0) drain(error.reading.get(), said);
  int wait_status = 0;
  ::waitpid(pid, &wait_status, 0);
  const tools::ExitStatus status = status_of(wait_status);
  outcome.good = asked == 0 && status.clean();
  if (asked > 0) {
    outcome.why = "had not ended after " + std::to_string(limit.count()) + " s" + last_words(said);
  } else if (!outcome.good) {
    outcome.why = status.sentence() + last_words(said);
  }
  return outcome;
}

}  // namespace pp::bench
