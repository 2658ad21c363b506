// Reporter: when to look, and where to write.
#include "reporter.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

#include "status_line.hpp"

namespace pp::runtime {

namespace {

constexpr std::chrono::milliseconds kRefresh{500};
constexpr std::size_t kUsualWidth = 80;

std::size_t width_of_terminal() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kUsualWidth;
}

}  // namespace

Reporter::Reporter(Log& log, ProgressSetting setting, std::function<Progress::Standing()> standing)
    : log_(log), setting_(setting), standing_(std::move(standing)) {
  if (setting_.mode != ProgressSetting::Mode::kOff) thread_ = std::thread([this] { run(); });
}

Reporter::~Reporter() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Reporter::run() {
  const bool live = setting_.mode == ProgressSetting::Mode::kAuto && ::isatty(STDERR_FILENO) == 1;
  const std::chrono::milliseconds every = live ? kRefresh : setting_.every;
  Progress progress;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, every, [this] { return ending_; })) {
    lock.unlock();
    progress.look(std::chrono::steady_clock::now(), standing_());
    if (live) {
      // (The last column would make some terminals begin a new line.)
      constexpr std::size_t kPrefix = 4;
      const std::size_t width = width_of_terminal();
      const std::string line = progress.line(width > kPrefix + 1 ? width - kPrefix - 1 : 1);
      StatusLine::show(log_, line.empty() ? line : "pp: " + line);
    } else if (const std::string line = progress.line(); !line.empty()) {
      log_.state(line);
    }
    lock.lock();
  }
  if (live) StatusLine::show(log_, {});
}

}  // namespace pp::runtime
