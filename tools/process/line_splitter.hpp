// LineSplitter: cuts a stream of bytes into whole lines.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace pp::tools {

// Bytes in, lines out; an unfinished line is held until its end arrives or finish() is called. A
// line longer than the limit is handed on in pieces of that size, so that a program which never
// ends its line costs bounded memory.
class LineSplitter {
 public:
  using Sink = std::function<void(std::string_view line)>;  // without its newline

  explicit LineSplitter(std::size_t longest = std::size_t{1} << 20) : longest_(longest) {}

  void feed(std::string_view bytes, const Sink& sink);
  // Hands on what is held, if anything: the stream has ended.
  void finish(const Sink& sink);

 private:
  std::size_t longest_;
  std::string held_;
};

}  // namespace pp::tools
