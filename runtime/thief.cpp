// Thief: the choice of a victim.
#include "thief.hpp"

#include <algorithm>
#include <vector>

#include "rules.hpp"

namespace pp::runtime {

void Thief::peer_up(SessionId peer) { peers_.try_emplace(peer); }

void Thief::peer_down(SessionId peer) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  if (holds(Rule::kLostRequestsAreForgotten)) answered(entry->second);
  peers_.erase(entry);
  if (favourite_ == peer) favourite_.reset();
  if (giver_ == peer) giver_.reset();
}

void Thief::link_over(SessionId peer) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  answered(entry->second);
  entry->second.state = State::kIdle;
}

std::optional<SessionId> Thief::ask(Time now) {
  if (under_way_ >= kUnderWay) return std::nullopt;
  std::optional<SessionId> victim;
  if (favourite_ && peers_.at(*favourite_).state == State::kIdle) {
    victim = favourite_;
  } else {
    std::vector<std::map<SessionId, Peer>::const_iterator> open;
    for (auto entry = peers_.cbegin(); entry != peers_.cend(); ++entry) {
      if (entry->second.state == State::kIdle) open.push_back(entry);
    }
    if (open.empty()) return std::nullopt;
    std::uniform_int_distribution<std::size_t> any(0, open.size() - 1);
    const auto one = open[any(random_)];
    const auto other = open[any(random_)];
    victim = (one->second.queued >= other->second.queued ? one : other)->first;
  }
  ask(*victim, now);
  return victim;
}

bool Thief::ask(SessionId peer, Time now) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end() || entry->second.state != State::kIdle) return false;
  entry->second.state = State::kAsked;
  entry->second.asked = now;
  entry->second.lent = false;
  ++under_way_;
  none_overdue_before_ = std::min(none_overdue_before_, now + patience_);
  return true;
}

Thief::Time Thief::give_up_overdue(Time now) {
  if (now < none_overdue_before_) return none_overdue_before_;
  none_overdue_before_ = Time::max();
  if (!holds(Rule::kOverdueNotWaitedFor)) return none_overdue_before_;
  for (auto& [session, peer] : peers_) {
    if (peer.state != State::kAsked) continue;
    if (const Time due = peer.asked + patience_; due > now) {
      none_overdue_before_ = std::min(none_overdue_before_, due);
      continue;
    }
    answered(peer);
    peer.state = State::kOverdue;
    if (favourite_ == session) favourite_.reset();
  }
  return none_overdue_before_;
}

bool Thief::may_ask() const {
  return under_way_ < kUnderWay && std::any_of(peers_.begin(), peers_.end(), [](const auto& entry) {
           return entry.second.state == State::kIdle;
         });
}

void Thief::granted(SessionId peer) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  answered(entry->second);
  entry->second.state = State::kIdle;
  favourite_ = giver_ = peer;
}

void Thief::refused(SessionId peer) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  answered(entry->second);
  // (What we have lent it meanwhile arrived there after our request.)
  entry->second.state = entry->second.lent ? State::kIdle : State::kParked;
  if (favourite_ == peer) favourite_.reset();
}

void Thief::redirected(SessionId peer, std::optional<SessionId> to, bool waits) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  answered(entry->second);
  entry->second.state = waits && !entry->second.lent ? State::kParked : State::kIdle;
  favourite_.reset();
  const auto target = to ? peers_.find(*to) : peers_.end();
  if (target == peers_.end()) return;
  favourite_ = to;
  // The owner is about to get jobs back; a request parked there is served then, a new one now does
  // no harm. (If nothing goes back, that one is served when there is something, like us.)
  if (!waits && target->second.state == State::kParked) target->second.state = State::kIdle;
}

void Thief::lent(SessionId peer) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  entry->second.lent = true;
  if (entry->second.state == State::kParked) entry->second.state = State::kIdle;
}

void Thief::pointed_to(SessionId peer) {
  if (peers_.contains(peer)) favourite_ = peer;
}

void Thief::heard(SessionId peer, std::uint32_t queued) {
  const auto entry = peers_.find(peer);
  if (entry == peers_.end()) return;
  entry->second.queued = queued;
  if (queued > 0 && entry->second.state == State::kParked) entry->second.state = State::kIdle;
}

bool Thief::asks(SessionId peer) const {
  const auto entry = peers_.find(peer);
  return entry != peers_.end() && entry->second.state == State::kAsked;
}

}  // namespace pp::runtime
