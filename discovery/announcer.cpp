// Announcer's rules: greetings, answers, repetitions, and what is believed of what is heard.
#include "announcer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// After the first and after the second hello.
constexpr milliseconds kGreetingPauses[] = {milliseconds(50), milliseconds(200)};
constexpr std::size_t kGreetings = std::size(kGreetingPauses) + 1;
// Long against the time of a datagram, so that most of many members hear that others were faster;
// short against the 200 ms in which a new node is to be usable.
constexpr milliseconds kLongestAnswer{20};
constexpr milliseconds kShortestPeriod{22'500}, kLongestPeriod{37'500};
// One sentence about forgers a minute, whoever they are.
constexpr double kForgeriesPerSecond = 1.0 / 60;
// Foreign launchers that are answered; more than one a second are not.
constexpr double kBurstOfQuestions = 8;

}  // namespace

Announcer::Announcer(const ClusterKey& key, const ClusterId& cluster, std::uint64_t seed)
    : key_(key), cluster_(cluster), random_(seed) {}

void Announcer::introduce(const Discovery::Self& self) {
  if (self_ && self_->addresses != self.addresses) {
    answer_.ways = open_;
    answer_.at = Time::min();
  }
  self_ = self;
}

void Announcer::open(const Ways& ways, Time now) {
  const Ways added = ways & ~open_;
  open_ = ways;
  greeting_.ways &= open_;
  answer_.ways &= open_;
  if (added.none()) return;
  for (std::size_t way = 0; way < kMaxWays; ++way) {
    if (added[way]) ways_[way] = {};
  }
  greeting_ = {greeting_.ways | added, 0, now};
}

void Announcer::hear(std::span<const std::byte> datagram, std::string_view source, std::size_t way,
                     Time now, Discovery::Listener& listener) {
  const auto decoded = decode(datagram, key_, cluster_);
  if (const auto* refused = std::get_if<NoBeacon>(&decoded))
    return refuse(*refused, source, way, now, listener);
  const auto& beacon = std::get<Beacon>(decoded);
  if (self_ && beacon.node == self_->node) {
    ++counters_.own;
    return;
  }
  if (!is_news(beacon, way)) return;
  // Behind the seal: a stranger who borrows a member's address must not use up its share.
  if (!sources_.use(std::string(source)).allow(now, kBurstPerSource, kPerSecondAndSource)) {
    ++counters_.limited;
    return;
  }
  ++counters_.heard;
  nodes_.use(beacon.node) = {beacon.sequence, Ways().set(way)};
  switch (beacon.kind) {
    case Beacon::Kind::kHello:
      owe_answer(way, now);
      break;
    case Beacon::Kind::kHere:
      heard_here(way);
      break;
    case Beacon::Kind::kLeave:
      break;
  }
  Sighting sighting;
  sighting.addresses = beacon.addresses;
  sighting.node = beacon.node;
  sighting.leaving = beacon.kind == Beacon::Kind::kLeave;
  listener.sighted(sighting);
}

std::optional<Announcer::Saying> Announcer::due(Time now) {
  if (!self_ || left_) return std::nullopt;
  if (auto saying = greet(now)) return saying;
  if (auto saying = answer(now)) return saying;
  return repeat(now);
}

Time Announcer::next_due(Time now) const {
  if (!self_ || left_) return Time::max();
  if (!repetition_) return now;
  Time next = *repetition_;
  if (greeting_.ways.any()) next = std::min(next, greeting_.next);
  if (answer_.ways.any()) next = std::min(next, answer_.at);
  return next;
}

std::optional<Announcer::Saying> Announcer::leave() {
  if (!self_ || std::exchange(left_, true)) return std::nullopt;
  return say(Beacon::Kind::kLeave, open_);
}

Announcer::Saying Announcer::say(Beacon::Kind kind, const Ways& ways) {
  return {{kind, self_->node, self_->incarnation, ++sequence_, self_->name, self_->addresses,
           self_->workers, self_->daemon, self_->seeks},
          ways};
}

std::optional<Announcer::Saying> Announcer::greet(Time now) {
  if (greeting_.ways.none() || now < greeting_.next) return std::nullopt;
  const Ways ways = greeting_.ways;
  answer_.ways &= ~ways;  // who asked there is told by the hello just as well
  if (++greeting_.said < kGreetings) {
    greeting_.next = now + kGreetingPauses[greeting_.said - 1];
  } else {
    greeting_.ways.reset();
  }
  return say(Beacon::Kind::kHello, ways);
}

