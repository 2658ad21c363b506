// DaemonLog's three forms.
#include "daemon_log.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>

#include "report_line.hpp"

namespace pp::tools::daemon {
namespace {

const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "";
}

// As sd-daemon(3) reads them.
const char* priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "<3>";
    case LogLevel::kWarning:
      return "<4>";
    case LogLevel::kInfo:
      return "<6>";
    case LogLevel::kDebug:
      return "<7>";
  }
  return "";
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string log_line(LogFormat format, LogLevel level, std::string_view text, double time) {
  const std::string shown = printable(text, 4096);
  char stamp[40];
  switch (format) {
    case LogFormat::kJournal:
      return priority_of(level) + shown + '\n';
    case LogFormat::kJson:
      std::snprintf(stamp, sizeof stamp, "%.3f", time);
      // printable() has written control characters as \xNN, of which the backslash is doubled here.
      return std::string("{\"time\":") + stamp + ",\"level\":\"" + name_of(level) +
             "\",\"text\":" + in_quotes(shown) + "}\n";
    case LogFormat::kPlain:
      break;
  }
  const auto seconds = static_cast<std::time_t>(time);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::strftime(stamp, sizeof stamp, "%F %T", &parts);
  return std::string(stamp) + " ppd: " + (level == LogLevel::kInfo ? "" : name_of(level)) +
         (level == LogLevel::kInfo ? "" : ": ") + shown + '\n';
}

void DaemonLog::line(LogLevel level, std::string_view text) const {
  if (level > level_) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::string whole =
      log_line(format_, level, text, std::chrono::duration<double>(now).count());
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, whole.data(), whole.size());
}

}  // namespace pp::tools::daemon
