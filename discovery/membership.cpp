// Membership: watching, probing, suspecting, and passing it on.
#include "membership.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace pp::discovery {
namespace {

using std::chrono::minutes;

// In parts of the suspect limit: from the last heartbeat to the suspicion they add up to just under
// it, with one heartbeat on its way.
constexpr int kHeartbeatPercent = 65;
constexpr int kQuietPercent = 80;   // nothing heard of the predecessor: ask it
constexpr int kAnswerPercent = 10;  // for an answer; twice: then it is suspected
constexpr int kDialPercent = 50;    // the same where a session must be opened first
constexpr int kLatePercent = 20;    // our alarm rang so late: it is we who were away
constexpr int kSpreadPercent = 5;   // between two rounds of news
constexpr int kRandomProbe = 8;     // suspect limits
// The same: of so old news whoever missed them has asked, because digests differed. When a thousand
// nodes start together, their news would fill every heartbeat for minutes.
constexpr int kOldNews = 8;
constexpr std::size_t kHelpers = 3;
constexpr std::size_t kFanOut = 4;       // who is told at once: the successor and others
constexpr int kMostSpreadWords = 8;      // to each, in one round
constexpr std::size_t kMostProbes = 64;  // that others have asked for
constexpr int kPageTries = 3;
constexpr minutes kRemembered{10};  // a node that is no member any more
constexpr minutes kForgetEvery{1};

Clock::duration part(std::chrono::milliseconds whole, int percent) {
  return Clock::duration(whole) * percent / 100;
}

}  // namespace

void Membership::Rumours::start(const NodeId& node, Time now) {
  const auto known = told.find(node);
  if (known != told.end()) order.erase({known->second.times, node});
  told[node] = {0, now};
  order.insert({0, node});
  begun.emplace_back(now, node);
}

void Membership::Rumours::count(const NodeId& node, std::uint32_t times, std::uint32_t enough) {
  const auto known = told.find(node);
  if (known == told.end()) return;
  auto place = order.extract({known->second.times, node});
  known->second.times += times;
  if (known->second.times >= enough) {
    told.erase(known);
  } else {
    place.value().first = known->second.times;
    order.insert(std::move(place));
  }
}

void Membership::Rumours::forget(Time before) {
  for (; !begun.empty() && begun.front().first < before; begun.pop_front()) {
    const auto known = told.find(begun.front().second);
    if (known == told.end() || known->second.since != begun.front().first) continue;
    order.erase({known->second.times, known->first});
    told.erase(known);
  }
}

Membership::Membership(Member self, Limits limits, std::uint64_t seed, Outside& outside)
    : self_(std::move(self)),
      limits_(limits),
      outside_(outside),
      random_(seed),
      roster_(self_.node),
      watched_(self_.node) {}

// ---- words

Word Membership::word(Word::Kind kind) const {
  Word word;
  word.kind = kind;
  word.incarnation = self_.incarnation;
  word.digest = roster_.digest(self_.incarnation);
  word.members = static_cast<std::uint32_t>(roster_.ring().size());
  word.load = outside_.load();
  return word;
}

// How often a piece of news is told by this node.
std::uint32_t Membership::enough() const {
  return static_cast<std::uint32_t>(kFanOut) +
         static_cast<std::uint32_t>(std::bit_width(roster_.ring().size()));
}

const Member& Membership::described(const NodeId& node) const {
  return node == self_.node ? self_ : *roster_.find(node);
}

// What `to` must hear first, that it is taken for dead; then what was told least often.
void Membership::add_news(Word& word, const NodeId& to) {
  std::size_t room = kRoomForNews;
  for (const Member& member : word.news) room -= size_of(member);
  const auto add = [&](const Member& member) {
    const std::size_t size = size_of(member);
    if (size > room || word.news.size() >= kMostNews) return false;
    room -= size;
    word.news.push_back(member);
    return true;
  };
  const Member* theirs = roster_.find(to);
  if (theirs != nullptr && theirs->state != MemberState::kAlive) add(*theirs);
  std::vector<NodeId> told;
  for (const auto& [times, node] : rumours_.order) {
    if (node == to) continue;
    if (!add(described(node))) break;
    told.push_back(node);
  }
  for (const NodeId& node : told) rumours_.count(node, 1, enough());
}

