// Progress: the rate, and the sentence.
#include "progress.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kWindow{10};

template <class... Values>
std::string print(const char* format, Values... values) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string rate(double per_second) {
  if (per_second >= 1e6) return print("%.1f M/s", per_second / 1e6);
  if (per_second >= 1e4) return print("%.0f k/s", per_second / 1e3);
  if (per_second >= 10) return print("%.0f/s", per_second);
  if (per_second >= 0.1) return print("%.1f/s", per_second);
  return print("%.1f/min", per_second * 60);
}

}  // namespace

std::optional<ProgressSetting> ProgressSetting::parse(std::string_view text) {
  if (text == "auto") return ProgressSetting{};
  if (text == "off") return ProgressSetting{Mode::kOff, {}};
  if (text == "on") return ProgressSetting{Mode::kAuto, std::chrono::seconds(10)};
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || seconds < 1 || seconds > 86'400)
    return std::nullopt;
  return ProgressSetting{Mode::kPlain, std::chrono::seconds(seconds)};
}

std::string for_people(std::chrono::duration<double> time) {
  const double seconds = std::max(time.count(), 0.0);
  if (seconds < 9.95) return print("%.1f s", seconds);
  if (seconds < 99.5) return print("%.0f s", seconds);
  const auto whole = static_cast<long long>(std::min(seconds, 9e15));
  if (whole < 3600) return print("%lld min %lld s", whole / 60, whole % 60);
  if (whole < 100 * 3600) return print("%lld h %lld min", whole / 3600, whole % 3600 / 60);
  return print("%lld days", whole / 86'400);
}

void Progress::look(Time now, const Standing& standing) {
  // Another run of the same program: what was before says nothing of it.
  if (last_.done == last_.total && standing.total > last_.total) looks_.clear();
  looks_.push_back({now, standing.done});
  while (looks_.size() > 2 && now - looks_[1].time >= kWindow) looks_.pop_front();
  last_ = standing;
}

std::string Progress::line(std::size_t width) const {
  if (last_.total == 0 || last_.done >= last_.total) return {};
  std::string line = std::to_string(last_.done) + " of " + std::to_string(last_.total) + " jobs (" +
                     std::to_string(static_cast<unsigned>(100.0 * static_cast<double>(last_.done) /
                                                          static_cast<double>(last_.total))) +
                     " %)";
  const std::chrono::duration<double> passed = looks_.back().time - looks_.front().time;
  const std::uint64_t done = looks_.back().done - std::min(looks_.back().done, looks_.front().done);
  if (passed.count() > 0 && done > 0) {
    const double per_second = static_cast<double>(done) / passed.count();
    line += ", " + rate(per_second) + ", " +
            for_people(std::chrono::duration<double>(static_cast<double>(last_.total - last_.done) /
                                                     per_second)) +
            " left";
  }
  line += "; " + std::to_string(last_.nodes) + (last_.nodes == 1 ? " node" : " nodes");
  if (last_.workers > 0) {
    const unsigned busy = last_.workers - std::min(last_.idle, last_.workers);
    line += ", " + std::to_string(100 * std::uint64_t{busy} / last_.workers) + " % busy";
  }
  if (last_.lost > 0)
    line += ", " + std::to_string(last_.lost) + (last_.lost == 1 ? " retry" : " retries");
  if (width > 0 && line.size() > width) line.resize(width);
  return line;
}

}  // namespace pp::runtime
