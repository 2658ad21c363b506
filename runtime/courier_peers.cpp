// Courier: peers that come, speak, and go.
#include <algorithm>
#include <utility>

#include "courier.hpp"

namespace pp::runtime {

namespace {

// How long a worker of a launch waits for its driver: gone is soon certain, silent may come back
// (protocol.md rule 21).
constexpr std::chrono::seconds kGonePatience{4};
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

void Courier::dial(Clock::time_point now) {
  struct Sights final : discovery::Discovery::Listener {
    Sights(discovery::DialPlan& plan_, Clock::time_point now_) : plan(plan_), now(now_) {}
    void sighted(const discovery::Sighting& sighting) override {
      for (const Address& address : sighting.addresses) plan.sighted(address, now);
    }
    void noticed(const std::string&) override {}
    discovery::DialPlan& plan;
    const Clock::time_point now;
  } sights(plan_, now);
  seeds_.poll(now, sights);
  for (const Address& address : plan_.due(now)) transport_->dial(address);
}

void Courier::on_up(SessionId session, const transport::Peer& peer) {
  const auto& introduction = peer.introduction;
  // Everybody we know, so that the newcomer can meet them; it dials, they need do nothing.
  std::vector<messages::Member> members;
  for (const auto& [other, record] : peers_) {
    members.push_back({record.peer.introduction.node, record.peer.introduction.addresses});
  }
  if (!members.empty()) send(session, messages::encode(members));
  PeerRecord& record = peers_.emplace(session, PeerRecord{peer, {}, false, false}).first->second;
  if (stopping_.load(std::memory_order_relaxed)) return say_leave(session, record);
  met_.insert_or_assign(introduction.node, introduction.name);
  placed_due_.store(true, std::memory_order_relaxed);
  if (crew_->workers() != transport_->self().workers) send(session, messages::encode(load()));
  thief_.peer_up(session);
  plan_.up(introduction.node, peer.remote, introduction.addresses);
  bool joined_driver = false;
  if (!options_.launch.empty() && options_.role == Role::kWorker && peer.dialled &&
      (!driver_ || *driver_ == introduction.node)) {
    joined_driver = !driver_;
    driver_ = introduction.node;  // the first node a worker of a launch dials is its driver
    driver_lost_.reset();
  }
  const Address address =
      introduction.addresses.empty() ? peer.remote : introduction.addresses.front();
  parts_.log.info(introduction.name + " joined: " + address.to_string() + ", " +
                  std::to_string(introduction.workers) + " workers, over " + peer.provider);
  parts_.log.report("joined " + introduction.node.short_name() + ' ' + introduction.name + ' ' +
                    address.to_string() + ' ' + std::to_string(introduction.workers) + ' ' +
                    peer.provider);
  if (joined_driver) parts_.log.report("ready");
  auto board = board_.lock();
  board->present[session] = {introduction.node, introduction.name, address, introduction.workers,
                             peer.provider};
  NodeStatistics& figures = board->figures[introduction.node];
  figures.id = introduction.node;
  figures.name = introduction.name;
  figures.workers = introduction.workers;
  figures.present = true;
  board_changed_.notify_all();
}

void Courier::on_message(SessionId session, std::span<const std::byte> message) {
  if (peers_.find(session) == peers_.end()) return;
  speaker_ = session;
  try {
    messages::decode(message, *this);
  } catch (const Error& error) {
    parts_.log.warn(who(session) + " said what this node does not understand: " + error.what());
    transport_->hang_up(session, "a message that is none of ours");
  }
}

void Courier::on_down(SessionId session, transport::DownReason reason, std::string_view why) {
  const auto entry = peers_.find(session);
  if (entry == peers_.end()) return;
  const PeerRecord record = std::move(entry->second);
  peers_.erase(entry);
  const NodeId node = record.peer.introduction.node;
  const std::string& name = record.peer.introduction.name;
  thief_.peer_down(session);
  victim_.unpark(session);
  record.left ? plan_.left(node, Clock::now()) : plan_.down(node, Clock::now());

  const std::string how = name + (record.left ? " left" : " was lost (" + std::string(why) + ")");
  std::vector<Ledger::Verdict> verdicts = ledger_.link_over(session, how);
  for (Ledger::Verdict& verdict : verdicts) keep_to_its_place(verdict, how);
  requeue(verdicts);
  placed_due_.store(true, std::memory_order_relaxed);
  // What it lent us and we have not begun is void; what runs will find nobody who takes its result.
  for (Job* job : parts_.queue.drop_borrowed([&](const Job& job) {
         return static_cast<const BorrowedJob&>(job).lender == session;
       })) {
    forget_borrowed(static_cast<BorrowedJob&>(*job));
    job->release();
  }
  for (BorrowedJob* job : borrowed_open_) {
    if (job->lender == session) parts_.deadlines.tell_to_stop_soon(*job);
  }

  const bool expected = record.left || reason == transport::DownReason::kHungUp ||
                        reason == transport::DownReason::kReplaced;
  std::string sentence = name + " is gone: " + std::string(why);
  const auto again = std::count_if(verdicts.begin(), verdicts.end(),
                                   [](const Ledger::Verdict& verdict) { return verdict.again; });
  if (again > 0) sentence += "; " + std::to_string(again) + " jobs lent to it begin again";
  expected&& verdicts.empty() ? parts_.log.info(sentence) : parts_.log.warn(sentence);
  parts_.log.report("left " + node.short_name() + ' ' +
                    std::string(record.left ? "said goodbye" : why));
  if (driver_ == node && !driver_lost_) {
    driver_lost_ = Clock::now();
    driver_patience_ = reason == transport::DownReason::kSilent ? kSilentPatience : kGonePatience;
  }
  auto board = board_.lock();
  board->lost += verdicts.size();
  board->present.erase(session);
  const bool elsewhere = std::any_of(board->present.begin(), board->present.end(),
                                     [&](const auto& other) { return other.second.id == node; });
  board->figures[node].present = elsewhere;
  if (board->answers_missing > 0) --board->answers_missing;
  board_changed_.notify_all();
}

void Courier::on_dial_failed(const Address& address, transport::DialFailure,
                             std::string_view why) {
  plan_.failed(address, Clock::now());
  parts_.log.info("no connection to " + address.to_string() + ": " + std::string(why));
  parts_.log.report("unreachable " + address.to_string() + ' ' + std::string(why));
  // Its session ended and nobody answers at its address: its process is gone (protocol.md rule 20).
  const bool seed =
      std::find(options_.peers.begin(), options_.peers.end(), address) != options_.peers.end();
  if (driver_lost_ && driver_patience_ == kGonePatience && seed)
    driver_lost_ = Clock::time_point::min();
}

void Courier::on_refused(const transport::Refusal& refusal) {
  // Whose dial it was: a refusal of ours concerns somebody who dialled us, but that of a second
  // connection.
  if (!refusal.by_us || refusal.reason == transport::RefusalReason::kDuplicate) {
    plan_.refused(refusal.remote, refusal.reason, Clock::now());
  }
  if (refusal.reason == transport::RefusalReason::kDuplicate ||
      refusal.reason == transport::RefusalReason::kSelf)
    return;
  ++board_.lock()->refused;
  parts_.log.warn(refusal.sentence);
  parts_.log.report("refused " + refusal.sentence);
}

void Courier::on(const messages::Load& load) {
  PeerRecord* record = peer(speaker_);
  record->peer.introduction.workers = load.workers;
  thief_.heard(speaker_, load.queued);
  victim_.heard(speaker_, load.workers, load.idle);
  if (load.ask != 0) {
    messages::Load answer = this->load();
    answer.answers = load.ask;
    send(speaker_, messages::encode(answer));
  }
  auto board = board_.lock();
  NodeStatistics& figures = board->figures[record->peer.introduction.node];
  figures.workers = load.workers;
  if (const auto view = board->present.find(speaker_); view != board->present.end())
    view->second.workers = load.workers;
  figures.jobs = load.jobs;
  figures.time = std::chrono::nanoseconds(load.nanoseconds);
  figures.stolen = load.stolen;
  if (load.answers != 0 && load.answers == board->asked && board->answers_missing > 0) {
    --board->answers_missing;
    board_changed_.notify_all();
  }
}

void Courier::on(std::span<const messages::Member> members) {
  for (const messages::Member& member : members) {
    if (member.node == transport_->self().node) continue;
    for (const Address& address : member.addresses)
      plan_.sighted(address, member.node, Clock::now());
  }
}

void Courier::on_leave(std::string_view why) {
  PeerRecord* record = peer(speaker_);
  record->left = true;
  placed_due_.store(true, std::memory_order_relaxed);
  victim_.unpark(speaker_);
  thief_.peer_down(speaker_);
  say_leave(speaker_, *record);
  parts_.log.info(who(speaker_) + " says goodbye: " + std::string(why));
  if (driver_ != record->peer.introduction.node) return;
  auto board = board_.lock();
  board->goodbye = true;
  board_changed_.notify_all();
}

void Courier::look_after_driver(Clock::time_point now) {
  if (!driver_lost_ || now < *driver_lost_ + driver_patience_) return;
  driver_lost_.reset();
  auto board = board_.lock();
  board->driver_gone = true;
  board_changed_.notify_all();
}

}  // namespace pp::runtime
