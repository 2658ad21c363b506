// Gate: a short list that is counted each time; limit_ bounds it.
#include "gate.hpp"

#include <algorithm>

namespace pp::transport {

bool Gate::admits(Time now) const {
  const auto fresh = std::count_if(strangers_.begin(), strangers_.end(),
                                   [now](const Stranger& s) { return s.since + kFreshFor > now; });
  return static_cast<std::size_t>(fresh) < kFresh;
}

Time Gate::until(Time now) const {
  Time oldest = now + kFreshFor;
  for (const Stranger& s : strangers_)
    if (s.since + kFreshFor > now) oldest = std::min(oldest, s.since + kFreshFor);
  return oldest;
}

Gate::Entry Gate::enter(const std::string& source, Time now, std::uint64_t ticket) {
  if (strangers_.size() >= limit_) return Entry::kFull;
  const auto same = std::count_if(strangers_.begin(), strangers_.end(),
                                  [&source](const Stranger& s) { return s.source == source; });
  if (static_cast<std::size_t>(same) >= per_source_) return Entry::kSourceFull;
  strangers_.push_back({ticket, source, now});
  return Entry::kAdmitted;
}

void Gate::leave(std::uint64_t ticket) {
  std::erase_if(strangers_, [ticket](const Stranger& s) { return s.ticket == ticket; });
}

}  // namespace pp::transport
