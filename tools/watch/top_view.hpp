// TopView: pp-top's screen as lines of text, from what a node has told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "status.hpp"

namespace pp::tools {

// Knows no terminal.
class TopView {
 public:
  enum class Sort : std::uint8_t { kBusy, kRate, kDone, kQueue, kMemory, kName };
  static constexpr Sort kLastSort = Sort::kName;

  struct Line {
    enum class Style : std::uint8_t { kPlain, kTitle, kHeading, kGood, kWarning, kBad, kFaint };
    std::string text;
    Style style = Style::kPlain;
  };

  // The latest; rates are taken from the one before.
  void take(Status status);

  // At most `height` lines of at most `width` columns. `height` 0: all there is.
  std::vector<Line> lines(std::size_t width, std::size_t height) const;

  // So many nodes down (or up) on a screen of this height.
  void scroll(std::ptrdiff_t by, std::size_t height);

  Sort sort = Sort::kBusy;
  std::size_t scrolled = 0;  // nodes above the first one shown
  std::string complaint;     // shown on top: the node does not answer

 private:
  struct Rates {
    double jobs = 0;
    std::map<std::string, double> nodes, functions;  // by id, by name
  };
  std::vector<const Status::Node*> sorted() const;
  struct Room {
    std::size_t nodes, functions, events;
  };
  Room room(std::size_t height) const;
  // `names`: columns for the name.
  Line node_line(const Status::Node& node, bool wide, std::size_t names) const;

  Status status_;
  bool any_ = false;
  Rates rates_;
};

// "12", "4711", "12.3k", "1.23M": at most five columns.
std::string compact(double number);
// "950", "4K", "12M", "3.4G".
std::string compact_bytes(std::uint64_t bytes);
// "0.8us", "12ms", "3.4s", "12m", "5.1h".
std::string compact_time(double seconds);

}  // namespace pp::tools
