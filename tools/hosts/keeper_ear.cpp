// KeeperEar: looks for the mark in each line.
#include "keeper_ear.hpp"

#include "keeper_script.hpp"

namespace pp::tools {
namespace {

constexpr std::size_t kLongest = std::size_t{1} << 20;  // of a line that is begun again and again

}  // namespace

KeeperEar::KeeperEar(std::string_view token) : mark_(keeper_mark(token)) {}

void KeeperEar::feed(std::string_view bytes, const Sink& printed, const Sink& said) {
  lines_.feed(bytes, [&](std::string_view text) { line(text, printed, said); });
}

void KeeperEar::finish(const Sink& printed, const Sink& said) {
  lines_.finish([&](std::string_view text) { line(text, printed, said); });
  if (!begun_.empty()) printed(begun_);
  begun_.clear();
}

void KeeperEar::line(std::string_view line, const Sink& printed, const Sink& said) {
  const std::size_t mark = line.find(mark_);
  const bool marked = mark != std::string_view::npos;
  begun_ += line.substr(0, mark);
  if (marked) said(line.substr(mark + mark_.size()));
  if (marked && begun_.size() < kLongest) return;
  printed(begun_);
  begun_.clear();
}

}  // namespace pp::tools
