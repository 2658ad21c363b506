// Log: what pp prints on stderr, and the lines that pp-launch reads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace pp::runtime {

// Any thread. One line per call: "pp host:411 warning: ...".
class Log {
 public:
  // `report_fd`: where a launcher reads what happens, or -1.
  Log(const std::string& node_name, int report_fd);
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
  // What a node is doing, in several lines: somebody has asked, so it is always shown.
  void state(std::string_view lines);
  // A line for the launcher, e.g. "listening 127.0.0.1:40321". Nothing if there is none.
  void report(std::string_view line);

 private:
  std::shared_ptr<spdlog::logger> logger_;  // null: sink_ takes it all
  const Sink sink_;
  const int report_fd_;
};

}  // namespace pp::runtime
