// Process: a program under test, from its first line to its last descendant.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pp::test {

using std::chrono::seconds;

// How a program ended: its code, or 128 + the signal that killed it.
using ShellCode = int;

// Runs a command in a process group of its own with pipes at its descriptors. Every function that
// waits has a limit and throws std::runtime_error with all that was printed so far when it is
// reached: a hang is a failure with a name. The destructor kills whatever is left, descendants
// included: each inherits a variable that names this object.
class Process {
 public:
  struct Setting {
    std::vector<std::string>
        environment;           // NAME=value on top of ours; PP_ variables of ours are not handed on
    std::string input;         // standard input; then its end
    bool own_session = false;  // no controlling terminal, as under a batch system
    bool input_stays_open = false;
  };

  explicit Process(std::vector<std::string> command) : Process(std::move(command), Setting{}) {}
  Process(std::vector<std::string> command, const Setting& setting);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }
  bool running();

  // Takes in what it has printed, and waits for some, so long at most. Whoever has a program print
  // much and waits for nothing must call this now and then: it stops when its pipes are full.
  void read(std::chrono::milliseconds limit);

  // The whole line, of either stream, that contains `text`.
  std::string wait_for_line(std::string_view text, seconds limit = seconds{60});
  // The end of the program itself.
  ShellCode wait(seconds limit = seconds{60});
  void wait_until(const std::function<bool()>& condition, std::string_view what,
                  seconds limit = seconds{60});
  // The end of the program and of everything that it started.
  void wait_until_nothing_is_left(seconds limit);

  void signal(int number) const;
  // Throws when the program reads no more.
  void write_input(std::string_view text);
  void close_input();

  // Living processes (no zombies) that this program or its descendants started, the program
  // included.
  std::vector<pid_t> family() const;
  // Those of them that were started with this variable: PP_ROLE=worker.
  std::vector<pid_t> family_with(std::string_view variable) const;

 private:
  [[noreturn]] void fail(const std::string& what);

  std::string command_;
  std::string tag_;
  pid_t pid_ = -1;
  int in_pipe_ = -1, out_pipe_ = -1, err_pipe_ = -1;
  std::string out_, err_;
  std::optional<ShellCode> code_;
};

// A folder for one test's files, removed with it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// How often `text` occurs.
std::size_t count(std::string_view in, std::string_view text);
// The lines that contain `text`.
std::vector<std::string> lines_with(std::string_view in, std::string_view text);

// CPU seconds used so far by a living process, from /proc; 0 when it is gone.
double cpu_seconds(pid_t pid);

}  // namespace pp::test
