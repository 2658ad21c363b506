// BoxCopy: hexadecimal digits.
#include "box_copy.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <pp/black_box.hpp>
#include <pp/error.hpp>
#include <span>

#include "obituary.hpp"

namespace pp::tools {
namespace {

constexpr std::size_t kLine = 16;  // bytes that od prints in one
constexpr std::size_t kLongest = std::size_t{4} << 20;

std::optional<std::size_t> hexadecimal(std::string_view& text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return value;
}

}  // namespace

void BoxCopy::take(std::string_view line) {
  if (line == "*") {
    repeats_ = true;
    return;
  }
  const std::optional<std::size_t> at = hexadecimal(line);
  if (!at || *at > kLongest) return;
  if (repeats_ && bytes_.size() >= kLine) {
    const std::string last = bytes_.substr(bytes_.size() - kLine);
    while (bytes_.size() < *at) bytes_ += last;
  }
  repeats_ = false;
  bytes_.resize(*at);
  while (const std::optional<std::size_t> byte = hexadecimal(line))
    bytes_ += static_cast<char>(*byte & 0xff);
}

std::string BoxCopy::last_jobs(int pid, std::chrono::nanoseconds now) const {
  if (bytes_.empty()) return "";
  try {
    const auto box = runtime::BlackBox::of_copy(std::as_bytes(std::span(bytes_)));
    const auto sighting = box->sighting(pid);
    if (!sighting) return "";
    Obituary obituary;
    add_last_jobs(obituary, *box, *sighting, now);
    return obituary.last_jobs();
  } catch (const Error&) {  // of another kind of machine, or cut short
    return "";
  }
}

}  // namespace pp::tools