void Membership::say(const NodeId& to, Word word) {
  if (outside_.connected(to)) add_news(word, to);
  outside_.say(to, word);
}

// ---- what is learnt

void Membership::tell(const NodeId& node, Time now) {
  rumours_.start(node, now);
  fresh_.insert(node);
}

void Membership::object(std::uint32_t incarnation, Time now) {
  if (leaving_ || incarnation < self_.incarnation) return;
  self_.incarnation = incarnation + 1;
  ++figures_.objections;
  impair_health();
  tell(self_.node, now);
  next_spread_ = now;
}

void Membership::learn(const Member& rumour, Time now) {
  if (rumour.node == self_.node) {
    if (rumour.state != MemberState::kAlive) object(rumour.incarnation, now);
    return;
  }
  const Member* known = roster_.find(rumour.node);
  std::optional<MemberState> before;
  if (known != nullptr && is_present(known->state)) before = known->state;
  if (roster_.merge(rumour, now) == Roster::Merged::kNothing) return;
  const Member& member = *roster_.find(rumour.node);
  if (!before && !is_present(member.state)) return;  // never met, and gone already
  roster_changed_ = now;
  if (member.state == MemberState::kSuspect) {
    suspicions_[member.node] = now + scaled(limits_.dead - limits_.suspect);
  } else {
    suspicions_.erase(member.node);
  }
  if (!is_present(member.state)) probes_.erase(member.node);
  tell(member.node, now);
  outside_.changed(member, before);
}

void Membership::met(const Member& introduced, Time now) {
  if (leaving_) return introduce(introduced);
  if (roster_.find(introduced.node) == nullptr) learn(introduced, now);
  note_alive(introduced.node, now);  // whoever asked us to open this session waits for that
  probes_.erase(introduced.node);    // what was asked before could not be said
  start_probe(introduced.node, now);
}

// Those who come while all the nodes that they know are leaving would never hear of each other.
void Membership::introduce(const Member& newcomer) {
  outside_.say(newcomer.node, word(Word::Kind::kHeartbeat));
  Word news = word(Word::Kind::kHeartbeat);
  news.news.push_back(newcomer);
  for (const NodeId& node : outside_.connected()) {
    if (node != newcomer.node) outside_.say(node, news);
  }
}

void Membership::gone(const NodeId& node, Time now) {
  const Member* known = roster_.find(node);
  if (known == nullptr || !is_present(known->state)) return;
  Member rumour = *known;
  rumour.state = MemberState::kGone;
  learn(rumour, now);
}

void Membership::left(const NodeId& node, Time now) {
  const Member* known = roster_.find(node);
  if (known == nullptr) return;
  Member rumour = *known;
  rumour.state = MemberState::kLeft;
  learn(rumour, now);
}

void Membership::doubt(const NodeId& node, Time now) {
  const Member* known = roster_.find(node);
  if (leaving_ || known == nullptr || !is_present(known->state)) return;
  start_probe(node, now);
}

void Membership::update(std::uint32_t workers, std::vector<Address> addresses, Time now) {
  if (workers == self_.workers && addresses == self_.addresses) return;
  self_.workers = workers;
  self_.addresses = std::move(addresses);
  ++self_.incarnation;
  tell(self_.node, now);
  next_spread_ = std::min(next_spread_, now);
}

void Membership::leave() {
  if (std::exchange(leaving_, true)) return;
  self_.state = MemberState::kLeft;
  Word last = word(Word::Kind::kHeartbeat);
  last.news.push_back(self_);
  for (const NodeId& node : outside_.connected()) outside_.say(node, last);
  probes_.clear();
  suspicions_.clear();
}

// ---- what is heard

void Membership::heard(const NodeId& from, const Word& said, Time now) {
  const Member* known = roster_.find(from);
  if (known == nullptr) return;
  if (const auto probe = probes_.find(from); said.kind == Word::Kind::kAck &&
                                             probe != probes_.end() &&
                                             probe->second.number == said.number) {
    outside_.answered(from, now - probe->second.asked);
    improve_health();
    if (!probe->second.on_behalf) probes_.erase(probe);
  }
  note_alive(from, now);
  for (const Member& rumour : said.news) learn(rumour, now);
  // It has objected, and its own words about that may still be on their way. (What else it says of
  // itself must wait for them: an incarnation is described once.)
  if (said.incarnation > known->incarnation && known->state != MemberState::kAlive &&
      known->state != MemberState::kLeft) {
    Member rumour = *known;
    rumour.incarnation = said.incarnation;
    rumour.state = MemberState::kAlive;
    rumour.workers = said.load.workers;
    learn(rumour, now);
  } else if (!is_present(known->state) && !leaving_) {
    outside_.say(from, [&] {
      Word answer = word(Word::Kind::kHeartbeat);
      answer.news.push_back(*known);
      return answer;
    }());
  }
  outside_.heard_load(from, said.load);
  if (leaving_) return;
  answer(from, said, now);
  compare(from, said, now);
}

