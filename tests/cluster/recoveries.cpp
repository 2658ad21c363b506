// Recoveries: lines into times.
#include "recoveries.hpp"

#include <algorithm>
#include <regex>

namespace pp::test {

std::optional<Requeued> read_requeued(std::string_view line) {
  static const std::regex reported(R"(^requeued (\S+) (\d+)(?: (\d+))?)");
  static const std::regex logged(R"(session with (\S+) is over.*[^0-9](\d+) jobs? .*again)");
  const std::string text(line.substr(0, 4096));
  std::smatch found;
  if (std::regex_search(text, found, reported)) {
    Requeued requeued{found[1], std::stoul(found[2]), std::nullopt};
    if (found[3].matched) requeued.since_notice = std::chrono::microseconds(std::stoll(found[3]));
    return requeued;
  }
  if (text.find("again") != std::string::npos && std::regex_search(text, found, logged))
    return Requeued{found[1], std::stoul(found[2]), std::nullopt};
  return std::nullopt;
}

void Recoveries::suffered(const std::string& node, FaultKind kind, Time now) {
  open_.insert_or_assign(node, Open{kind, now});
}

void Recoveries::well(const std::string& node) { open_.erase(node); }

void Recoveries::driver_away(Time) { ++away_; }

void Recoveries::driver_back(Time now) {
  --away_;
  away_until_ = now;
}

void Recoveries::requeued(const std::string& node, std::size_t jobs, Time now) {
  jobs_ += jobs;
  const auto entry = open_.find(node);
  if (entry == open_.end() || jobs == 0) return;
  const auto [kind, since] = entry->second;
  open_.erase(entry);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
  const bool undisturbed = away_ == 0 && away_until_ < since;
  (undisturbed ? times_[kind] : disturbed_).push_back(took);
}

std::chrono::milliseconds percentile(std::vector<std::chrono::milliseconds> values,
                                     unsigned of_100) {
  if (values.empty()) return std::chrono::milliseconds{0};
  std::ranges::sort(values);
  const std::size_t rank = (values.size() * of_100 + 99) / 100;
  return values[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace pp::test
