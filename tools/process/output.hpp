// Output: text on its way to a descriptor that may be slow.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

namespace pp::tools {

// A queue in front of descriptor 1 or 2. The descriptor is shared with the driver and whoever
// started us, so it is not made non-blocking: write_some() is called when poll() says that it can
// take something and writes at most what a pipe then takes without blocking. When the reader is
// gone, everything is dropped.
class Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}

  // One line; the newline is added.
  void line(std::string text);
  void write_some();
  // Forgets what is queued: the user does not want to wait for a reader that does not read.
  void drop();

  int descriptor() const { return descriptor_; }
  bool empty() const { return lines_.empty(); }
  // Beyond this its sources should not be read: they wait, as they would for a slow reader of their
  // own.
  bool full() const { return bytes_ > (std::size_t{1} << 20); }

 private:
  int descriptor_;
  bool closed_ = false;
  std::deque<std::string> lines_;
  std::size_t written_ = 0;  // of the first line
  std::size_t bytes_ = 0;
};

}  // namespace pp::tools