void Membership::answer(const NodeId& from, const Word& said, Time now) {
  switch (said.kind) {
    case Word::Kind::kPing: {
      Word ack = word(Word::Kind::kAck);
      ack.number = said.number;
      return say(from, std::move(ack));
    }
    case Word::Kind::kProbe:
      if (roster_.find(said.subject) != nullptr && probes_.size() < kMostProbes)
        start_probe(said.subject, now, from, said.number);
      return;
    case Word::Kind::kReport: {
      const auto probe = probes_.find(said.subject);
      if (probe == probes_.end() || probe->second.number != said.number) return;
      impair_health();  // others reach it and we do not
      return note_alive(said.subject, now);
    }
    case Word::Kind::kAsk: {
      Word page = word(Word::Kind::kPage);
      page.news = roster_.page(said.subject, kRoomForNews, page.last);
      return outside_.say(from, page);
    }
    case Word::Kind::kPage:
      if (!question_ || question_->of != from) return;
      if (said.last || said.news.empty()) {
        question_.reset();
        return;
      }
      question_->after = said.news.back().node;
      question_->tries = 0;
      return ask_for_page(now);
    case Word::Kind::kHeartbeat:
    case Word::Kind::kAck:
    case Word::Kind::kRestAsk:
    case Word::Kind::kRestYes:
      return;
  }
}

void Membership::note_alive(const NodeId& node, Time now) {
  if (node == watched_) watched_heard_ = now;
  // Who is suspected and heard of has not objected yet, because it has only just heard of it.
  if (const auto suspicion = suspicions_.find(node); suspicion != suspicions_.end())
    suspicion->second = std::max(suspicion->second, now + scaled(limits_.dead - limits_.suspect));
  const auto probe = probes_.find(node);
  if (probe == probes_.end()) return;
  probe->second.alive = true;  // its ack may still tell how long it takes
  if (const auto asker = std::exchange(probe->second.on_behalf, std::nullopt)) {
    Word report = word(Word::Kind::kReport);
    report.subject = node;
    report.number = probe->second.their_number;
    outside_.say(*asker, report);
  }
}

// Who knows of fewer members has just come, and asks at once; others when their own news have come
// to rest.
void Membership::compare(const NodeId& from, const Word& said, Time now) {
  if (said.digest == roster_.digest(self_.incarnation) || question_ || now < next_question_) return;
  const bool newcomer = said.members > roster_.ring().size() * 2;
  if (!newcomer && now - roster_changed_ < limits_.suspect) return;
  question_ = Question{from, {}, now};
  next_question_ = now + limits_.suspect * 2;
  ask_for_page(now);
}

void Membership::ask_for_page(Time now) {
  ++figures_.pages;
  question_->asked = now;
  Word ask = word(Word::Kind::kAsk);
  ask.subject = question_->after;
  outside_.say(question_->of, ask);
}

// ---- probes

std::vector<NodeId> Membership::some_connected(std::size_t most, const NodeId& but) {
  std::vector<NodeId> all = outside_.connected();
  std::erase_if(all, [&](const NodeId& node) {
    const Member* member = roster_.find(node);
    return node == but || member == nullptr || member->state != MemberState::kAlive;
  });
  std::vector<NodeId> drawn;
  std::sample(all.begin(), all.end(), std::back_inserter(drawn), most, random_);
  return drawn;
}

void Membership::start_probe(const NodeId& node, Time now, std::optional<NodeId> on_behalf,
                             std::uint64_t their_number) {
  if (node == self_.node) return;
  if (const auto old = probes_.find(node); old != probes_.end() && old->second.alive)
    probes_.erase(old);
  const auto [entry, is_new] = probes_.try_emplace(node);
  Probe& probe = entry->second;
  if (!is_new) {
    if (!probe.on_behalf && on_behalf) {
      probe.on_behalf = on_behalf;
      probe.their_number = their_number;
    }
    return;
  }
  probe.number = ++questions_;
  probe.on_behalf = on_behalf;
  probe.their_number = their_number;
  next_round(node, probe, now);
}

