// Signals over signalfd.
#include "signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <pp/error.hpp>
#include <string>

namespace pp::tools {

Signals::Signals() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal :
       {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2}) {
    sigaddset(&ours, signal);
  }
  ::sigprocmask(SIG_BLOCK, &ours, &before_.mask);
  // SIGPIPE: a reader of our output that goes away ends the output, not the launch. SIGCHLD ignored
  // by our parent would make children vanish without an exit status.
  for (const auto& [signal, handler] : {std::pair{SIGPIPE, SIG_IGN}, std::pair{SIGCHLD, SIG_DFL}}) {
    struct sigaction now {};
    now.sa_handler = handler;
    struct sigaction before {};
    ::sigaction(signal, &now, &before);
    before_.dispositions.emplace_back(signal, before);
  }
  descriptor_ = Descriptor(::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor_.open()) throw Error(std::string("no signalfd: ") + std::strerror(errno));
}

std::optional<Signal> Signals::take() {
  signalfd_siginfo info{};
  if (::read(descriptor_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info))
    return std::nullopt;
  return Signal{static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
}

bool is_prepared(pid_t pid, int signal) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    // Blocked, ignored, caught.
    if (!line.starts_with("SigBlk:") && !line.starts_with("SigIgn:") &&
        !line.starts_with("SigCgt:")) {
      continue;
    }
    const std::uint64_t set = std::strtoull(line.c_str() + 7, nullptr, 16);
    if ((set >> (signal - 1) & 1) != 0) return true;
  }
  return false;
}

}  // namespace pp::tools
