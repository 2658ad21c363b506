// Output rate: its allowance, and the sentence about what is missing.
#include "output_rate.hpp"

#include <charconv>

namespace pp::tools {

namespace {

constexpr std::chrono::seconds kSecond{1};
constexpr std::uint64_t kPerLine = 16;

}  // namespace

std::optional<std::uint64_t> OutputRate::parse(std::string_view text) {
  if (text == "off") return 0;
  std::uint64_t factor = 1;
  if (text.ends_with('k') || text.ends_with('K')) factor = 1'000;
  if (text.ends_with('M')) factor = 1'000'000;
  if (factor > 1) text.remove_suffix(1);
  constexpr std::uint64_t kMost = 1'000'000'000'000;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 1 ||
      number > kMost / factor)
    return std::nullopt;
  return number * factor;
}

bool OutputRate::pass(Time now, std::string_view line) {
  if (most_ == 0) return true;
  if (now - begun_ >= kSecond) {
    begun_ = now;
    used_ = 0;
  }
  if (used_ >= most_) {  // one that begins within the allowance is passed on, however long it is
    ++lines_;
    bytes_ += line.size() + 1;
    return false;
  }
  used_ += line.size() + kPerLine;
  return true;
}

std::string OutputRate::dropped(Time now, bool end) {
  if (lines_ == 0 || (!end && now - begun_ < kSecond)) return {};
  const std::string sentence = std::to_string(lines_) + (lines_ == 1 ? " line (" : " lines (") +
                               std::to_string(bytes_) + " bytes) of output dropped: more than " +
                               std::to_string(most_) + " bytes a second (--output-rate)";
  lines_ = bytes_ = 0;
  return sentence;
}

}  // namespace pp::tools
