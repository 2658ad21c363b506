// Log: spdlog's only door.
#include "log.hpp"

#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace pp::runtime {

Log::Log(const std::string& node_name, int report_fd) : report_fd_(report_fd) {
  // Not registered by name: several runtimes may live in one process.
  logger_ = std::make_shared<spdlog::logger>(
      node_name, std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>());
  logger_->set_pattern("pp %n %^%l%$: %v");
  const char* level = std::getenv("PP_LOG");
  logger_->set_level(level != nullptr ? spdlog::level::from_str(level) : spdlog::level::warn);
}

Log::Log(Sink sink) : sink_(std::move(sink)), report_fd_(-1) {}

Log::~Log() = default;

void Log::error(std::string_view sentence) {
  logger_ ? logger_->error("{}", sentence) : sink_("error", sentence);
}

void Log::warn(std::string_view sentence) {
  logger_ ? logger_->warn("{}", sentence) : sink_("warning", sentence);
}

void Log::info(std::string_view sentence) {
  logger_ ? logger_->info("{}", sentence) : sink_("info", sentence);
}

void Log::state(std::string_view lines) {
  if (!logger_) return sink_("state", lines);
  std::size_t at = 0;
  while (at < lines.size()) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    // Past the level that the user has chosen, which others may be reading now.
    spdlog::details::log_msg line(logger_->name(), spdlog::level::info,
                                  spdlog::string_view_t(lines.data() + at, end - at));
    for (const auto& sink : logger_->sinks()) sink->log(line);
    at = end + 1;
  }
  for (const auto& sink : logger_->sinks()) sink->flush();
}

void Log::report(std::string_view line) {
  if (sink_) sink_("report", line);
  if (report_fd_ < 0) return;
  std::string whole(line);
  for (char& c : whole) {
    if (c == '\n') c = ' ';
  }
  whole += '\n';
  // A launcher that is gone must not kill us by SIGPIPE: it is held back on this thread, and taken
  // if it came.
  sigset_t pipe;
  sigset_t before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  // One write, so that lines of different threads do not mix.
  const bool gone = ::write(report_fd_, whole.data(), whole.size()) < 0 && errno == EPIPE;
  const timespec at_once{};
  if (gone && !sigismember(&before, SIGPIPE)) sigtimedwait(&pipe, nullptr, &at_once);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace pp::runtime
