// Link: numbers, what is kept, and whether both sides mean the same.
#include "link.hpp"

#include <utility>

#include "rules.hpp"

namespace pp::runtime {

Link::Heard Link::hear(const messages::Attach& theirs) {
  if (begun_ && theirs.mine != yours_) return Heard::kOver;
  if (theirs.yours == mine_ && theirs.applied < next_) {
    yours_ = theirs.mine;
    begun_ = true;
    if (holds(Rule::kAppliedOnce)) acknowledged(theirs.applied);
    return Heard::kGoesOn;
  }
  if (begun_) return Heard::kOver;
  // Nothing has been said under this link: it fits whichever the other has begun last.
  yours_ = theirs.mine;
  return Heard::kWait;
}

Link::Kept& Link::keep(messages::Encoded message, bool result) {
  kept_bytes_ += message.size();
  if (result) kept_result_bytes_ += message.size();
  return kept_.emplace_back(Kept{next_++, result, std::move(message)});
}

bool Link::acknowledged(std::uint64_t applied) {
  if (applied >= next_) return false;
  while (!kept_.empty() && kept_.front().sequence <= applied) {
    const std::size_t bytes = kept_.front().message.size();
    kept_bytes_ -= bytes;
    if (kept_.front().result) kept_result_bytes_ -= bytes;
    kept_.pop_front();
  }
  return true;
}

Link::Take Link::take(std::uint64_t sequence, std::size_t bytes) {
  if (sequence <= applied_ && holds(Rule::kAppliedOnce)) return Take::kRepeated;
  if (sequence > applied_ + 1) return Take::kGap;
  applied_ = sequence;
  ++owed_messages_;
  owed_bytes_ += bytes;
  return Take::kApply;
}

}  // namespace pp::runtime
