// Neighbourhood: whom to dial, which sessions to keep, and who is told what.
#include <algorithm>
#include <map>
#include <pp/dial_plan.hpp>
#include <pp/neighbourhood.hpp>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>

#include "approaches.hpp"
#include "gossip.hpp"
#include "membership.hpp"

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using transport::SessionId;

constexpr milliseconds kLookAtSources{20};  // at the latest, while this node is busy anyway
constexpr seconds kWanted{5};               // a session that was asked for
// Between two looks at whom to dial. Each of many newcomers moves all the places in the ring: a
// thousand that came within 2 s had opened 400 sessions each, only to let them rest.
constexpr milliseconds kNeighboursEvery{500};
constexpr seconds kRestEvery{1};        // sessions are looked at, whether they are used
constexpr milliseconds kRestRetry{10};  // for a session that is being closed to be down
constexpr seconds kRestLimit{3};        // for the other side's word
// Who has agreed waits so long for the other side to close: the agreement may have got lost, and
// nothing is heard on the session any more, not even a request that was parked here before.
constexpr milliseconds kRestAgreed{100};
constexpr seconds kSilentAgain{5};  // a silent member is dialled, one of them
constexpr seconds kSilentAlone{1};  // the same for a node that has lost everybody
// A beacon that everybody hears is followed by few: the others learn of the node from these.
constexpr milliseconds kBeaconPause{20};
constexpr seconds kLongestBeaconPause{5};

Member member_of(const transport::Introduction& self) {
  return {self.node,   self.name, self.addresses,     self.workers, self.driver,
          self.launch, 0,         MemberState::kAlive};
}

}  // namespace

struct Neighbourhood::State final : Membership::Outside, Discovery::Listener {
  State(transport::Transport& transport_, Limits limits_, std::uint64_t seed,
        Neighbourhood::Listener& listener_)
      : transport(transport_),
        limits(limits_),
        listener(listener_),
        plan(seed),
        approaches(seed, transport.self().node),
        random(seed),
        membership(member_of(transport.self()), limits, seed, *this) {}

  struct Session {
    NodeId node;
    Time since;
    std::optional<Time> rest_asked;  // by us
    std::optional<Time> resting;     // agreed: the other side hangs up
  };

  const Roster& roster() const { return membership.roster(); }
  Session* find(SessionId id) {
    const auto found = sessions.find(id);
    return found == sessions.end() ? nullptr : &found->second;
  }
  std::optional<SessionId> session_of(const NodeId& node) const {
    const auto found = by_node.find(node);
    return found == by_node.end() ? std::nullopt : std::optional(found->second);
  }

  // ---- Membership::Outside
  void say(const NodeId& to, const Word& word) override;
  bool connected(const NodeId& node) const override { return by_node.contains(node); }
  std::vector<NodeId> connected() const override;
  void changed(const Member& member, std::optional<MemberState> before) override;
  Load load() const override { return listener.load(); }
  void heard_load(const NodeId& node, const Load& load) override { listener.on_load(node, load); }
  void answered(const NodeId& node, Clock::duration round_trip) override {
    Clock::duration& known = round_trips[node];
    known = known == Clock::duration::zero() ? round_trip : known + (round_trip - known) / 4;
  }

  // ---- Discovery::Listener
  void sighted(const Sighting& sighting) override;
  void noticed(const std::string& sentence) override { listener.on_notice(sentence); }

  void introduce();
  void look_at_sources(bool readable);
  Time next_neighbours() const;
  void want_neighbours();
  void dial();
  void look_for_silent();
  bool has_left(const NodeId& node) const;
  const Address* way_to(const Member& member) const;
  bool on_this_host(const Member& member) const;
  bool without_a_word(const Member& member, transport::DownReason reason) const;
  bool has_successor(const Member& member, Time since) const;
  void process_ended(const Member& member);
  Time next_due() const;
  Clock::duration silent_pause() const {
    return roster().ring().size() > 1 ? kSilentAgain : kSilentAlone;
  }
  void rest();
  bool may_rest(SessionId id, const Session& session, Clock::duration unused) const;
  void begin_rest(SessionId id, Session& session);
  bool end_rest(const NodeId& node);
  void heard_rest(SessionId id, Session& session, Word::Kind kind);
  milliseconds agreed() const { return limits.used_sessions_stay ? kRestAgreed : kRestLimit; }

