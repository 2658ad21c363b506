// Units and numbers as the table writes them.
#include "unit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace pp::bench {

bool less_is_better(std::string_view unit) {
  constexpr std::array<std::string_view, 7> kLess = {"ns",  "us",    "ms",         "s",
                                                     "MiB", "bytes", "% of a core"};
  return std::ranges::find(kLess, unit) != kLess.end();
}

std::string digits(double value) {
  if (!std::isfinite(value)) return "-";
  if (value == 0) return "0";
  const int before = static_cast<int>(std::floor(std::log10(std::abs(value)))) + 1;
  if (before < -3) return fmt::format("{:.2e}", value);
  return fmt::format("{:.{}f}", value, std::clamp(3 - before, 0, 6));
}

std::string bytes_text(double bytes) {
  constexpr std::array<std::string_view, 4> kNames = {"B", "KiB", "MiB", "GiB"};
  std::size_t name = 0;
  for (; bytes >= 1024 && name + 1 < kNames.size(); ++name) bytes /= 1024;
  return fmt::format("{:g} {}", bytes, kNames[name]);
}

}  // namespace pp::bench
