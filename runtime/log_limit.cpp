// Log limit: its counts.
#include "log_limit.hpp"

namespace pp::runtime {

namespace {

std::string times(std::uint64_t more) {
  return std::to_string(more) + (more == 1 ? " time" : " times");
}

const std::string kWithin = " more in the last " + std::to_string(LogLimit::kPeriod.count()) + " s";

}  // namespace

void LogLimit::tell(const std::string& sentence, const Seen& seen,
                    std::vector<std::string>& into) const {
  if (seen.more > 0) into.push_back(sentence + " ... " + times(seen.more) + kWithin);
}

LogLimit::Answer LogLimit::say(Time now, std::string_view sentence) {
  Answer answer;
  for (auto next = seen_.begin(); next != seen_.end();) {
    const auto one = next++;
    if (now - one->second.first < kPeriod) continue;
    tell(one->first, one->second, answer.left_out);
    seen_.erase(one);
  }
  if (now - begun_ >= kPeriod) {
    if (others_ > 0)
      answer.left_out.push_back(std::to_string(others_) + " other lines are left out");
    begun_ = now;
    shown_ = 0;
    others_ = 0;
  }
  if (const auto known = seen_.find(sentence); known != seen_.end()) {
    ++known->second.more;
    answer.show = false;
    return answer;
  }
  if (shown_ >= kMost) {
    ++others_;
    answer.show = false;
    return answer;
  }
  ++shown_;
  seen_.emplace(std::string(sentence), Seen{now});
  return answer;
}

std::vector<std::string> LogLimit::rest() {
  std::vector<std::string> rest;
  for (const auto& [sentence, seen] : seen_) tell(sentence, seen, rest);
  seen_.clear();
  if (others_ > 0) rest.push_back(std::to_string(others_) + " other lines are left out");
  others_ = 0;
  return rest;
}

}  // namespace pp::runtime