  transport::Transport& transport;
  const Limits limits;
  Neighbourhood::Listener& listener;
  DialPlan plan;          // strangers' addresses
  Approaches approaches;  // members whom we want a session with
  std::mt19937_64 random;
  std::vector<std::unique_ptr<Discovery>> sources;
  std::unordered_map<SessionId, Session> sessions;
  std::map<NodeId, SessionId> by_node;  // without those that rest
  std::map<NodeId, Clock::duration> round_trips;
  std::map<NodeId, Address> reached;  // the address that worked
  std::set<NodeId> closed;            // their sessions ended without a word: are they gone?
  Membership membership;
  std::optional<Discovery::Self> introduced;
  Time now{};
  Time looked_at_sources{};
  Time next_rest{};
  Time next_silent{};
  Time looked_for_neighbours{};
  bool touched = true;           // something has happened since the last poll()
  Time next_poll = Time::max();  // if nothing does
  bool neighbours_due = true;    // the ring or the sessions have changed
  bool successor_due = false;    // likewise, and so soon
  bool leaving = false;
  Neighbourhood::Figures figures;
};

// ---- what membership needs

void Neighbourhood::State::say(const NodeId& to, const Word& word) {
  if (const std::optional<SessionId> session = session_of(to)) {
    figures.words_sent += transport.send_word(*session, encode(word));
  } else if (!leaving && !has_left(to)) {
    approaches.want(to, now, now + kWanted);
  }
}

std::vector<NodeId> Neighbourhood::State::connected() const {
  std::vector<NodeId> nodes;
  for (const auto& [node, session] : by_node) nodes.push_back(node);
  return nodes;
}

void Neighbourhood::State::changed(const Member& member, std::optional<MemberState> before) {
  neighbours_due = successor_due = true;
  if (is_present(member.state)) {
    // It has objected, or returned. After a cut has healed, whoever waited for the next dial
    // instead would have no session with it when it is to be asked, and suspect it anew.
    if (before != MemberState::kAlive && member.state == MemberState::kAlive)
      approaches.heard_of(member.node, now);
    if (before) return listener.on_changed(member);
    plan.up(member.node, {}, member.addresses);
    return listener.on_joined(member);
  }
  approaches.forget(member.node);
  // (Who has left may still owe something when its process ends.)
  if (member.state != MemberState::kLeft) closed.erase(member.node);
  round_trips.erase(member.node);
  const bool may_be_met = member.state == MemberState::kSilent || by_node.contains(member.node);
  if (!may_be_met || member.state == MemberState::kGone) reached.erase(member.node);
  if (member.state == MemberState::kLeft) {
    plan.left(member.node, now);
  } else {
    plan.down(member.node, now);
    next_silent = std::min(next_silent, now + silent_pause());
    for (const auto& [id, session] : sessions) {
      if (session.node == member.node)
        transport.abandon(id, member.name + " is " + std::string(to_string(member.state)));
    }
  }
  listener.on_lost(member);
}

// ---- sources

void Neighbourhood::State::sighted(const Sighting& sighting) {
  if (sighting.node) {
    const Member* known = roster().find(*sighting.node);
    if (*sighting.node == transport.self().node) return;
    if (known != nullptr && is_present(known->state)) return;
    if (sighting.leaving) return plan.left(*sighting.node, now);
  }
  Clock::duration pause{0};
  if (!sighting.lasting && roster().ring().size() > 1) {
    const Clock::duration longest = std::min<Clock::duration>(
        kLongestBeaconPause, kBeaconPause * static_cast<int>(roster().ring().size()));
    pause = Clock::duration(std::uniform_int_distribution<Clock::rep>(0, longest.count())(random));
  }
  for (const Address& address : sighting.addresses) {
    if (sighting.lasting) {
      plan.sighted(address, now);
    } else {
      plan.sighted(address, sighting.node, now + pause);
    }
    pause += std::chrono::nanoseconds(1);  // the most promising first
  }
}

void Neighbourhood::State::introduce() {
  membership.update(membership.self().workers, transport.self().addresses, now);
  const Member& self = membership.self();
  if (introduced && introduced->incarnation == self.incarnation) return;
  introduced = {self.node, self.name, self.addresses, self.workers, self.incarnation};
  for (const auto& source : sources) source->introduce(*introduced);
}

