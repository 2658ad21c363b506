// fork and exec, with nothing but async-signal-safe calls between the two.
#include "child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <pp/error.hpp>
#include <sstream>
#include <string_view>

namespace pp::tools {
namespace {

ExecFailure failure(const std::string& program, int error) {
  if (error == ENOENT) return {127, program + ": no such file, or its interpreter is missing"};
  if (error == ENOEXEC) {
    return {126, program + ": not a program for this machine (a script needs a #! line)"};
  }
  return {126, program + ": " + std::strerror(error)};
}

bool is_file(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// In the child: a copy of a process that may have held any lock, so only async-signal-safe calls.
[[noreturn]] void become(const ChildPlan& plan, char* const* argv, char* const* environment,
                         pid_t parent, int failed) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before prctl could see it
  if (plan.own_group) ::setpgid(0, 0);
  for (const auto& [resource, limit] : plan.limits)
    ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
  if (!plan.folder.empty() && ::chdir(plan.folder.c_str()) != 0) {
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(failed, &error, sizeof error);
    ::_exit(127);
  }
  if (plan.input >= 0) ::dup2(plan.input, STDIN_FILENO);
  if (plan.output >= 0) ::dup2(plan.output, STDOUT_FILENO);
  if (plan.error >= 0) ::dup2(plan.error, STDERR_FILENO);
  for (const int kept : plan.keep) ::fcntl(kept, F_SETFD, 0);
  for (const auto& [signal, action] : plan.signals->dispositions)
    ::sigaction(signal, &action, nullptr);
  ::sigprocmask(SIG_SETMASK, &plan.signals->mask, nullptr);
  ::execve(plan.file.c_str(), argv, environment);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(failed, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

std::variant<std::string, ExecFailure> find_program(const std::string& program,
                                                    const std::string& path) {
  const auto runnable = [](const std::string& file) {
    return is_file(file) && ::access(file.c_str(), X_OK) == 0;
  };
  if (program.find('/') != std::string::npos) {
    if (runnable(program)) return program;
    struct stat about {};
    if (::stat(program.c_str(), &about) != 0) {
      return ExecFailure{errno == ENOENT ? 127 : 126, program + ": " + std::strerror(errno)};
    }
    if (S_ISDIR(about.st_mode))
      return ExecFailure{126, program + ": is a directory, expected a program"};
    return ExecFailure{126, program + ": is not executable (chmod +x?)"};
  }
  bool seen = false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const std::string folder = end == begin ? "." : path.substr(begin, end - begin);
    const std::string file = folder + "/" + program;
    if (runnable(file)) return file;
    seen = seen || is_file(file);
    begin = end + 1;
  }
  if (seen) return ExecFailure{126, program + ": found in PATH, but it is not executable"};
  const std::string hint = is_file(program) ? " (there is one here: write ./" + program + ")" : "";
  return ExecFailure{127, program + ": command not found" + hint};
}

std::variant<pid_t, ExecFailure> start_child(const ChildPlan& plan) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw Error(std::string("no pipe can be made: ") + std::strerror(errno));
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  const std::vector<char*> argv = pointers(plan.arguments);
  const std::vector<char*> environment = pointers(plan.environment);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw Error(std::string("no process can be started: ") + std::strerror(errno));
  if (pid == 0) become(plan, argv.data(), environment.data(), parent, writing.get());
  writing.close();
  // The writing end closes by itself when exec succeeds: then there is nothing to read.
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(reading.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof error)) return pid;
  ::waitpid(pid, nullptr, 0);
  return failure(plan.file, error);
}

std::optional<pid_t> ended_child() {
  siginfo_t about{};
  if (::waitid(P_ALL, 0, &about, WEXITED | WNOHANG | WNOWAIT) != 0 || about.si_pid == 0)
    return std::nullopt;
  return about.si_pid;
}

std::optional<EndedChild> reap(bool& childless, pid_t which) {
  int status = 0;
  rusage usage{};
  pid_t pid = 0;
  do {
    pid = ::wait4(which, &status, WNOHANG, &usage);
  } while (pid < 0 && errno == EINTR);
  childless = pid < 0;  // ECHILD
  if (pid <= 0) return std::nullopt;
  EndedChild ended{pid, {}, static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
  if (WIFEXITED(status)) {
    ended.status.code = WEXITSTATUS(status);
  } else {
    ended.status.signal = WTERMSIG(status);
    ended.status.core_dumped = WCOREDUMP(status);
  }
  return ended;
}

std::vector<pid_t> living_children() {
  std::ifstream list("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  std::vector<pid_t> children;
  for (pid_t pid = 0; list >> pid;) children.push_back(pid);
  return children;
}

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

void tidy_descriptors() {
  for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; ++standard) {
    // The lowest number that is free.
    if (::fcntl(standard, F_GETFD) >= 0) continue;
    [[maybe_unused]] const int opened = ::open("/dev/null", O_RDWR);
  }
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw Error(std::string("no pipe can be made: ") + std::strerror(errno) +
                (errno == EMFILE ? " (each worker takes three descriptors: raise ulimit -n)" : ""));
  }
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  ::fcntl(pipe.reading.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

}  // namespace pp::tools
