// Undisturbed: hands signal handlers and environment back as they were after a library has helped
// itself to both.
#pragma once

#include <dlfcn.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pp::transport {

// The signals that libfabric's providers and the libraries below them take over.
inline constexpr std::array<int, 6> kTakenSignals = {SIGINT, SIGILL,  SIGABRT,
                                                     SIGBUS, SIGSEGV, SIGTERM};

// True when this handler lies in one of the PSM libraries: their constructor installs it as soon as
// libfabric is loaded. It writes a *.btr file into the working directory and ends the
// process, and nobody asked for it.
inline bool belongs_to_psm(const struct sigaction& action) {
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
  return file.starts_with("libinfinipath") || file.starts_with("libpsm");
}

// Puts PSM's handlers back to the default (what they had replaced cannot be found out any more); a
// handler that is anybody else's stays. Safe to call at any time.
inline void drop_psm_signal_handlers() {
  for (const int signal : kTakenSignals) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) != 0 || !belongs_to_psm(now)) continue;
    struct sigaction normal {};
    normal.sa_handler = SIG_DFL;
    sigaction(signal, &normal, nullptr);
  }
}

// From construction to destruction the given variables are set, unless the user has set them; then
// signal handlers and environment are as they were (but for PSM's handlers, which are dropped).
// REQUIRES: no other thread reads or writes the environment meanwhile; setenv has no lock.
class Undisturbed {
 public:
  struct Variable {
    const char* name;
    const char* value;
  };

  explicit Undisturbed(std::span<const Variable> variables) {
    drop_psm_signal_handlers();
    for (std::size_t i = 0; i < kTakenSignals.size(); ++i) {
      sigaction(kTakenSignals[i], nullptr, &handlers_[i]);
    }
    for (const Variable& variable : variables) {
      if (std::getenv(variable.name) != nullptr) continue;
      if (setenv(variable.name, variable.value, 0) == 0) ours_.emplace_back(variable.name);
    }
  }
  ~Undisturbed() {
    for (const std::string& name : ours_) unsetenv(name.c_str());
    for (std::size_t i = 0; i < kTakenSignals.size(); ++i) {
      sigaction(kTakenSignals[i], &handlers_[i], nullptr);
    }
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  std::array<struct sigaction, kTakenSignals.size()> handlers_{};
  std::vector<std::string> ours_;
};

}  // namespace pp::transport
