// Courier: its thread, and what other threads ask of it.
#include "courier.hpp"

#include <algorithm>
#include <utility>

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kLoadEvery{1};
constexpr std::size_t kResultsPerMessage = 64 * 1024;  // bytes, about

}  // namespace

Courier::Courier(const Options& options, std::unique_ptr<transport::Transport> transport,
                 Sources sources, Parts parts)
    : options_(options),
      parts_(parts),
      transport_(std::move(transport)),
      neighbourhood_(*transport_, {.suspect = options.suspect, .dead = options.dead},
                     std::hash<NodeId>{}(transport_->self().node), *this),
      ledger_(options.retries),
      thief_(std::hash<NodeId>{}(transport_->self().node)),
      told_workers_(transport_->self().workers) {
  for (auto& source : sources) neighbourhood_.add(std::move(source));
  const auto& addresses = transport_->self().addresses;
  if (!addresses.empty()) board_.lock()->address = addresses.front().to_string();
}

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
    Clock::time_point due = std::min(next_load_, neighbourhood_.next_due(now));
    if (drain_until_ && !hung_up_) due = std::min(due, *drain_until_);
    readable_ = transport_->wait(due);
  }
  if (!hung_up_) say_goodbye();
  // Whoever waits for a drain that the end has overtaken is told so.
  auto board = board_.lock();
  if (!board->drained) board->drained = false;
  board_changed_.notify_all();
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
  if (crew_->workers() != told_workers_) {
    told_workers_ = crew_->workers();
    neighbourhood_.set_workers(told_workers_, now);
  }
  neighbourhood_.poll(now, std::exchange(readable_, false));
  look_after_driver(now);
  look_after_drain(now);
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
    if (job->given_up) continue;  // it went back, and its owner has begun it again
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

std::uint32_t Courier::queued() const {
  const Queue& queue = parts_.queue;
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(queue.own() + queue.borrowed() + queue.elsewhere(), UINT32_MAX));
}

discovery::Load Courier::load() const {
  if (crew_ == nullptr) return {};  // before start()
  return {queued(), crew_->idle(), crew_->workers()};
}

messages::Load Courier::full_load() const {
  messages::Load load;
  load.queued = queued();
  load.workers = crew_->workers();
  load.idle = crew_->idle();
  const Crew::Totals totals = crew_->totals();
  load.jobs = totals.jobs;
  load.nanoseconds = static_cast<std::uint64_t>(totals.busy.count());
  load.stolen = stolen_.load(std::memory_order_relaxed);
  return load;
}

// An idle node has nothing to tell.
void Courier::tell_load(Clock::time_point now) {
  const bool ask = ask_due_.exchange(false, std::memory_order_relaxed);
  const bool changed = crew_->workers() != told_load_.workers;
  if (!ask && !changed && now < next_load_) return;
  next_load_ = now + kLoadEvery;
  placed_due_.store(true, std::memory_order_relaxed);
  copy_figures();
  messages::Load word = full_load();
  if (!ask && word == told_load_) return;
  told_load_ = word;
  if (ask) word.ask = board_.lock()->asked;
  const messages::Encoded message = messages::encode(word);
  for (const auto& [session, record] : peers_)
    if (!record.resting) send(session, message);
}

// Sources and transport belong to the courier's thread; others read what they count from the board.
void Courier::copy_figures() {
  const discovery::Discovery::Ignored ignored = neighbourhood_.ignored();
  const transport::Counters said = transport_->counters();
  auto board = board_.lock();
  board->ignored = {ignored.foreign, ignored.forged, ignored.replayed, ignored.malformed};
  board->messages = said.messages_sent;
  board->words = said.words_sent;
  board->bytes = said.bytes_sent;
  // Nobody waits for what nobody has asked for.
  if (std::exchange(board->copied, board->asked) != board->asked) board_changed_.notify_all();
}

std::vector<NodeView> Courier::nodes() const {
  std::vector<NodeView> views;
  auto board = board_.lock();
  for (const auto& [node, view] : board->present) views.push_back(view);
  return views;
}

std::string Courier::address() const { return board_.lock()->address; }

bool Courier::wait_for_nodes(std::size_t others, Clock::time_point deadline) const {
  auto board = board_.lock();
  return board.wait_until(board_changed_, deadline,
                          [&] { return board->present.size() >= others; });
}

Courier::Farewell Courier::wait_for_goodbye() {
  auto board = board_.lock();
  board.wait(board_changed_,
             [&] { return board->goodbye || board->driver_gone || board->drained.has_value(); });
  if (board->drained) return Farewell::kDrained;
  return board->goodbye ? Farewell::kGoodbye : Farewell::kDriverGone;
}

Courier::Figures Courier::figures(Clock::time_point deadline) {
  Figures figures;
  std::uint64_t asked = 0;
  {
    auto board = board_.lock();
    board->answers_missing = board->sessions;
    asked = ++board->asked;
  }
  ask_due_.store(true, std::memory_order_relaxed);
  wake();
  auto board = board_.lock();
  board.wait_until(board_changed_, deadline, [&board, asked] {
    return board->answers_missing == 0 && board->copied >= asked;
  });
  for (const auto& [id, node] : board->figures) figures.nodes.push_back(node);
  figures.lent = board->lent;
  figures.lost = board->lost;
  figures.late = board->late;
  figures.refused = board->refused;
  figures.stolen = stolen_.load(std::memory_order_relaxed);
  figures.ignored = board->ignored;
  figures.messages = board->messages;
  figures.words = board->words;
  figures.bytes = board->bytes;
  return figures;
}

}  // namespace pp::runtime
