// Widths first, then lines.
#include "columns.hpp"

#include <algorithm>
#include <utility>

namespace pp::bench {

Columns::Columns(std::vector<std::string> heads, std::set<std::size_t> right)
    : lines_{std::move(heads)}, right_(std::move(right)) {}

void Columns::add(std::vector<std::string> cells) { lines_.push_back(std::move(cells)); }

std::string Columns::text(const std::string& indent) const {
  const std::size_t count = lines_.front().size();
  std::vector<std::size_t> widths(count, 0);
  std::vector<bool> used(count, false);
  for (const auto& line : lines_) {
    for (std::size_t i = 0; i < count; ++i) {
      widths[i] = std::max(widths[i], line[i].size());
      used[i] = used[i] || (&line != &lines_.front() && !line[i].empty());
    }
  }
  std::string text;
  for (const auto& line : lines_) {
    std::string written = indent;
    for (std::size_t i = 0; i < count; ++i) {
      if (!used[i]) continue;
      const std::string space(widths[i] - line[i].size(), ' ');
      written += (right_.contains(i) ? space + line[i] : line[i] + space) + "  ";
    }
    written.erase(written.find_last_not_of(' ') + 1);
    text += written + "\n";
  }
  return text;
}

}  // namespace pp::bench