void Neighbourhood::State::look_at_sources(bool readable) {
  const bool due = readable || now >= looked_at_sources + kLookAtSources ||
                   std::any_of(sources.begin(), sources.end(),
                               [this](const auto& source) { return source->next_due(now) <= now; });
  if (!due) return;
  looked_at_sources = now;
  introduce();
  for (const auto& source : sources) source->poll(now, *this);
}

// ---- dialling

Time Neighbourhood::State::next_neighbours() const {
  if (!neighbours_due) return Time::max();
  const bool few = roster().ring().size() <= limits.mesh + 1;
  return few ? Time::min() : looked_for_neighbours + kNeighboursEvery;
}

void Neighbourhood::State::want_neighbours() {
  if (std::exchange(successor_due, false) && roster().ring().size() > limits.mesh + 1) {
    const NodeId successor = roster().successor(1);  // it misses us soon
    if (successor != membership.self().node && !by_node.contains(successor))
      approaches.want(successor, now, now + kWanted);
  }
  if (now < next_neighbours()) return;
  looked_for_neighbours = now;
  neighbours_due = false;
  std::vector<NodeId> missing = roster().neighbours(limits.mesh);
  std::erase_if(missing, [this](const NodeId& node) { return by_node.contains(node); });
  approaches.set_neighbours(missing, now);
}

void Neighbourhood::State::dial() {
  if (!leaving)
    for (const Address& address : plan.due(now)) transport.dial(address);
  for (const NodeId& node : approaches.due(now)) {
    const Member* member = roster().find(node);
    if (member == nullptr || by_node.contains(node)) {
      approaches.forget(node);
      continue;
    }
    if (end_rest(node)) {  // and dialled when it is down
      approaches.hold(node, now + kRestRetry);
      continue;
    }
    std::vector<Address> ways = member->addresses;
    if (const auto best = reached.find(node); best != reached.end()) {
      const auto front = std::find(ways.begin(), ways.end(), best->second);
      if (front != ways.end()) std::rotate(ways.begin(), front, front + 1);
    }
    if (const std::optional<Address> address = approaches.next_address(node, ways))
      transport.dial(*address);
  }
}

// Whoever is silent may only have been cut off: one of them is tried now and then.
void Neighbourhood::State::look_for_silent() {
  if (now < next_silent) return;
  std::vector<NodeId> silent;
  roster().each([&](const Member& member) {
    if (member.state == MemberState::kSilent) silent.push_back(member.node);
  });
  next_silent = Time::max();
  if (silent.empty()) return;
  next_silent = now + silent_pause();
  std::uniform_int_distribution<std::size_t> any(0, silent.size() - 1);
  approaches.want(silent[any(random)], now, now + kWanted);
}

// ---- processes that have ended

bool Neighbourhood::State::has_left(const NodeId& node) const {
  const Member* member = roster().find(node);
  return member != nullptr && member->state == MemberState::kLeft;
}

// Where it was reached before, or else what it says first. Its other addresses may be those of
// other hosts, or of this one.
const Address* Neighbourhood::State::way_to(const Member& member) const {
  if (const auto best = reached.find(member.node); best != reached.end()) return &best->second;
  return member.addresses.empty() ? nullptr : &member.addresses.front();
}

bool Neighbourhood::State::on_this_host(const Member& member) const {
  const Address* way = way_to(member);
  const auto& own = transport.self().addresses;
  return way != nullptr && std::any_of(own.begin(), own.end(), [&](const Address& address) {
           return address.host == way->host;
         });
}

// Whether a session that ended like this leaves open whether the process behind it has. Silence
// between hosts does not: a wall on the way may refuse connections in the name of who lives. This
// host's own word about its ports is good.
bool Neighbourhood::State::without_a_word(const Member& member,
                                          transport::DownReason reason) const {
  switch (reason) {
    case transport::DownReason::kClosed:
    case transport::DownReason::kFabric:  // who ends is noticed by one channel or the other first
      return true;
    case transport::DownReason::kSilent:
      return on_this_host(member);
    case transport::DownReason::kViolation:
    case transport::DownReason::kGoodbye:
    case transport::DownReason::kReplaced:
    case transport::DownReason::kHungUp:
      return false;
  }
  return false;
}