// REQUIRES: fewer than two pings so far.
void Membership::next_round(const NodeId& node, Probe& probe, Time now) {
  const bool connected = outside_.connected(node);
  if (probe.round++ > 0 && !probe.on_behalf) {
    Word help = word(Word::Kind::kProbe);
    help.subject = node;
    help.number = probe.number;
    for (const NodeId& helper : some_connected(kHelpers, node)) outside_.say(helper, help);
  }
  Word ping = word(Word::Kind::kPing);
  ping.number = probe.number;
  // A session's introduction is as old as the process.
  if (self_.incarnation > 0) ping.news.push_back(self_);
  probe.asked = now;
  probe.next = now + scaled(part(limits_.suspect, connected ? kAnswerPercent : kDialPercent));
  say(node, std::move(ping));
}

void Membership::run_probes(Time now) {
  std::vector<NodeId> due;
  for (const auto& [node, probe] : probes_)
    if (probe.next <= now) due.push_back(node);
  for (const NodeId& node : due) {
    const auto entry = probes_.find(node);
    if (entry == probes_.end()) continue;
    Probe& probe = entry->second;
    if (probe.alive) {
      probes_.erase(entry);
      continue;
    }
    if (probe.round < 2) {
      next_round(node, probe, now);
      continue;
    }
    const bool ours = !probe.on_behalf;
    probes_.erase(entry);
    if (ours) suspect(node, now);
  }
}

void Membership::probe_somebody(Time now) {
  if (now < next_random_probe_) return;
  const Clock::duration period = Clock::duration(limits_.suspect) * kRandomProbe;
  std::uniform_int_distribution<Clock::rep> jitter(-period.count() / 4, period.count() / 4);
  const bool first = next_random_probe_ == Time{};
  next_random_probe_ = now + period + Clock::duration(jitter(random_));
  if (first) return;
  while (true) {
    if (order_.empty()) {
      order_ = roster_.ring();
      std::erase_if(order_, [this](const NodeId& node) {
        return node == self_.node || node == roster_.successor(1) || node == roster_.predecessor();
      });
      if (order_.empty()) return;
      std::shuffle(order_.begin(), order_.end(), random_);
    }
    const NodeId node = order_.back();
    order_.pop_back();
    const Member* member = roster_.find(node);
    if (member == nullptr || !is_present(member->state)) continue;
    return start_probe(node, now);
  }
}

// ---- suspicion

void Membership::suspect(const NodeId& node, Time now) {
  const Member* known = roster_.find(node);
  if (known == nullptr || known->state != MemberState::kAlive) return;
  ++figures_.suspicions;
  Member rumour = *known;
  rumour.state = MemberState::kSuspect;
  learn(rumour, now);
  next_spread_ = now;
}

void Membership::run_suspicions(Time now) {
  std::vector<NodeId> due;
  for (const auto& [node, until] : suspicions_)
    if (until <= now) due.push_back(node);
  for (const NodeId& node : due) {
    ++figures_.deaths;
    Member rumour = *roster_.find(node);
    rumour.state = MemberState::kSilent;
    learn(rumour, now);
  }
}

// ---- time

// This node did not run for a while: what it has not heard in that time says nothing.
void Membership::forgive_all(Clock::duration late, Time now) {
  impair_health();
  watched_heard_ = now;
  for (auto& [node, until] : suspicions_) until += late;
  for (auto& [node, probe] : probes_) probe.next += late;
}

// The nearest before this node that is not suspected; this node itself if there is none.
NodeId Membership::watchee() const {
  for (std::size_t distance = roster_.ring().size() - 1; distance > 0; --distance) {
    const NodeId node = roster_.successor(distance);
    if (roster_.find(node)->state == MemberState::kAlive) return node;
  }
  return self_.node;
}

NodeId Membership::watcher() const {
  for (std::size_t distance = 1; distance < roster_.ring().size(); ++distance) {
    const NodeId node = roster_.successor(distance);
    if (roster_.find(node)->state == MemberState::kAlive) return node;
  }
  return self_.node;
}

