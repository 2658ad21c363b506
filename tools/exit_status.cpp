// ExitStatus in words.
#include "exit_status.hpp"

#include <csignal>
#include <cstring>

namespace pp::tools {

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::string ExitStatus::sentence() const {
  if (signal == 0) return "ended with code " + std::to_string(code);
  return "was killed by " + signal_name(signal) + (core_dumped ? " (core dumped)" : "");
}

}  // namespace pp::tools