// Whether somebody who came after `since` listens where this member did.
bool Neighbourhood::State::has_successor(const Member& member, Time since) const {
  const Address* way = way_to(member);
  return way != nullptr && std::any_of(sessions.begin(), sessions.end(), [&](const auto& each) {
           const Session& session = each.second;
           const Member* other = roster().find(session.node);
           const Address* theirs = other == nullptr ? nullptr : way_to(*other);
           return session.node != member.node && session.since > since && theirs != nullptr &&
                  *theirs == *way;
         });
}

void Neighbourhood::State::process_ended(const Member& member) {
  if (member.state != MemberState::kLeft) return membership.gone(NodeId(member.node), now);
  approaches.forget(member.node);
  closed.erase(member.node);
  reached.erase(member.node);
  listener.on_ended(member);
}

// ---- sessions that nobody uses

bool Neighbourhood::State::may_rest(SessionId id, const Session& session,
                                    Clock::duration unused) const {
  if (now - session.since < unused) return false;
  const Time used = listener.last_used(id);
  if (used == Time::max() || now - used < unused) return false;
  return !roster().are_neighbours(membership.self().node, session.node, limits.mesh);
}

void Neighbourhood::State::begin_rest(SessionId id, Session& session) {
  session.resting = now;
  next_rest = std::min(next_rest, now + agreed());
  const auto known = by_node.find(session.node);
  if (known != by_node.end() && known->second == id) by_node.erase(known);
  listener.on_rest(id);
}

// Both sides have to agree: what one of them has begun meanwhile must not be cut.
void Neighbourhood::State::rest() {
  if (now < next_rest || sessions.empty()) return;
  next_rest = now + kRestEvery;
  std::vector<SessionId> over;
  for (auto& [id, session] : sessions) {
    if (session.resting) {
      if (now - *session.resting >= agreed()) over.push_back(id);
    } else if (may_rest(id, session, limits.unused)) {
      Word ask;
      ask.kind = Word::Kind::kRestAsk;
      ask.incarnation = membership.self().incarnation;
      session.rest_asked = now;
      transport.send_word(id, encode(ask));
    }
  }
  for (const SessionId id : over) transport.hang_up(id, "nobody uses it");
}

void Neighbourhood::State::heard_rest(SessionId id, Session& session, Word::Kind kind) {
  if (!session.resting && !may_rest(id, session, limits.unused / 2)) {
    // We need it after all, but the other side, which we had asked, does not listen on it any more.
    if (kind == Word::Kind::kRestYes && session.rest_asked && limits.used_sessions_stay)
      transport.hang_up(id, "it was about to be closed");
    return;
  }
  if (kind == Word::Kind::kRestAsk) {
    if (!session.resting) begin_rest(id, session);
    Word yes;  // once more, if the first got lost
    yes.kind = Word::Kind::kRestYes;
    yes.incarnation = membership.self().incarnation;
    transport.send_word(id, encode(yes));
  } else if (session.resting) {
    transport.hang_up(id, "nobody uses it");  // both have asked, and both have agreed
  } else if (session.rest_asked && now - *session.rest_asked < kRestLimit) {
    begin_rest(id, session);
    transport.hang_up(id, "nobody uses it");
  }
}

// A new session with a node is wanted while an old one rests: it is in the way of the new one,
// which would be refused as its duplicate.
bool Neighbourhood::State::end_rest(const NodeId& node) {
  bool rested = false;
  for (const auto& [id, session] : sessions) {
    if (session.node != node || !session.resting) continue;
    transport.hang_up(id, "nobody used it");
    rested = true;
  }
  return rested;
}

Time Neighbourhood::State::next_due() const {
  if (leaving) return approaches.next_due();
  Time next = std::min({membership.next_due(), plan.next_due(now), approaches.next_due(),
                        next_silent, std::max(now, next_neighbours())});
  if (successor_due) next = now;
  for (const auto& source : sources) next = std::min(next, source->next_due(now));
  const bool closing = std::any_of(sessions.begin(), sessions.end(), [](const auto& each) {
    return each.second.resting.has_value();
  });
  if (closing || sessions.size() > limits.mesh) next = std::min(next, next_rest);
  return next;
}

// ---- the door

