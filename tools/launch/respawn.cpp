// Respawn: counts lives.
#include "respawn.hpp"

#include <charconv>

namespace pp::tools {

Respawn::Answer Respawn::ended(unsigned node, Clock::duration lived, Time now) {
  if (most_ == 0) return {};
  unsigned& in_a_row = short_lives_[node];
  in_a_row = lived < kShortLife ? in_a_row + 1 : 0;
  if (in_a_row >= kShortLives) {
    return {std::nullopt, "ended within " + std::to_string(kShortLife.count() / 1000) +
                              " s of its start " + std::to_string(in_a_row) +
                              " times in a row and is not started again"};
  }
  if (used_ == most_) {
    return {std::nullopt,
            "is not started again: --respawn=" + std::to_string(most_) + " has been used up"};
  }
  if (most_ != kUnlimited) ++used_;
  if (in_a_row == 0) return {now, {}};
  return {now + kPause * (1 << (in_a_row - 1)), {}};
}

std::optional<unsigned> parse_respawn(const std::string& text) {
  if (text == "on") return Respawn::kUnlimited;
  if (text == "off") return 0;
  unsigned most = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), most);
  if (error != std::errc{} || end != text.data() + text.size() || most > 1'000'000)
    return std::nullopt;
  return most;
}

}  // namespace pp::tools
