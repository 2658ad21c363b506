// Process over fork, poll and /proc.
#include "process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace pp::test {
namespace {

using Clock = std::chrono::steady_clock;

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string of_process(pid_t pid, const char* file) {
  std::string path = "/proc/";
  return content(path.append(std::to_string(pid)).append("/").append(file));
}

bool is_zombie(pid_t pid) {
  const std::string stat = of_process(pid, "stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= stat.size() ||
         stat[name_end + 2] == 'Z' || stat[name_end + 2] == 'X';
}

bool has_variable(pid_t pid, std::string_view variable) {
  const std::string environment = of_process(pid, "environ");
  for (std::size_t begin = 0; begin < environment.size();) {
    const std::size_t end = std::min(environment.find('\0', begin), environment.size());
    if (std::string_view(environment).substr(begin, end - begin) == variable) return true;
    begin = end + 1;
  }
  return false;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  DIR* proc = ::opendir("/proc");
  while (const dirent* entry = ::readdir(proc)) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])))
      pids.push_back(std::atoi(entry->d_name));
  }
  ::closedir(proc);
  return pids;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Process::Process(std::vector<std::string> command, const Setting& setting) {
  ::signal(SIGPIPE, SIG_IGN);  // a program that is gone fails the test that writes to it
  static std::atomic<int> counter{0};
  tag_ = std::string("TEST_FAMILY=") + std::to_string(::getpid()) + "." + std::to_string(++counter);
  for (const std::string& word : command) command_ += (command_.empty() ? "" : " ") + word;

  std::vector<std::string> environment{tag_};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "PP_", 3) != 0 &&
        std::strncmp(*variable, "TEST_FAMILY=", 12) != 0) {
      environment.emplace_back(*variable);
    }
  }
  environment.insert(environment.end(), setting.environment.begin(), setting.environment.end());

  int in[2], out[2], err[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  const std::vector<char*> argv = pointers(command);
  const std::vector<char*> variables = pointers(environment);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("no process");
  if (pid_ == 0) {
    if (setting.own_session) {
      ::setsid();
    } else {
      ::setpgid(0, 0);
    }
    ::signal(SIGPIPE, SIG_DFL);  // what is ignored stays ignored across exec
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    ::execvpe(argv[0], argv.data(), variables.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  in_pipe_ = in[1];
  out_pipe_ = out[0];
  err_pipe_ = err[0];
  if (!setting.input.empty()) write_input(setting.input);
  if (!setting.input_stays_open) close_input();
}

Process::~Process() {
  for (int round = 0; round < 50; ++round) {  // a process may be forking while it is looked for
    const std::vector<pid_t> left = family();
    if (left.empty()) break;
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    ::poll(nullptr, 0, 10);
  }
  if (!code_) ::waitpid(pid_, nullptr, 0);
  for (const int descriptor : {in_pipe_, out_pipe_, err_pipe_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

bool Process::running() {
  if (code_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return false;
}

void Process::read(std::chrono::milliseconds limit) {
  pollfd watched[2] = {{out_pipe_, POLLIN, 0}, {err_pipe_, POLLIN, 0}};
  if (::poll(watched, 2, static_cast<int>(limit.count())) <= 0) return;
  int* const pipes[2] = {&out_pipe_, &err_pipe_};
  std::string* const texts[2] = {&out_, &err_};
  for (int i = 0; i < 2; ++i) {
    if (watched[i].revents == 0) continue;
    char bytes[65536];
    const ssize_t count = ::read(*pipes[i], bytes, sizeof bytes);
    if (count > 0) {
      texts[i]->append(bytes, static_cast<std::size_t>(count));
    } else {
      ::close(*pipes[i]);
      *pipes[i] = -1;
    }
  }
}

void Process::wait_until(const std::function<bool()>& condition, std::string_view what,
                         seconds limit) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) {
      fail("waited " + std::to_string(limit.count()) + " s in vain for " + std::string(what));
    }
    if (out_pipe_ < 0 && err_pipe_ < 0) {
      ::poll(nullptr, 0, 10);
    } else {
      read(std::chrono::milliseconds{10});
    }
  }
}

std::string Process::wait_for_line(std::string_view text, seconds limit) {
  std::string found;
  const auto look = [&] {
    for (const std::string* stream : {&out_, &err_}) {
      const std::size_t at = stream->find(text);
      const std::size_t end = at == std::string::npos ? at : stream->find('\n', at);
      if (end == std::string::npos) continue;
      const std::size_t before = stream->rfind('\n', at);
      const std::size_t begin = before == std::string::npos ? 0 : before + 1;
      found = stream->substr(begin, end - begin);
      return true;
    }
    return false;
  };
  wait_until(
      [&] {
        if (look()) return true;
        if (running()) return false;
        while (out_pipe_ >= 0 || err_pipe_ >= 0) {
          const std::size_t before = out_.size() + err_.size();
          read(std::chrono::milliseconds{0});
          if (out_.size() + err_.size() == before && out_pipe_ < 0 && err_pipe_ < 0) break;
          if (look()) return true;
          if (out_.size() + err_.size() == before) break;
        }
        if (look()) return true;
        fail("it ended with " + std::to_string(*code_) + " and never printed \"" +
             std::string(text) + '"');
      },
      std::string("the line \"").append(text) + '"', limit);
  return found;
}

ShellCode Process::wait(seconds limit) {
  wait_until([this] { return !running(); }, "its end", limit);
  wait_until([this] { return out_pipe_ < 0 && err_pipe_ < 0; }, "the end of its output", limit);
  return *code_;
}

void Process::wait_until_nothing_is_left(seconds limit) {
  wait_until([this] { return !running() && family().empty(); }, "the end of all its processes",
             limit);
}

void Process::signal(int number) const { ::kill(pid_, number); }

void Process::write_input(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(in_pipe_, text.data(), text.size());
    if (count <= 0) fail("it does not read its input any more");
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Process::close_input() {
  ::close(in_pipe_);
  in_pipe_ = -1;
}

std::vector<pid_t> Process::family() const { return family_with(""); }

std::vector<pid_t> Process::family_with(std::string_view variable) const {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes()) {
    if (has_variable(pid, tag_) && (variable.empty() || has_variable(pid, variable)) &&
        !is_zombie(pid)) {
      found.push_back(pid);
    }
  }
  return found;
}

void Process::fail(const std::string& what) {
  std::string text = command_ + "\n" + what + "\n--- its processes:";
  for (const pid_t pid : family()) text.append(" ").append(std::to_string(pid));
  throw std::runtime_error(text + "\n--- standard output:\n" + out_ + "--- standard error:\n" +
                           err_);
}

Folder::Folder() : path_((std::filesystem::temp_directory_path() / "pp-test-XXXXXX").string()) {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::size_t count(std::string_view in, std::string_view text) {
  std::size_t times = 0;
  for (std::size_t at = in.find(text); at != std::string_view::npos;
       at = in.find(text, at + text.size())) {
    ++times;
  }
  return times;
}

std::vector<std::string> lines_with(std::string_view in, std::string_view text) {
  std::vector<std::string> found;
  std::istringstream lines{std::string(in)};
  for (std::string line; std::getline(lines, line);) {
    if (line.find(text) != std::string::npos) found.push_back(line);
  }
  return found;
}

double cpu_seconds(pid_t pid) {
  const std::string stat = of_process(pid, "stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(stat.substr(name_end + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace pp::test
