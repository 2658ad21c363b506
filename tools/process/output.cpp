// Output: whole lines, as many as fit into one write that does not block.
#include "output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace pp::tools {

void Output::line(std::string text) {
  if (closed_) return;
  text += '\n';
  bytes_ += text.size();
  lines_.push_back(std::move(text));
}

// A pipe that poll() calls writable has room for PIPE_BUF bytes. A write holds several lines or a
// part of a longer one, never the end of one and the beginning of the next: others write to the
// same place.
void Output::write_some() {
  if (lines_.empty()) return;
  std::string part = lines_.front().substr(written_, PIPE_BUF);
  const bool first_is_whole = written_ + part.size() == lines_.front().size();
  for (std::size_t next = 1; first_is_whole && next < lines_.size(); ++next) {
    if (part.size() + lines_[next].size() > PIPE_BUF) break;
    part += lines_[next];
  }
  const ssize_t count = ::write(descriptor_, part.data(), part.size());
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    closed_ = true;
    drop();
    return;
  }
  bytes_ -= static_cast<std::size_t>(count);
  written_ += static_cast<std::size_t>(count);
  while (!lines_.empty() && written_ >= lines_.front().size()) {
    written_ -= lines_.front().size();
    lines_.pop_front();
  }
}

void Output::drop() {
  lines_.clear();
  written_ = 0;
  bytes_ = 0;
}

}  // namespace pp::tools