void Membership::watch(Time now) {
  const NodeId before = std::exchange(watched_, watchee());
  if (watched_ == self_.node) return;
  if (watched_ != before) {
    watched_heard_ = now;
    // What has silenced the one may have silenced its neighbour too (they share a machine, a
    // switch), and for as long nobody has watched that one.
    const Member* fallen = roster_.find(before);
    if (fallen != nullptr && fallen->state == MemberState::kSuspect) start_probe(watched_, now);
  }
  if (now < watched_heard_ + scaled(part(limits_.suspect, kQuietPercent))) return;
  watched_heard_ = now;  // and it is asked again after as long
  start_probe(watched_, now);
}

void Membership::heartbeat(Time now) {
  if (now < next_heartbeat_) return;
  next_heartbeat_ = now + part(limits_.suspect, kHeartbeatPercent);
  const NodeId successor = roster_.successor(1);
  if (successor != self_.node) say(successor, word(Word::Kind::kHeartbeat));
  const NodeId next = watcher();  // another one if that one is suspected
  if (next != self_.node && next != successor) say(next, word(Word::Kind::kHeartbeat));
}

void Membership::spread(Time now) {
  if (fresh_.empty() || now < next_spread_) return;
  next_spread_ = now + part(limits_.suspect, kSpreadPercent);
  const NodeId successor = watcher();
  std::vector<NodeId> targets = some_connected(kFanOut - 1, successor);
  if (outside_.connected(successor)) targets.push_back(successor);
  // Who is spoken of should hear it at once: it may object.
  for (const NodeId& node : fresh_) {
    const Member* member = roster_.find(node);
    if (member != nullptr && member->state == MemberState::kSuspect && outside_.connected(node))
      targets.push_back(node);
  }
  if (targets.empty()) return fresh_.clear();  // whoever comes asks
  const auto times = static_cast<std::uint32_t>(targets.size());
  for (int words = 0; words < kMostSpreadWords && !fresh_.empty(); ++words) {
    Word news = word(Word::Kind::kHeartbeat);
    std::size_t room = kRoomForNews;
    while (!fresh_.empty() && news.news.size() < kMostNews) {
      const Member& member = described(*fresh_.begin());
      if (size_of(member) > room) break;
      room -= size_of(member);
      rumours_.count(member.node, times, enough());
      news.news.push_back(member);
      fresh_.erase(fresh_.begin());
    }
    for (const NodeId& target : targets) outside_.say(target, news);
  }
}

void Membership::poll(Time now) {
  if (leaving_) return;
  // The alarm that is always set is the next heartbeat's.
  if (next_heartbeat_ != Time{} && now - next_heartbeat_ > part(limits_.suspect, kLatePercent))
    forgive_all(now - next_heartbeat_, now);
  watch(now);
  run_probes(now);
  run_suspicions(now);
  if (question_ && now >= question_->asked + limits_.suspect / 2) {
    if (++question_->tries < kPageTries) {
      ask_for_page(now);
    } else {
      question_.reset();
    }
  }
  if (roster_.ring().size() > 1) {
    heartbeat(now);
    probe_somebody(now);
  } else {
    next_heartbeat_ = Time{};
  }
  spread(now);
  rumours_.forget(now - limits_.suspect * kOldNews);
  if (now >= next_forgetting_) {
    next_forgetting_ = now + kForgetEvery;
    roster_.forget(now - kRemembered);
  }
}

Time Membership::next_due() const {
  if (leaving_) return Time::max();
  Time due = Time::max();
  const auto at = [&due](Time time) { due = std::min(due, time); };
  if (roster_.ring().size() > 1) {
    at(next_heartbeat_);
    at(next_random_probe_);
    if (watched_ != watchee()) {
      at(Time::min());
    } else if (watched_ != self_.node) {
      at(watched_heard_ + scaled(part(limits_.suspect, kQuietPercent)));
    }
  }
  for (const auto& [node, probe] : probes_) at(probe.next);
  for (const auto& [node, until] : suspicions_) at(until);
  if (!fresh_.empty()) at(next_spread_);
  if (question_) at(question_->asked + limits_.suspect / 2);
  if (roster_.size() + 1 > roster_.ring().size()) at(next_forgetting_);
  return due;
}

}  // namespace pp::discovery
