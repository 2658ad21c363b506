// ExitStatus: how a process ended.
#pragma once

#include <string>

namespace pp::tools {

// A value. Either the process returned `code`, or `signal` (not 0) ended it.
struct ExitStatus {
  int code = 0;
  int signal = 0;
  bool core_dumped = false;

  bool clean() const { return code == 0 && signal == 0; }
  // What a shell would show in $?: the code, or 128 + signal.
  int shell_code() const { return signal != 0 ? 128 + signal : code; }
  // "ended with code 7", "was killed by SIGSEGV (11: segmentation fault; core dumped)": the rest of
  // a sentence about a process.
  std::string sentence() const;

  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

// "SIGTERM"; "signal 99" where there is no name.
std::string signal_name(int signal);

}  // namespace pp::tools