std::optional<Announcer::Saying> Announcer::answer(Time now) {
  if (answer_.ways.none() || now < answer_.at) return std::nullopt;
  const Ways ways = std::exchange(answer_.ways, Ways());
  for (std::size_t way = 0; way < kMaxWays; ++way) {
    if (ways[way]) ++ways_[way].here;  // it serves as a repetition, too
  }
  return say(Beacon::Kind::kHere, ways);
}

std::optional<Announcer::Saying> Announcer::repeat(Time now) {
  const bool first = !repetition_;
  if (!first && now < *repetition_) return std::nullopt;
  repetition_ = now + jittered(kShortestPeriod, kLongestPeriod);
  if (first) return std::nullopt;
  Ways ways;
  for (std::size_t way = 0; way < kMaxWays; ++way) {
    if (std::exchange(ways_[way].here, 0) < kEnough) ways.set(way);
  }
  ways &= open_;
  if (ways.none()) return std::nullopt;
  return say(Beacon::Kind::kHere, ways);
}

// Counts it if it is none.
bool Announcer::is_news(const Beacon& beacon, std::size_t way) {
  Heard* before = nodes_.find(beacon.node);
  if (before == nullptr || beacon.sequence > before->sequence) return true;
  if (beacon.sequence < before->sequence || before->ways[way]) {
    ++counters_.replayed;
    return false;
  }
  ++counters_.copies;
  before->ways.set(way);
  // It tells nothing about the sender, but that it was heard on this network, too.
  if (beacon.kind == Beacon::Kind::kHere) heard_here(way);
  if (beacon.kind == Beacon::Kind::kHello && answer_.ways.any()) owe_answer(way, answer_.at);
  return false;
}

void Announcer::heard_here(std::size_t way) {
  ++ways_[way].here;
  // Ours is said once in any case: what was heard before it was no answer.
  if (greeting_.said > 0) greeting_.ways.reset(way);
  if (++ways_[way].answers >= kEnough) answer_.ways.reset(way);
}

void Announcer::owe_answer(std::size_t way, Time now) {
  ways_[way].answers = 0;
  if (answer_.ways.none()) answer_.at = now + jittered(milliseconds(0), kLongestAnswer);
  answer_.ways.set(way);
}

void Announcer::refuse(const NoBeacon& refused, std::string_view source, std::size_t way, Time now,
                       Discovery::Listener& listener) {
  switch (refused.why) {
    case NoBeacon::Why::kMalformed:
      ++counters_.malformed;
      return;
    case NoBeacon::Why::kOtherVersion:
      ++counters_.other_version;
      if (std::exchange(other_version_noticed_, true)) return;
      return listener.noticed("beacons of version " + std::to_string(refused.version) +
                              " are on this network, first seen from " + std::string(source) +
                              "; this pp knows version " + std::to_string(kBeaconVersion) +
                              " only and ignores them");
    case NoBeacon::Why::kForeign:
      ++counters_.foreign;
      // Daemons and nodes are no news to each other.
      if (refused.daemon != (self_ && self_->daemon)) return;
      if (refused.seeks) {
        // Whoever looks with the wrong key should learn that there are daemons, of another one.
        if (!self_->seeks && questions_.allow(now, kBurstOfQuestions, 1)) owe_answer(way, now);
        return;
      }
      if (foreign_.size() >= kMaxNoticed || !foreign_.insert(refused.cluster).second) return;
      if (refused.daemon) {
        return listener.noticed("node daemons of another cluster (id " +
                                refused.cluster.to_string() +
                                ") are on this network too, first seen from " +
                                std::string(source) + "; they are ignored (another key)");
      }
      return listener.noticed("another cluster (id " + refused.cluster.to_string() +
                              ") is on this network too, first seen from " + std::string(source) +
                              "; its beacons are ignored (another key, launch or program)");
    case NoBeacon::Why::kForged:
      ++counters_.forged;
      if (forgers_.size() >= kMaxNoticed || forgers_.contains(source) ||
          !forgeries_.allow(now, 1, kForgeriesPerSecond))
        return;
      forgers_.emplace(source);
      return listener.noticed("a forged beacon of this cluster came from " + std::string(source) +
                              "; it is ignored (its sender does not hold the key, or it was "
                              "damaged on the way)");
  }
}

Time::duration Announcer::jittered(Time::duration from, Time::duration to) {
  std::uniform_int_distribution<Time::duration::rep> between(from.count(), to.count());
  return Time::duration(between(random_));
}

}  // namespace pp::discovery
