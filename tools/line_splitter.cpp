// LineSplitter: the one loop.
#include "line_splitter.hpp"

#include <algorithm>

namespace pp::tools {

void LineSplitter::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = longest_ - held_.size();
    const std::size_t part = std::min({end, bytes.size(), room});
    held_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    const bool ended = part == end;
    if (ended) bytes.remove_prefix(1);
    if (ended || held_.size() == longest_) {
      sink(held_);
      held_.clear();
    }
  }
}

void LineSplitter::finish(const Sink& sink) {
  if (held_.empty()) return;
  sink(held_);
  held_.clear();
}

}  // namespace pp::tools
