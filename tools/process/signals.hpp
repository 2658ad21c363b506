// Signals as a descriptor: what the launch is told by the system and its user.
#pragma once

#include <sys/types.h>

#include <optional>

#include "child.hpp"
#include "descriptor.hpp"

namespace pp::tools {

struct Signal {
  int number = 0;
  bool from_terminal = false;  // the kernel sent it to our whole process group, the driver included
};

// From its construction to the end of the process (one that came after the last child has ended
// would change the exit code), the signals a launch cares about are read from descriptor(), not
// delivered. A signal that was ignored when the process started (nohup) stays ignored. The children
// get before(): mask and dispositions as they were.
class Signals {
 public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int descriptor() const { return descriptor_.get(); }
  const SignalState& before() const { return before_; }
  // The next signal; nothing when none waits.
  std::optional<Signal> take();

 private:
  SignalState before_;
  Descriptor descriptor_;
};

// Whether a process has made arrangements for a signal, so that it would not die of it. False where
// the system does not say.
bool is_prepared(pid_t pid, int signal);

}  // namespace pp::tools
