// SshSession: one ssh process, what it is to be given and what it has said.
#pragma once

#include <sys/types.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "child.hpp"
#include "farewell.hpp"
#include "keeper_ear.hpp"
#include "keeper_script.hpp"

namespace pp::tools {

// A script that runs on a host as long as this process lives: when it is killed, or when we are,
// the host's script sees the end of its standard input. In a process group of its own, so that the
// terminal's signals pass it by. Its output is read by the owner's poll loop.
class SshSession {
 public:
  // Starts it; `script`, then `more`, goes to its standard input, which stays open. Throws
  // pp::Error when no process can be started.
  SshSession(const SshCommand& command, const std::string& file,
             const std::vector<std::string>& environment, const SignalState& signals,
             std::string_view token, const std::string& script, std::string_view more, Time now);
  ~SshSession();
  SshSession(const SshSession&) = delete;
  SshSession& operator=(const SshSession&) = delete;

  pid_t pid() const { return pid_; }
  Time started() const { return started_; }
  bool living() const { return !exit_; }
  const std::optional<ExitStatus>& exit() const { return exit_; }
  void ended(const ExitStatus& status) { exit_ = status; }

  // Whether there is something to write, and where; write_some() never blocks.
  bool wants_to_write() const { return in_.open() && (!unsent_.empty() || closing_); }
  int input() const { return in_.get(); }
  void write_some();
  // Queued behind what is unsent.
  void send(std::string bytes);
  // After all that; then standard input is closed. Not copied: many may be given the same.
  void send_last(std::shared_ptr<const std::string> bytes);
  const std::shared_ptr<const std::string>& last() const { return last_; }
  // After what is unsent: on the host everything ends.
  void close_input();
  void close_input_at_once();
  void kill();

  Descriptor out, err;  // our ends; closed at their end
  LineSplitter out_lines;
  KeeperEar ear;
  std::string last_words;  // of standard error, while nobody prints it

 private:
  pid_t pid_ = 0;
  Time started_{};
  std::optional<ExitStatus> exit_;
  Descriptor in_;
  std::deque<std::string> unsent_;
  std::size_t written_ = 0;  // of the first
  std::shared_ptr<const std::string> last_;
  std::size_t last_written_ = 0;
  bool closing_ = false;
};

}  // namespace pp::tools
