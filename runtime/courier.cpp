// Courier: its thread, and what other threads ask of it.
#include "courier.hpp"

#include <algorithm>
#include <utility>

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kLoadEvery{1};
constexpr std::chrono::seconds kGoodbyeLimit{1};       // for the last messages at the end
constexpr std::size_t kResultsPerMessage = 64 * 1024;  // bytes, about

}  // namespace

Courier::Courier(const Options& options, std::unique_ptr<transport::Transport> transport,
                 Parts parts)
    : options_(options),
      parts_(parts),
      transport_(std::move(transport)),
      seeds_(options.peers),
      plan_(std::hash<NodeId>{}(transport_->self().node)),
      ledger_(options.retries),
      thief_(std::hash<NodeId>{}(transport_->self().node)),
      told_workers_(transport_->self().workers) {}

Courier::~Courier() {
  stop();
  for (BorrowedJob* job : *completed_.lock()) job->release();  // came too late to be sent
  for (Job* job : *recalled_.lock()) job->release();
}

void Courier::start(Crew& crew) {
  crew_ = &crew;
  if (!transport_->self().addresses.empty()) {
    parts_.log.report("listening " + transport_->self().addresses.front().to_string());
  }
  thread_ = std::thread([this] { run(); });
}

void Courier::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
  if (thread_.joinable()) thread_.join();
}

void Courier::run() {
  next_load_ = Clock::now() + kLoadEvery;
  while (!stopping_.load(std::memory_order_acquire)) {
    const Clock::time_point now = Clock::now();
    turn(now);
    // Handling what came may have made more to do.
    if (transport_->poll(now, *this) > 0 || sent_) continue;
    transport_->wait(std::min({next_load_, plan_.next_due(now), seeds_.next_due(now)}));
  }
  say_goodbye();
}

// Everything that is not an answer to a message.
void Courier::turn(Clock::time_point now) {
  sent_ = false;
  send_results();
  send_recalls();
  return_unwanted();
  grant_placed();
  serve_thieves();
  steal();
  tell_load(now);
  dial(now);
  look_after_driver(now);
}

void Courier::say_goodbye() {
  send_results();
  return_borrowed(parts_.queue.drop_borrowed([](const Job&) { return true; }),
                  messages::Reason::kLeaving);
  for (Job* job : ledger_.close()) {
    fail(*job, Failure::of(Failure::Kind::kClosed,
                           "pp: the runtime ended while another node had this job"));
  }
  for (auto& [session, record] : peers_) say_leave(session, record);
  // A grant may be under way to us until the peer has answered: it goes back as it comes.
  const auto everybody_answered = [this] {
    return std::all_of(peers_.begin(), peers_.end(),
                       [](const auto& peer) { return peer.second.left; });
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

// The last word of a node on a session but for what it returns: whoever hears it gives it nothing
// any more, and says so too.
void Courier::say_leave(SessionId session, PeerRecord& record) {
  if (std::exchange(record.told, true)) return;
  send(session,
       messages::encode_leave(
           stopping_.load(std::memory_order_relaxed)
               ? (options_.role == Role::kDriver ? "the program has ended" : "the worker leaves")
               : "understood"));
}

void Courier::send(SessionId to, const messages::Encoded& message) {
  sent_ = true;
  transport_->send(to, message);  // a session that is gone tells so by on_down
}

void Courier::completed(BorrowedJob& job) {
  completed_.lock()->push_back(&job);
  wake();
}

void Courier::recall(Job& job) {
  job.retain();
  recalled_.lock()->push_back(&job);
  wake();
}

void Courier::begun() {
  if (parts_.queue.borrowed() < low_water_.load(std::memory_order_relaxed)) hungry();
}

void Courier::hungry() noexcept {
  if (may_ask_.load(std::memory_order_relaxed)) wake();
}

void Courier::send_results() {
  std::vector<BorrowedJob*> finished;
  std::swap(finished, *completed_.lock());
  if (finished.empty()) return;
  stolen_.fetch_add(finished.size(), std::memory_order_relaxed);
  std::map<SessionId, std::pair<std::vector<messages::Result>, std::size_t>> home;
  const auto flush = [&](SessionId lender, std::vector<messages::Result>& results) {
    send(lender, messages::encode(results));
    results.clear();
  };
  for (BorrowedJob* job : finished) {
    forget_borrowed(*job);
    auto& [results, bytes] = home[job->lender];
    messages::Result& result = results.emplace_back();
    result.number = job->number;
    if (const auto* value = std::get_if<codec::Bytes>(&job->outcome())) {
      result.outcome = std::span<const std::byte>(*value);
      bytes += value->size();
    } else {
      result.outcome = std::move(std::get<Failure>(job->outcome()));
    }
    bytes += sizeof result;
    if (bytes > kResultsPerMessage) {
      flush(job->lender, results);
      bytes = 0;
    }
  }
  for (auto& [lender, pending] : home) {
    if (!pending.first.empty()) flush(lender, pending.first);
  }
  for (BorrowedJob* job : finished) job->release();
}

messages::Load Courier::load() const {
  messages::Load load;
  load.queued = static_cast<std::uint32_t>(std::min<std::size_t>(
      parts_.queue.own() + parts_.queue.borrowed() + parts_.queue.elsewhere(), UINT32_MAX));
  load.workers = crew_->workers();
  load.idle = crew_->idle();
  const Crew::Totals totals = crew_->totals();
  load.jobs = totals.jobs;
  load.nanoseconds = static_cast<std::uint64_t>(totals.busy.count());
  load.stolen = stolen_.load(std::memory_order_relaxed);
  return load;
}

void Courier::tell_load(Clock::time_point now) {
  const bool ask = ask_due_.exchange(false, std::memory_order_relaxed);
  const bool changed = crew_->workers() != told_workers_;
  if (!ask && !changed && now < next_load_) return;
  next_load_ = now + kLoadEvery;
  placed_due_.store(true, std::memory_order_relaxed);
  messages::Load word = load();
  told_workers_ = word.workers;
  if (ask) word.ask = board_.lock()->asked;
  const messages::Encoded message = messages::encode(word);
  for (const auto& [session, record] : peers_) send(session, message);
}

std::vector<NodeView> Courier::nodes() const {
  std::vector<NodeView> views;
  auto board = board_.lock();
  for (const auto& [session, view] : board->present) views.push_back(view);
  return views;
}

bool Courier::wait_for_nodes(std::size_t others, Clock::time_point deadline) const {
  auto board = board_.lock();
  return board.wait_until(board_changed_, deadline,
                          [&] { return board->present.size() >= others; });
}

bool Courier::wait_for_goodbye() {
  auto board = board_.lock();
  board.wait(board_changed_, [&] { return board->goodbye || board->driver_gone; });
  return board->goodbye;
}

Courier::Figures Courier::figures(Clock::time_point deadline) {
  Figures figures;
  {
    auto board = board_.lock();
    board->answers_missing = board->present.size();
    ++board->asked;
  }
  ask_due_.store(true, std::memory_order_relaxed);
  wake();
  auto board = board_.lock();
  board.wait_until(board_changed_, deadline, [&] { return board->answers_missing == 0; });
  for (const auto& [id, node] : board->figures) figures.nodes.push_back(node);
  figures.lent = board->lent;
  figures.lost = board->lost;
  figures.late = board->late;
  figures.refused = board->refused;
  figures.stolen = stolen_.load(std::memory_order_relaxed);
  return figures;
}

}  // namespace pp::runtime
