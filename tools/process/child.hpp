// Child processes: find the program, start it, learn how it ended.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "descriptor.hpp"
#include "exit_status.hpp"

namespace pp::tools {

// Why a program cannot be run: a shell's exit code (127 not found, 126 not executable) and the rest
// of a sentence.
struct ExecFailure {
  int shell_code = 127;
  std::string why;
};

// Looks for `program` as execvp does, in `path` unless it contains a slash. The file to run, or why
// there is none.
std::variant<std::string, ExecFailure> find_program(const std::string& program,
                                                    const std::string& path);

// The signal mask and the dispositions that a child shall have: those this process was started
// with.
struct SignalState {
  sigset_t mask{};
  std::vector<std::pair<int, struct sigaction>> dispositions;
};

struct ChildPlan {
  std::string file;                      // what to execute
  std::vector<std::string> arguments;    // argv, the program's name included
  std::vector<std::string> environment;  // NAME=value
  bool own_group = false;  // leads a process group of its own: signals of the terminal pass it by
  int input = -1, output = -1, error = -1;  // its descriptors 0, 1, 2; -1: inherits ours
  std::vector<int> keep;  // more of our descriptors that it keeps, under the same numbers
  std::string folder;     // where it runs; empty: where we do
  std::vector<std::pair<int, rlimit>> limits;  // RLIMIT_...
  const SignalState* signals = nullptr;        // restored in the child; must not be null
};

// Starts it and returns when the program itself runs (or could not be executed). The child is
// killed when the calling thread's process ends, however that happens. Throws pp::Error when no
// process can be made at all.
std::variant<pid_t, ExecFailure> start_child(const ChildPlan& plan);

struct EndedChild {
  pid_t pid = 0;
  ExitStatus status;
  std::uint64_t peak_bytes = 0;  // the most memory that it, or a child it waited for, had in use
};

// A child that has ended and was not reaped yet. Until it is, its number and that of its process
// group are nobody else's, so what is sent there reaches no stranger. Nothing: none has ended.
std::optional<pid_t> ended_child();

// Takes one ended child off the system's hands: any, or this one. Nothing: none has ended;
// `childless` says whether any is left.
std::optional<EndedChild> reap(bool& childless, pid_t which = -1);

// All living children of this process, adopted ones included; empty where the kernel does not say.
std::vector<pid_t> living_children();

// From now on orphaned descendants become our children, so that none is left behind unseen.
void adopt_orphans();

// What this process was started with beside its standard descriptors is not for its children; and
// where one of those three is missing, /dev/null takes the place, so that no file of ours gets it.
void tidy_descriptors();

// A pipe closed in every child that does not keep it; the reading end never blocks. Throws
// pp::Error.
struct Pipe {
  Descriptor reading;
  Descriptor writing;
};
Pipe make_pipe();

}  // namespace pp::tools
