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
#include <utility>

namespace pp::runtime {

namespace {

spdlog::level::level_enum level_of(Log::Level level) {
  switch (level) {
    case Log::Level::kError:
      return spdlog::level::err;
    case Log::Level::kWarning:
      return spdlog::level::warn;
    case Log::Level::kInfo:
      return spdlog::level::info;
    case Log::Level::kDebug:
      return spdlog::level::debug;
  }
  return spdlog::level::warn;
}

void write_to_terminal(std::string_view text) {
  [[maybe_unused]] const ssize_t put = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

std::optional<Log::Level> Log::parse_level(std::string_view text) {
  if (text == "error") return Level::kError;
  if (text == "warning" || text == "warn") return Level::kWarning;
  if (text == "info") return Level::kInfo;
  if (text == "debug") return Level::kDebug;
  return std::nullopt;
}

Log::Log(const std::string& node_name, int report_fd) : report_fd_(report_fd) {
  // Not registered by name: several runtimes may live in one process.
  logger_ = std::make_shared<spdlog::logger>(
      node_name, std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>());
  logger_->set_pattern("pp %n %^%l%$: %v");
  const char* const variable = std::getenv("PP_LOG");
  const std::string_view wanted = variable == nullptr ? "" : variable;
  if (wanted == "off") {
    logger_->set_level(spdlog::level::off);
    return;
  }
  const std::optional<Level> level = wanted.empty() ? Level::kWarning : parse_level(wanted);
  logger_->set_level(level_of(level.value_or(Level::kWarning)));
  if (!level) {
    warn("PP_LOG=" + std::string(wanted) +
         ": expected off, error, warning, info or debug; warnings and errors are shown");
  }
}

Log::Log(Sink sink) : sink_(std::move(sink)), report_fd_(-1) {}

Log::~Log() {
  auto terminal = terminal_.lock();
  for (const std::string& sentence : terminal->limit.rest())
    if (logger_) logger_->warn("{}", sentence);
}

// Above what is shown as the status, which is below again afterwards.
void Log::say(Level level, std::string_view sentence) {
  if (!logger_->should_log(level_of(level))) return;
  auto terminal = terminal_.lock();
  LogLimit::Answer answer;
  // (Who wants to see more than warnings wants to see it all.)
  if (level == Level::kWarning)
    answer = terminal->limit.say(std::chrono::steady_clock::now(), sentence);
  if (!answer.show && answer.left_out.empty()) return;
  erase_status(*terminal);
  for (const std::string& left_out : answer.left_out) logger_->warn("{}", left_out);
  if (answer.show) logger_->log(level_of(level), "{}", sentence);
  draw_status(*terminal);
}

void Log::error(std::string_view sentence) {
  logger_ ? say(Level::kError, sentence) : sink_("error", sentence);
}

void Log::warn(std::string_view sentence) {
  logger_ ? say(Level::kWarning, sentence) : sink_("warning", sentence);
}

void Log::info(std::string_view sentence) {
  logger_ ? say(Level::kInfo, sentence) : sink_("info", sentence);
}

void Log::debug(std::string_view sentence) {
  logger_ ? say(Level::kDebug, sentence) : sink_("debug", sentence);
}

void Log::state(std::string_view lines) {
  if (!logger_) return sink_("state", lines);
  auto terminal = terminal_.lock();
  erase_status(*terminal);
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
  draw_status(*terminal);
}

void Log::status(std::string_view line) {
  if (!logger_) return;
  auto terminal = terminal_.lock();
  if (terminal->status == line && line.empty()) return;
  terminal->status = line;
  line.empty() ? erase_status(*terminal) : draw_status(*terminal);
}

// The cursor goes back to the line's beginning, so that whatever else is printed begins there.
void Log::draw_status(Terminal& terminal) {
  if (terminal.status.empty()) return;
  write_to_terminal("\r" + terminal.status + "\x1b[K\r");
  terminal.drawn = true;
}

void Log::erase_status(Terminal& terminal) {
  if (std::exchange(terminal.drawn, false)) write_to_terminal("\r\x1b[K");
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
