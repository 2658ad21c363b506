// Courier: how this node leaves its cluster, at its end and before.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "courier.hpp"
#include "rules.hpp"

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kGoodbyeLimit{1};  // for the last messages at the end

}  // namespace

void Courier::begin_drain(std::chrono::milliseconds limit) {
  drain_asked_.store(limit.count(), std::memory_order_relaxed);
  wake();
}

void Courier::begin_end() {
  ending_.store(true, std::memory_order_relaxed);
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
  const bool ending = ending_.load(std::memory_order_relaxed);
  if ((limit < 0 && !ending) || stage_ != Stage::kHere) return;
  stage_ = Stage::kLeaving;
  stage_ends_ = ending ? Clock::time_point::max() : now + std::chrono::milliseconds(limit);
  parts_.log.info("this node leaves: " + std::to_string(borrowed_open_.size()) +
                  " borrowed jobs are here, " + std::to_string(ledger_.open()) + " are lent");
  if (holds(Rule::kLeaverReturns)) {
    return_borrowed(drop_borrowed([](const BorrowedJob&) { return true; }),
                    messages::Reason::kLeaving);
  }
  neighbourhood_.leave(now);
  for (auto& [session, record] : peers_) say_leave(record);
}

void Courier::look_after_drain(Clock::time_point now) {
  start_drain(now);
  if (stage_ != Stage::kLeaving) return;
  if (ending_.load(std::memory_order_relaxed)) {
    // Whoever ends the node waits for what runs, and says when it is over: no limit holds any more,
    // and none in the past keeps this thread awake meanwhile.
    stage_ends_ = Clock::time_point::max();
    return;
  }
  const bool waited_for = std::any_of(borrowed_open_.begin(), borrowed_open_.end(),
                                      [](const BorrowedJob* job) { return !job->orphan; });
  const bool done = !waited_for && ledger_.open() == 0 && suspects_.empty() && !anything_held();
  if (!done && now < stage_ends_) return;
  if (!done) give_up_running();
  in_time_ = done;
  say_goodbye();
}

// What has begun goes back as begun: its owner runs it again. Its result, if it comes, is dropped.
void Courier::give_up_running() {
  // (start_drain() has seen to that, as long as its rule holds.)
  return_borrowed(drop_borrowed([](const BorrowedJob&) { return true; }),
                  messages::Reason::kLeaving);
  std::map<NodeId, std::vector<messages::Returned>> back;
  for (BorrowedJob* job : borrowed_open_) {
    job->given_up = true;
    job->owners_record = nullptr;
    if (!job->orphan) back[job->owner].push_back({job->number, true, messages::Reason::kLeaving});
    workforce_->tell_to_stop_soon(*job);
  }
  parts_.log.warn("this node leaves and gives back " + std::to_string(borrowed_open_.size()) +
                  " jobs that still run: the time to leave was up (PP_DRAIN)");
  borrowed_open_.clear();
  for (auto& [node, link] : links_) link.borrowed = 0;
  for (const auto& [owner, returned] : back) {
    if (LinkRecord* link = find_link(owner)) deliver(*link, messages::encode(returned));
  }
}

// This node has nothing any more that anybody waits for, or ends all the same.
void Courier::say_goodbye() {
  send_results(SIZE_MAX);
  return_borrowed(drop_borrowed([](const BorrowedJob&) { return true; }),
                  messages::Reason::kLeaving);
  if (!draws_trace()) end_trace();
  neighbourhood_.leave(now_);
  for (auto& [session, record] : peers_) say_leave(record);
  stage_ = Stage::kGoodbye;
  stage_ends_ = now_ + kGoodbyeLimit;
}

// From the goodbye to the end. Whatever does not come within its limit is not waited for.
void Courier::go_on_leaving(Clock::time_point now) {
  if (stopping_.load(std::memory_order_acquire) && stage_ < Stage::kGoodbye) {
    std::vector<Job*> lent = ledger_.close();
    for (const Suspect& suspect : suspects_) lent.push_back(suspect.job);
    suspects_.clear();
    for (Job* job : lent) {
      fail(*job, Failure::of(Failure::Kind::kClosed,
                             "pp: the runtime ended while another node had this job"));
    }
    in_time_ = false;
    say_goodbye();
  }
  // A grant may be under way to us until the peer has answered: it goes back as it comes.
  const auto answered = [](const auto& peer) {
    return peer.second.understood || peer.second.resting;
  };
  if (stage_ == Stage::kGoodbye &&
      (now >= stage_ends_ ||
       (std::all_of(peers_.begin(), peers_.end(), answered) && !anything_held()))) {
    stage_ = Stage::kHangingUp;
    stage_ends_ = now + kGoodbyeLimit;
    std::vector<SessionId> sessions;
    for (const auto& [session, record] : peers_) sessions.push_back(session);
    for (const SessionId session : sessions) transport_->hang_up(session, "goodbye");
  }
  if (stage_ == Stage::kHangingUp && (now >= stage_ends_ || peers_.empty())) {
    stage_ = Stage::kHungUp;
    auto board = board_.lock();
    board->present.clear();
    // Whoever waits for a drain that the end has overtaken is told so.
    if (!board->drained)
      board->drained = drain_asked_.load(std::memory_order_relaxed) >= 0 && in_time_;
    board_changed_.notify_all();
  }
}

// The last word of a node on a session but for what it returns and the results that it owes:
// whoever hears it gives it nothing any more, and says so too.
void Courier::say_leave(PeerRecord& record) {
  if (std::exchange(record.told, true)) return;
  const bool ends = stopping_.load(std::memory_order_relaxed) && options_.role == Role::kDriver;
  deliver(*record.link, messages::encode_leave(ends ? "the program has ended" : "the node leaves"));
}

}  // namespace pp::runtime
