// Sentinel: waits for its bell, and looks whether anything moves.
#include "sentinel.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <pp/error.hpp>

namespace pp::runtime {

namespace {

constexpr std::uint64_t kAsk = 1;
constexpr std::uint64_t kEnd = std::uint64_t{1} << 32;

void write_to(int bell, std::uint64_t what) noexcept {
  [[maybe_unused]] const ssize_t put = ::write(bell, &what, sizeof what);
}

std::string seconds(std::chrono::steady_clock::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

Sentinel::Sentinel(Subject& subject, Log& log, std::chrono::milliseconds limit)
    : subject_(subject),
      log_(log),
      limit_(limit),
      stall_(limit),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (bell_ < 0) throw Error("pp: the system gives no more event descriptors (ulimit -n)");
  thread_ = std::thread([this] { run(); });
}

Sentinel::~Sentinel() {
  write_to(bell_, kEnd);
  thread_.join();
  ::close(bell_);
}

void Sentinel::ring() noexcept { write_to(bell_, kAsk); }

void Sentinel::run() {
  const int look_every =
      limit_.count() <= 0 ? -1 : static_cast<int>(std::max<std::int64_t>(limit_.count() / 4, 1));
  for (;;) {
    pollfd bell{bell_, POLLIN, 0};
    const int rung = ::poll(&bell, 1, look_every);
    if (rung < 0 && errno != EINTR) return;
    std::uint64_t what = 0;
    if (rung > 0 && ::read(bell_, &what, sizeof what) == sizeof what) {
      if (what >= kEnd) return;
      log_.state(subject_.describe());
    }
    const auto now = std::chrono::steady_clock::now();
    if (const auto since = stall_.look(now, subject_.progress(), subject_.waiting())) {
      log_.warn("nothing has moved here for " + seconds(now - *since) +
                " although something is waited for (PP_STALLED)");
      log_.state(subject_.describe());
    }
  }
}

}  // namespace pp::runtime
