// Recoveries: lines into times.
#include "recoveries.hpp"

#include <algorithm>
#include <regex>

namespace pp::test {

std::optional<Requeued> read_requeued(std::string_view line) {
  static const std::regex reported(R"(^requeued (\S+) (\d+)$)");
  static const std::regex logged(R"(the link with (\S+) is over: .*; (\d+) jobs lent to it begin)");
  const std::string text(line.substr(0, 4096));
  std::smatch found;
  if (std::regex_search(text, found, reported) ||
      (text.find("begin again") != std::string::npos && std::regex_search(text, found, logged)))
    return Requeued{found[1], std::stoul(found[2])};
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> read_tried(std::string_view line) {
  static const std::regex logged(R"(node was lost: tried at \S+ after (\d+) ms$)");
  const std::string text(line.substr(0, 4096));
  std::smatch found;
  if (!std::regex_search(text, found, logged)) return std::nullopt;
  return std::chrono::milliseconds(std::stoll(found[1]));
}

void Recoveries::suffered(const std::string& node, FaultKind kind, Time now) {
  open_.insert_or_assign(node, Open{kind, now, {}});
}

void Recoveries::well(const std::string& node) { open_.erase(node); }

void Recoveries::away(const std::string& owner, Time) { ++absences_[owner].reasons; }

void Recoveries::back(const std::string& owner, Time now) {
  Absence& absence = absences_[owner];
  --absence.reasons;
  absence.until = now;
}

void Recoveries::requeued(const std::string& owner, const std::string& node, std::size_t jobs,
                          Time now) {
  jobs_ += jobs;
  const auto entry = open_.find(node);
  if (entry == open_.end() || jobs == 0 || !entry->second.timed.insert(owner).second) return;
  const Open& fault = entry->second;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - fault.since);
  const Absence& absence = absences_[owner];
  const bool undisturbed = absence.reasons == 0 && absence.until < fault.since;
  (undisturbed ? times_[fault.kind] : disturbed_).push_back(took);
}

std::chrono::milliseconds percentile(std::vector<std::chrono::milliseconds> values,
                                     unsigned of_100) {
  if (values.empty()) return std::chrono::milliseconds{0};
  std::ranges::sort(values);
  const std::size_t rank = (values.size() * of_100 + 99) / 100;
  return values[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace pp::test
