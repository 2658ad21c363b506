// Courier: how this node leaves its cluster, at its end and before.
#include <algorithm>
#include <utility>

#include "courier.hpp"

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kGoodbyeLimit{1};  // for the last messages at the end

}  // namespace

void Courier::begin_drain(std::chrono::milliseconds limit) {
  drain_asked_.store(limit.count(), std::memory_order_relaxed);
  wake();
}

bool Courier::wait_until_drained() {
  auto board = board_.lock();
  board.wait(board_changed_, [&] { return board->drained.has_value(); });
  return *board->drained;
}

// From now on nobody gives this node anything, and it asks nobody.
void Courier::start_drain(Clock::time_point now) {
  const std::int64_t limit = drain_asked_.load(std::memory_order_relaxed);
  if (limit < 0 || drain_until_) return;
  drain_until_ = now + std::chrono::milliseconds(limit);
  parts_.log.info("this node leaves: " + std::to_string(borrowed_open_.size()) +
                  " borrowed jobs are here, " + std::to_string(ledger_.open()) + " are lent");
  return_borrowed(parts_.queue.drop_borrowed([](const Job&) { return true; }),
                  messages::Reason::kLeaving);
  neighbourhood_.leave(now);
  for (auto& [session, record] : peers_) say_leave(session, record);
}

void Courier::look_after_drain(Clock::time_point now) {
  start_drain(now);
  if (!drain_until_ || hung_up_) return;
  // Who lent it is gone: nobody waits for that one.
  const bool waited_for =
      std::any_of(borrowed_open_.begin(), borrowed_open_.end(),
                  [this](const BorrowedJob* job) { return peers_.contains(job->lender); });
  const bool done = !waited_for && ledger_.open() == 0;
  if (!done && now < *drain_until_) return;
  if (!done) give_up_running();
  finish_drain(done);
}

// What has begun goes back as begun: its owner runs it again. Its result, if it comes, is dropped.
void Courier::give_up_running() {
  std::map<SessionId, std::vector<messages::Returned>> back;
  for (BorrowedJob* job : borrowed_open_) {
    job->given_up = true;
    back[job->lender].push_back({job->number, true, messages::Reason::kLeaving});
    parts_.deadlines.tell_to_stop_soon(*job);
  }
  parts_.log.warn("this node leaves and gives back " + std::to_string(borrowed_open_.size()) +
                  " jobs that still run: the time to leave was up (PP_DRAIN)");
  borrowed_open_.clear();
  for (auto& [session, record] : peers_) record.borrowed = 0;
  for (const auto& [lender, returned] : back) send(lender, messages::encode(returned));
}

void Courier::finish_drain(bool in_time) {
  say_goodbye();
  hung_up_ = true;
  auto board = board_.lock();
  board->present.clear();
  board->drained = in_time;
  board_changed_.notify_all();
}

void Courier::say_goodbye() {
  send_results();
  return_borrowed(parts_.queue.drop_borrowed([](const Job&) { return true; }),
                  messages::Reason::kLeaving);
  if (stopping_.load(std::memory_order_relaxed)) {
    for (Job* job : ledger_.close()) {
      fail(*job, Failure::of(Failure::Kind::kClosed,
                             "pp: the runtime ended while another node had this job"));
    }
  }
  neighbourhood_.leave(Clock::now());
  for (auto& [session, record] : peers_) say_leave(session, record);
  // A grant may be under way to us until the peer has answered: it goes back as it comes.
  const auto everybody_answered = [this] {
    return std::all_of(peers_.begin(), peers_.end(),
                       [](const auto& peer) { return peer.second.left || peer.second.resting; });
  };
  poll_until(everybody_answered);
  std::vector<SessionId> sessions;
  for (const auto& [session, record] : peers_) sessions.push_back(session);
  for (const SessionId session : sessions) transport_->hang_up(session, "goodbye");
  poll_until([this] { return peers_.empty(); });
}

template <class Condition>
void Courier::poll_until(Condition holds) {
  const Clock::time_point limit = Clock::now() + kGoodbyeLimit;
  while (!holds() && Clock::now() < limit) {
    sent_ = false;
    if (transport_->poll(Clock::now(), *this) == 0 && !sent_) transport_->wait(limit);
  }
}

// The last word of a node on a session but for what it returns and the results that it owes:
// whoever hears it gives it nothing any more, and says so too.
void Courier::say_leave(SessionId session, PeerRecord& record) {
  if (std::exchange(record.told, true)) return;
  const bool ends = stopping_.load(std::memory_order_relaxed) && options_.role == Role::kDriver;
  send(session, messages::encode_leave(ends        ? "the program has ended"
                                       : leaving() ? "the node leaves"
                                                   : "understood"));
}

}  // namespace pp::runtime