Neighbourhood::Neighbourhood(transport::Transport& transport, Limits limits, std::uint64_t seed,
                             Listener& listener)
    : state_(std::make_unique<State>(transport, limits, seed, listener)) {}

Neighbourhood::~Neighbourhood() = default;

void Neighbourhood::add(std::unique_ptr<Discovery> source) {
  State& s = *state_;
  for (const int descriptor : source->descriptors()) s.transport.watch(descriptor);
  s.sources.push_back(std::move(source));
  s.introduced.reset();
  s.touched = true;
}

void Neighbourhood::on_up(SessionId session, const transport::Peer& peer, Time now) {
  State& s = *state_;
  s.now = now;
  s.touched = true;
  const transport::Introduction& who = peer.introduction;
  s.sessions[session] = {who.node, now, {}, {}};
  s.by_node[who.node] = session;
  s.closed.erase(who.node);
  s.neighbours_due = s.successor_due = true;
  s.approaches.up(who.node);
  // It may have dialled us: its own port on the host it comes from is the way to it.
  for (const Address& address : who.addresses) {
    if (address == peer.remote || address.host == peer.remote.host) s.reached[who.node] = address;
  }
  s.plan.up(who.node, peer.remote, who.addresses);
  // Where a member listened whose session has ended without a word, another process listens now: it
  // is gone (its own port would have refused us, if nobody had taken it).
  const Member newcomer = member_of(who);
  for (const NodeId& node : std::set<NodeId>(s.closed)) {
    const Member* member = s.roster().find(node);
    const Address* was = member == nullptr ? nullptr : s.way_to(*member);
    const Address* is = s.way_to(newcomer);
    if (was != nullptr && is != nullptr && *was == *is) s.process_ended(*member);
  }
  // Somebody else answers where another member was looked for: that one may be gone.
  if (const auto other = peer.dialled ? s.approaches.failed(peer.remote, now) : std::nullopt)
    s.membership.doubt(other->node, now);
  s.membership.met(newcomer, now);
}

void Neighbourhood::on_word(SessionId session, std::span<const std::byte> bytes, Time now) {
  State& s = *state_;
  s.now = now;
  s.touched = true;
  State::Session* from = s.find(session);
  if (from == nullptr) return;
  const std::optional<Word> word = decode(bytes);
  if (!word) {
    ++s.figures.malformed;
    return;
  }
  ++s.figures.words_heard;
  if (word->kind == Word::Kind::kRestAsk || word->kind == Word::Kind::kRestYes)
    return s.heard_rest(session, *from, word->kind);
  s.membership.heard(NodeId(from->node), *word, now);
}

void Neighbourhood::on_down(SessionId session, transport::DownReason reason, Time now) {
  State& s = *state_;
  s.now = now;
  s.touched = true;
  const auto entry = s.sessions.find(session);
  if (entry == s.sessions.end()) return;
  const State::Session over = entry->second;
  s.sessions.erase(entry);
  const auto known = s.by_node.find(over.node);
  if (known != s.by_node.end() && known->second == session) s.by_node.erase(known);
  s.neighbours_due = s.successor_due = true;
  if (s.by_node.contains(over.node)) return;
  const Member* member = s.roster().find(over.node);
  if (member == nullptr || (!is_present(member->state) && member->state != MemberState::kLeft)) {
    if (!s.leaving) s.plan.down(over.node, now);
    return;
  }
  s.approaches.down(over.node, over.since, now);
  if (s.without_a_word(*member, reason)) {
    // Its end, or the wire's? Who dials will know, unless somebody has taken its place already.
    std::erase_if(s.closed, [&](const NodeId& node) { return s.roster().find(node) == nullptr; });
    s.closed.insert(over.node);
    if (s.has_successor(*member, over.since)) return s.process_ended(*member);
  }
  if (member->state == MemberState::kLeft) {
    // Its addresses are free again for whoever comes after it.
    s.plan.left(over.node, now);
    if (!s.closed.contains(over.node)) s.reached.erase(over.node);
    return;
  }
  if (s.leaving) return;
  switch (reason) {
    case transport::DownReason::kClosed:
      s.approaches.want(over.node, now, now + kWanted);
      return;
    case transport::DownReason::kFabric:
    case transport::DownReason::kSilent:
    case transport::DownReason::kViolation:
      s.approaches.want(over.node, now, now + kWanted);
      return s.membership.doubt(over.node, now);
    case transport::DownReason::kGoodbye:
    case transport::DownReason::kReplaced:
    case transport::DownReason::kHungUp:
      return;
  }
}

