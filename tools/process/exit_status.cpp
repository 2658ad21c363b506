// ExitStatus in words.
#include "exit_status.hpp"

#include <cctype>
#include <csignal>
#include <cstring>

namespace pp::tools {

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::string ExitStatus::sentence() const {
  if (signal == 0) return "ended with code " + std::to_string(code);
  std::string what = ::strsignal(signal);
  if (!what.empty()) what[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(what[0])));
  return "was killed by " + signal_name(signal) + " (" + std::to_string(signal) + ": " + what +
         (core_dumped ? "; core dumped)" : ")");
}

}  // namespace pp::tools
