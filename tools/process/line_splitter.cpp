// LineSplitter: the one loop.
#include "line_splitter.hpp"

#include <algorithm>

namespace pp::tools {

void LineSplitter::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    // A full piece waits for the next byte: it may be the line's end.
    if (held_.size() == longest_ && bytes.front() != '\n') {
      sink(held_);
      held_.clear();
    }
    const std::size_t end = bytes.find('\n');
    const std::size_t part = std::min({end, bytes.size(), longest_ - held_.size()});
    held_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    if (part != end) continue;
    bytes.remove_prefix(1);
    sink(held_);
    held_.clear();
  }
}

void LineSplitter::finish(const Sink& sink) {
  if (held_.empty()) return;
  sink(held_);
  held_.clear();
}

}  // namespace pp::tools
