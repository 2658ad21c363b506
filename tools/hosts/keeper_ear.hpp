// KeeperEar: tells what a host's script says from what the node beside it prints.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "line_splitter.hpp"

namespace pp::tools {

// Standard error of an ssh in, lines out. A script's words (keeper_script.hpp) may come in the
// middle of a line that the node has begun; that line goes on behind them.
class KeeperEar {
 public:
  using Sink = std::function<void(std::string_view)>;

  explicit KeeperEar(std::string_view token);

  // `printed` gets the node's lines, `said` what the script says, without its mark.
  void feed(std::string_view bytes, const Sink& printed, const Sink& said);
  // The stream has ended.
  void finish(const Sink& printed, const Sink& said);

 private:
  void line(std::string_view line, const Sink& printed, const Sink& said);

  std::string mark_;
  LineSplitter lines_;
  std::string begun_;  // of the node's line
};

}  // namespace pp::tools
