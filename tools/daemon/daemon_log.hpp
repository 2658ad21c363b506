// DaemonLog: what a node daemon has to say to whoever runs it, a line at a time.
#pragma once

#include <string>
#include <string_view>

#include "daemon_settings.hpp"

namespace pp::tools::daemon {

// To standard error. One thread.
class DaemonLog {
 public:
  void set(LogLevel level, LogFormat format) {
    level_ = level;
    format_ = format;
  }
  void error(std::string_view text) const { line(LogLevel::kError, text); }
  void warning(std::string_view text) const { line(LogLevel::kWarning, text); }
  void info(std::string_view text) const { line(LogLevel::kInfo, text); }
  void debug(std::string_view text) const { line(LogLevel::kDebug, text); }

 private:
  void line(LogLevel level, std::string_view text) const;

  LogLevel level_ = LogLevel::kInfo;
  LogFormat format_ = LogFormat::kPlain;
};

// One line, with its newline; `time` is seconds since 1970.
std::string log_line(LogFormat format, LogLevel level, std::string_view text, double time);

}  // namespace pp::tools::daemon
