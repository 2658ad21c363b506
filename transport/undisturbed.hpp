// Undisturbed: hands signal handlers back as they were after a library has helped itself to them.
#pragma once

#include <dlfcn.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <string_view>

namespace pp::transport {

// The signals that libfabric's providers and the libraries below them take over.
inline constexpr std::array<int, 6> kTakenSignals = {SIGINT, SIGILL,  SIGABRT,
                                                     SIGBUS, SIGSEGV, SIGTERM};

// The constructor of PSM's library takes them over as soon as libfabric is loaded, to write a *.btr
// file into the working directory and end the process, unless it finds this in the environment. To
// be called before other threads read that: setenv has no lock.
inline void keep_psm_from_signals() { ::setenv("IPATH_NO_BACKTRACE", "1", 0); }

// True when this handler lies in libfabric or one of the PSM libraries.
inline bool belongs_to_fabric(const struct sigaction& action) {
  void* code = nullptr;
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    code = reinterpret_cast<void*>(action.sa_sigaction);
  } else if (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) {
    code = reinterpret_cast<void*>(action.sa_handler);
  }
  Dl_info where{};
  if (code == nullptr || dladdr(code, &where) == 0 || where.dli_fname == nullptr) return false;
  const std::string_view path = where.dli_fname;
  const std::string_view file = path.substr(path.rfind('/') + 1);  // npos + 1 == 0
  return file.starts_with("libinfinipath") || file.starts_with("libpsm") ||
         file.starts_with("libfabric");
}

// At destruction, signals that have got a handler of those libraries meanwhile have again what they
// had at construction (the default, where that was one of these, too). A handler that is anybody
// else's stays: other threads may install theirs at any time.
class Undisturbed {
 public:
  Undisturbed() {
    for (std::size_t i = 0; i < kTakenSignals.size(); ++i) {
      sigaction(kTakenSignals[i], nullptr, &before_[i]);
      if (belongs_to_fabric(before_[i])) before_[i] = normal();
    }
  }
  ~Undisturbed() {
    for (std::size_t i = 0; i < kTakenSignals.size(); ++i) {
      struct sigaction now {};
      if (sigaction(kTakenSignals[i], nullptr, &now) == 0 && belongs_to_fabric(now))
        sigaction(kTakenSignals[i], &before_[i], nullptr);
    }
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  static struct sigaction normal() {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    return action;
  }

  std::array<struct sigaction, kTakenSignals.size()> before_{};
};

}  // namespace pp::transport
