// Log: what pp prints on stderr, and the lines that pp-launch reads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "guarded.hpp"
#include "log_limit.hpp"

namespace spdlog {
class logger;
}

namespace pp::runtime {

// Any thread. One line per call: "pp host:411 warning: ...". What is said again and again is
// counted instead (LogLimit), but for errors.
class Log {
 public:
  // `report_fd`: where a launcher reads what happens, or -1.
  Log(const std::string& node_name, int report_fd);
  // Which lines are shown: PP_LOG. What is less grave is not.
  enum class Level : std::uint8_t { kError, kWarning, kInfo, kDebug };
  // "error", "warning", "info" or "debug"; nothing if it is none of these.
  static std::optional<Level> parse_level(std::string_view text);

  // For a simulation: everything is handed to `sink`, with "error", "warning", "info" or "report".
  using Sink = std::function<void(std::string_view level, std::string_view sentence)>;
  explicit Log(Sink sink);
  ~Log();

  // The program ends because of it.
  void error(std::string_view sentence);
  // Somebody has to look at it.
  void warn(std::string_view sentence);
  // Shown with PP_LOG=info only.
  void info(std::string_view sentence);
  // Shown with PP_LOG=debug only.
  void debug(std::string_view sentence);
  // What a node is doing, in several lines: somebody has asked, so it is always shown.
  void state(std::string_view lines);
  // A line that is kept below all others, and written over: only for a terminal. Empty: none.
  void status(std::string_view line);
  // A line for the launcher, e.g. "listening 127.0.0.1:40321". Nothing if there is none.
  void report(std::string_view line);

 private:
  struct Terminal {
    LogLimit limit;
    std::string status;
    bool drawn = false;
  };
  void say(Level level, std::string_view sentence);
  static void draw_status(Terminal& terminal);
  static void erase_status(Terminal& terminal);

  Guarded<Terminal> terminal_;
  std::shared_ptr<spdlog::logger> logger_;  // null: sink_ takes it all
  const Sink sink_;
  const int report_fd_;
};

}  // namespace pp::runtime
