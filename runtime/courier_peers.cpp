// Courier: peers that come, speak, and go.
#include <algorithm>
#include <bit>
#include <utility>

#include "courier.hpp"
#include "rules.hpp"

namespace pp::runtime {

namespace {

// How long a worker of a launch waits for a driver that is silent: it may come back (protocol.md
// rule 21).
constexpr std::chrono::seconds kSilentPatience{60};

}  // namespace

Courier::PeerRecord* Courier::peer(SessionId session) {
  const auto entry = peers_.find(session);
  return entry == peers_.end() ? nullptr : &entry->second;
}

std::string Courier::who(SessionId session) const {
  const auto entry = peers_.find(session);
  return entry == peers_.end() ? "a lost node" : entry->second.peer.introduction.name;
}

// ---- members

NodeView Courier::view_of(const discovery::Member& member) const {
  NodeView view;
  view.id = member.node;
  view.name = member.name;
  if (!member.addresses.empty()) view.address = member.addresses.front();
  view.workers = member.workers;
  view.state = member.state;
  if (const auto session = neighbourhood_.session_of(member.node)) {
    if (const auto entry = peers_.find(*session); entry != peers_.end())
      view.provider = entry->second.peer.provider;
  }
  view.round_trip = neighbourhood_.round_trip(member.node).value_or(Clock::duration::zero());
  return view;
}

void Courier::on_joined(const discovery::Member& member) {
  NodeView view = view_of(member);
  placed_due_.store(true, std::memory_order_relaxed);
  bool joined_driver = false;
  if (!options_.launch.empty() && options_.role == Role::kWorker && member.driver &&
      (!driver_ || *driver_ == member.node)) {
    joined_driver = !driver_;
    driver_ = member.node;
    driver_lost_.reset();
  }
  const std::string address = view.address.to_string();
  const std::string sentence = member.name + " joined: " + address + ", " +
                               std::to_string(member.workers) + " workers" +
                               (view.provider.empty() ? "" : ", over " + view.provider);
  parts_.log.info(sentence);
  note(Chronicle::Kind::kJoined, sentence);
  parts_.log.report("joined " + member.node.short_name() + ' ' + member.name + ' ' + address + ' ' +
                    std::to_string(member.workers) + ' ' +
                    (view.provider.empty() ? "-" : view.provider));
  if (joined_driver) parts_.log.report("ready");
  auto board = board_.lock();
  NodeStatistics& figures = board->figures[member.node];
  figures.id = member.node;
  figures.name = member.name;
  figures.workers = member.workers;
  figures.present = true;
  call_back(board->joined, view);
  NodeView& present = board->present[member.node];
  others_workers_ += view.workers;
  others_workers_ -= present.workers;
  present = std::move(view);
  board_changed_.notify_all();
}

void Courier::on_changed(const discovery::Member& member) {
  if (member.state == MemberState::kSuspect) {
    const std::string sentence = member.name + " is silent for more than " +
                                 std::to_string(options_.suspect.count()) +
                                 " ms: suspected, and taken for dead unless it objects";
    parts_.log.warn(sentence);
    note(Chronicle::Kind::kSuspected, sentence);
  }
  auto board = board_.lock();
  const auto known = board->present.find(member.node);
  if (known == board->present.end()) return;
  if (known->second.state == MemberState::kSuspect && member.state == MemberState::kAlive) {
    parts_.log.warn(member.name + " objects: it is alive");
    note(Chronicle::Kind::kObjected, member.name + " objects: it is alive");
  }
  const NodeView view = view_of(member);
  known->second.state = view.state;
  others_workers_ += view.workers;
  others_workers_ -= known->second.workers;
  known->second.workers = view.workers;
  known->second.address = view.address;
  known->second.provider = view.provider;
  board->figures[member.node].workers = member.workers;
  board_changed_.notify_all();
}

void Courier::on_lost(const discovery::Member& member) {
  placed_due_.store(true, std::memory_order_relaxed);
  if (pointed_to_ == member.node) pointed_to_.reset();
  if (member.state == MemberState::kSilent) fell_silent_ = now_;
  std::string how;
  switch (member.state) {
    case MemberState::kAlive:
    case MemberState::kSuspect:
    case MemberState::kSilent:
      how = "nothing was heard of it for " + std::to_string(options_.dead.count()) + " ms";
      break;
    case MemberState::kGone:
      how = "its process has ended without a goodbye";
      break;
    case MemberState::kLeft:
      how = "said goodbye";
      break;
  }
  const std::string sentence =
      member.name + " is " + std::string(to_string(member.state)) + ": " + how;
  member.state == MemberState::kLeft ? parts_.log.info(sentence) : parts_.log.warn(sentence);
  note(member.state == MemberState::kLeft   ? Chronicle::Kind::kLeft
       : member.state == MemberState::kGone ? Chronicle::Kind::kDied
                                            : Chronicle::Kind::kSilent,
       sentence);
  parts_.log.report("left " + member.node.short_name() + ' ' + how);
  if (driver_ == member.node) lost_driver(member);
  lose_link(member, how);
  auto board = board_.lock();
  others_workers_ -= board->present[member.node].workers;
  board->present.erase(member.node);
  board->figures[member.node].present = false;
  if (const auto functions = board->functions.find(member.node);
      functions != board->functions.end()) {
    for (FunctionFigures& one : functions->second) one.running = 0;
  }
  forget_figures(*board);
  call_back(board->left, view_of(member));
  board_changed_.notify_all();
}

// It had said goodbye, and had not yet given back all that it owes.
void Courier::on_ended(const discovery::Member& member) {
  LinkRecord* link = find_link(member.node);
  // (Of the session that is just ending nothing is left but its number.)
  const bool meets = link != nullptr && link->session && peer(*link->session) != nullptr;
  if (link == nullptr || link->gone || meets) return;
  end_link_of_process(*link, "its process has ended while it was leaving");
}

void Courier::on_notice(const std::string& sentence) { parts_.log.warn(sentence); }

void Courier::on_load(const NodeId& node, const discovery::Load& load) {
  if (const auto session = neighbourhood_.session_of(node)) {
    thief_.heard(*session, load.queued);
    victim_.heard(*session, load.workers, load.idle);
  }
  auto board = board_.lock();
  const auto view = board->present.find(node);
  if (view == board->present.end()) return;
  view->second.queued = load.queued;
  view->second.idle = load.idle;
  if (const auto round_trip = neighbourhood_.round_trip(node))
    view->second.round_trip = *round_trip;
}

Clock::time_point Courier::last_used(SessionId session) const {
  const auto entry = peers_.find(session);
  if (entry == peers_.end()) return Clock::time_point::max();
  const PeerRecord& record = entry->second;
  // Protocol.md rule 17. (What is not attached yet may have to say what is kept.)
  if (anything_open(*record.link) || record.left || record.told) return Clock::time_point::max();
  return std::max(record.used, record.link->worked);
}

void Courier::on_rest(SessionId session) {
  PeerRecord* record = peer(session);
  if (record == nullptr) return;
  record->resting = true;
  if (record->link->session == session) detach(*record->link);
  thief_.peer_down(session);
  victim_.unpark(session);
}

// Callbacks are the user's: on workers, never here; one job at a time makes the calls that have
// gathered, in order.
void Courier::call_back(const std::vector<NodeCallback>& callbacks, const NodeView& view) {
  if (callbacks.empty()) return;
  bool begin = false;
  {
    auto calls = calls_.lock();
    for (const NodeCallback& callback : callbacks)
      calls->waiting.push_back([callback, view] { callback(view); });
    begin = !std::exchange(calls->under_way, true);
  }
  if (!begin) return;
  auto make_calls = [this] { this->make_calls(); };
  auto* job = new CallbackJob<decltype(make_calls)>(std::move(make_calls));
  job->release();  // nobody waits for it
  parts_.home.queue(*job);
}

// On a worker.
void Courier::make_calls() {
  for (;;) {
    std::function<void()> call;
    {
      auto calls = calls_.lock();
      calls->under_way = !calls->waiting.empty();
      if (!calls->under_way) return;
      call = std::move(calls->waiting.front());
      calls->waiting.pop_front();
    }
    try {
      call();
    } catch (...) {
      parts_.log.warn("a callback of on_node_joined() or on_node_left() threw: " +
                      describe_current_exception().message);
    }
  }
}

void Courier::on_node_joined(NodeCallback callback) {
  auto board = board_.lock();
  for (const auto& [node, view] : board->present) call_back({callback}, view);
  board->joined.push_back(std::move(callback));
}

void Courier::on_node_left(NodeCallback callback) {
  board_.lock()->left.push_back(std::move(callback));
}

// A driver that lives long meets many who come and go: of those that are gone only so many are
// remembered for the table.
void Courier::forget_figures(Board& board) {
  constexpr std::size_t kMostGone = 4096;
  if (board.figures.size() <= board.present.size() + kMostGone) return;
  std::erase_if(board.figures, [](const auto& each) { return !each.second.present; });
  std::erase_if(board.functions,
                [&](const auto& each) { return !board.figures.contains(each.first); });
}

// ---- sessions

void Courier::on_up(SessionId session, const transport::Peer& peer) {
  const NodeId node = peer.introduction.node;
  PeerRecord& record = peers_[session];
  record.peer = peer;
  record.link = &link_with(peer);
  record.link->gone = false;
  record.link->session = session;
  attach(*record.link);
  end_links_of_predecessors(peer.introduction);
  record.used = record.heard = now_;
  record.told_load.workers = transport_->self().workers;  // by the handshake, as they once were
  {
    auto board = board_.lock();
    ++board->sessions;
    const auto& addresses = transport_->self().addresses;
    if (!addresses.empty()) board->address = addresses.front().to_string();
  }
  neighbourhood_.on_up(session, peer, now_);
  if (leaving()) return say_leave(record);
  placed_due_.store(true, std::memory_order_relaxed);
  if (draws_trace()) observe(session, record);
  thief_.peer_up(session);
  if (pointed_to_ == node) {
    thief_.pointed_to(session);
    pointed_to_.reset();
  }
  auto board = board_.lock();
  if (const auto view = board->present.find(node); view != board->present.end())
    view->second.provider = peer.provider;
}

void Courier::on_word(SessionId session, std::span<const std::byte> word) {
  if (PeerRecord* record = peer(session)) record->heard = now_;
  neighbourhood_.on_word(session, word, now_);
}

void Courier::on_message(SessionId session, std::span<const std::byte> message) {
  PeerRecord* record = peer(session);
  if (record == nullptr) return;
  record->heard = now_;
  LinkRecord& link = *record->link;
  if (link.session != session) {  // replaced, or resting: what counts is said again
    // The other has begun something while our consent to closing it was on its way: it would wait
    // for an answer until this node loses patience.
    if (record->resting && holds(Rule::kUsedSessionsStay))
      transport_->hang_up(session, "it was about to be closed");
    return;
  }
  speaker_ = session;
  try {
    if (take_header(link, message)) messages::decode(message, *this);
  } catch (const Error& error) {
    misbehaved(who(session) + " said what this node does not understand: " + error.what());
    transport_->hang_up(session, "a message that is none of ours");
  }
}

// A member has said what none of our release would say. However often it does, the log stays short.
void Courier::misbehaved(const std::string& sentence) {
  constexpr std::uint64_t kTold = 16;
  const std::uint64_t times = ++board_.lock()->misbehaved;
  note(Chronicle::Kind::kMisbehaved, sentence);
  if (times <= kTold) {
    parts_.log.warn(sentence);
  } else if (std::has_single_bit(times)) {
    parts_.log.warn(sentence + "; " + std::to_string(times) + " breaches of the protocol so far");
  }
}

// Whether the speaker may go on asking. Who asks and does not read the answers would fill this
// node's memory with them.
bool Courier::reads_answers() {
  constexpr std::size_t kUnreadBytes = std::size_t{1} << 20;
  constexpr unsigned kMostUnread = 1000;  // one that only reads slowly has a few questions open
  PeerRecord& record = *peer(speaker_);
  if (transport_->backlog(speaker_) <= kUnreadBytes) {
    record.unread = 0;
    return true;
  }
  if (record.unread > kMostUnread) return false;  // it has been told
  if (++record.unread <= kMostUnread) return true;
  misbehaved(who(speaker_) + " asks on and on and does not read the answers");
  transport_->hang_up(speaker_, "you do not read the answers to your questions");
  return false;
}

// What the header says of the link. False: the message is not to be heeded.
bool Courier::take_header(LinkRecord& link, std::span<const std::byte> message) {
  const messages::Header header = messages::header_of(message);
  // Until the other's Attach has come, it speaks of a link that is over here.
  if (!link.attached) return header.sequence == 0;
  const bool was_full = is_full(link);
  if (!link.link.acknowledged(header.applied))
    throw Error("it acknowledges what this node has never said");
  if (was_full) no_longer_full(link);
  if (header.sequence == 0) return true;
  const Link::Take taken = link.link.take(header.sequence, message.size());
  if (taken == Link::Take::kGap) throw Error("something is missing before its message");
  owe_acknowledgement(link);
  return taken == Link::Take::kApply;
}

void Courier::on_down(SessionId session, transport::DownReason reason, std::string_view why) {
  const auto entry = peers_.find(session);
  if (entry == peers_.end()) return;
  const PeerRecord record = std::move(entry->second);
  peers_.erase(entry);
  const NodeId node = record.peer.introduction.node;
  const std::string& name = record.peer.introduction.name;
  thief_.peer_down(session);
  if (holds(Rule::kRequestsEndWithSessions)) victim_.unpark(session);
  neighbourhood_.on_down(session, reason, now_);

  std::string sentence = "the session with " + name + " is over: " + std::string(why);
  if (reason == transport::DownReason::kViolation) misbehaved(sentence);
  LinkRecord& link = *record.link;
  if (link.session == session || link.gone) {
    if (link.session == session) detach(link);
    const bool ended =
        (record.left || record.understood) &&
        (reason == transport::DownReason::kGoodbye || reason == transport::DownReason::kHungUp);
    if (ended && !link.gone) end_link(link, {.how = name + " left", .gone = true});
    if (!holds(Rule::kResume)) end_link(link, {.how = name + " was lost"});
    if (anything_open(link)) sentence += "; what is open with it waits for the next one";
    if (link.gone) forget_link(link);
  }
  placed_due_.store(true, std::memory_order_relaxed);
  parts_.log.info(sentence);
  auto board = board_.lock();
  --board->sessions;
  if (const auto view = board->present.find(node);
      view != board->present.end() && !neighbourhood_.session_of(node))
    view->second.provider.clear();
  if (board->answers_missing > 0) --board->answers_missing;
  board_changed_.notify_all();
}

void Courier::on_dial_failed(const Address& address, transport::DialFailure failure,
                             std::string_view why) {
  parts_.log.info("no connection to " + address.to_string() + ": " + std::string(why));
  parts_.log.report("unreachable " + address.to_string() + ' ' + std::string(why));
  neighbourhood_.on_dial_failed(address, failure, now_);
}

void Courier::on_refused(const transport::Refusal& refusal) {
  neighbourhood_.on_refused(refusal, now_);
  if (refusal.reason == transport::RefusalReason::kDuplicate ||
      refusal.reason == transport::RefusalReason::kSelf)
    return;
  ++board_.lock()->refused;
  parts_.log.warn(refusal.sentence);
  note(Chronicle::Kind::kRefused, refusal.sentence);
  parts_.log.report("refused " + refusal.sentence);
}

void Courier::on(const messages::Load& load) {
  PeerRecord* record = peer(speaker_);
  record->peer.introduction.workers = load.workers;
  thief_.heard(speaker_, load.queued);
  victim_.heard(speaker_, load.workers, load.idle);
  if (load.ask != 0 && reads_answers()) {
    messages::Load answer = full_load();
    answer.answers = load.ask;
    answer.functions = workforce_->functions();
    say(speaker_, messages::encode(answer));
  }
  auto board = board_.lock();
  const NodeId& node = record->peer.introduction.node;
  NodeStatistics& figures = board->figures[node];
  figures.workers = load.workers;
  if (const auto view = board->present.find(node); view != board->present.end()) {
    others_workers_ += load.workers;
    others_workers_ -= view->second.workers;
    view->second.workers = load.workers;
    view->second.queued = load.queued;
    view->second.idle = load.idle;
  }
  figures.jobs = load.jobs;
  figures.time = std::chrono::nanoseconds(load.nanoseconds);
  figures.stolen = load.stolen;
  figures.lent = load.lent;
  figures.memory = load.memory;
  if (load.answers != 0) board->functions[node] = load.functions;
  if (load.answers != 0 && load.answers == board->asked && board->answers_missing > 0) {
    --board->answers_missing;
    board_changed_.notify_all();
  }
}

void Courier::on_leave(std::string_view why) {
  PeerRecord* record = peer(speaker_);
  record->left = true;
  placed_due_.store(true, std::memory_order_relaxed);
  // Its request for work is void. It may still be asked: it lends what its own jobs wait for.
  victim_.unpark(speaker_);
  if (observer_ == record->link->node) end_trace();
  deliver(*record->link, messages::encode_understood());
  parts_.log.info(who(speaker_) + " says goodbye: " + std::string(why));
  neighbourhood_.left(NodeId(record->peer.introduction.node), now_);
}

void Courier::on_understood() { peer(speaker_)->understood = true; }

// The driver of this worker's launch is no member any more (protocol.md rule 21).
void Courier::lost_driver(const discovery::Member& driver) {
  if (driver.state == MemberState::kLeft) {
    board_.lock()->goodbye = true;
    board_changed_.notify_all();
  } else if (!driver_lost_) {
    driver_lost_ = now_;
    driver_patience_ = driver.state == MemberState::kSilent ? Clock::duration(kSilentPatience)
                                                            : Clock::duration(0);
  }
}

void Courier::look_after_driver(Clock::time_point now) {
  if (!driver_lost_ || !holds(Rule::kDriverGoneEnds) || now < *driver_lost_ + driver_patience_)
    return;
  driver_lost_.reset();
  auto board = board_.lock();
  board->driver_gone = true;
  board_changed_.notify_all();
}

}  // namespace pp::runtime