void Neighbourhood::on_dial_failed(const Address& address, transport::DialFailure failure,
                                   Time now) {
  State& s = *state_;
  s.now = now;
  s.touched = true;
  s.plan.failed(address, now);
  const std::optional<Approaches::Failed> failed = s.approaches.failed(address, now);
  if (!failed) return;
  // Nobody listens where it listened, and its session has ended (protocol.md rule 20).
  const Member* member = s.roster().find(failed->node);
  if (failure == transport::DialFailure::kRefused && member != nullptr &&
      s.closed.contains(failed->node)) {
    const Address* way = s.way_to(*member);
    if (way != nullptr && *way == address) return s.process_ended(*member);
  }
  if (failed->all_ways) s.membership.doubt(failed->node, now);
}

void Neighbourhood::on_refused(const transport::Refusal& refusal, Time now) {
  State& s = *state_;
  s.now = now;
  s.touched = true;
  // Whose dial it was: a refusal of ours concerns somebody who dialled us, but that of a second
  // connection.
  if (refusal.by_us && refusal.reason != transport::RefusalReason::kDuplicate) return;
  s.plan.refused(refusal.remote, refusal.reason, now);
  s.approaches.refused(refusal.remote, refusal.reason, now);
  s.neighbours_due = s.successor_due = true;
}

void Neighbourhood::poll(Time now, bool readable) {
  State& s = *state_;
  // The courier comes by at each of its turns, a hundred thousand times a second.
  const bool look = readable || (!s.sources.empty() && now >= s.looked_at_sources + kLookAtSources);
  if (!s.touched && !look && now < s.next_poll) return;
  s.now = now;
  if (!s.leaving) {
    s.look_at_sources(readable);
    s.membership.poll(now);
    s.want_neighbours();
    s.look_for_silent();
    s.rest();
  }
  s.dial();
  s.touched = false;
  s.next_poll = s.next_due();
}

Time Neighbourhood::next_due(Time now) const { return state_->touched ? now : state_->next_poll; }

void Neighbourhood::connect(const NodeId& node, Time now) {
  State& s = *state_;
  s.touched = true;
  if (!s.by_node.contains(node)) s.approaches.want(node, now, now + kWanted);
}

void Neighbourhood::set_workers(std::uint32_t workers, Time now) {
  state_->touched = true;
  state_->membership.update(workers, state_->membership.self().addresses, now);
}

void Neighbourhood::left(const NodeId& node, Time now) {
  state_->now = now;
  state_->touched = true;
  state_->membership.left(node, now);
}

void Neighbourhood::leave(Time now) {
  State& s = *state_;
  s.now = now;
  s.touched = true;
  if (std::exchange(s.leaving, true)) return;
  s.membership.leave();
  s.approaches.forget_wishes();
  for (const auto& source : s.sources) source->leave();
}

std::optional<SessionId> Neighbourhood::session_of(const NodeId& node) const {
  return state_->session_of(node);
}

const Member* Neighbourhood::find(const NodeId& node) const { return state_->roster().find(node); }

std::size_t Neighbourhood::present() const { return state_->roster().ring().size() - 1; }

std::optional<Clock::duration> Neighbourhood::round_trip(const NodeId& node) const {
  const auto found = state_->round_trips.find(node);
  return found == state_->round_trips.end() ? std::nullopt : std::optional(found->second);
}

Neighbourhood::Figures Neighbourhood::figures() const {
  Figures figures = state_->figures;
  figures.suspicions = state_->membership.figures().suspicions;
  figures.objections = state_->membership.figures().objections;
  figures.sessions = state_->sessions.size();
  figures.health = state_->membership.health();
  return figures;
}

Discovery::Ignored Neighbourhood::ignored() const {
  Discovery::Ignored sum;
  for (const auto& source : state_->sources) {
    const Discovery::Ignored one = source->ignored();
    sum.foreign += one.foreign;
    sum.forged += one.forged;
    sum.replayed += one.replayed;
    sum.malformed += one.malformed;
  }
  return sum;
}

}  // namespace pp::discovery
