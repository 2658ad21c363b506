// Courier: its thread, and what other threads ask of it.
#include "courier.hpp"

#include <algorithm>
#include <utility>

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kLoadEvery{1};
// Whoever has not answered a request for work for so long is taken for silent, as far as stealing
// goes; sooner where silence is suspected sooner.
constexpr std::chrono::seconds kAnswersWithin{1};
constexpr std::chrono::milliseconds kOverslept{50};
// Who waits for a result looks out for so long before it sleeps: about two round trips in which
// somebody has to be woken.
constexpr std::chrono::microseconds kLookOut{250};
// Between two looks: past this somebody else has run on this core.
constexpr std::chrono::microseconds kInterrupted{200};
constexpr unsigned kLooksPerYield = 4;
// Results that are kept (Coalescing) are sent when so many have come together; a large one at once.
constexpr std::size_t kTogether = 128;
constexpr std::size_t kLargeResult = 4096;             // bytes
constexpr std::size_t kResultsPerMessage = 64 * 1024;  // bytes, about
constexpr std::size_t kResultsPerTurn = 1024 * 1024;   // likewise

// Bytes of its result, about.
std::size_t size_of(const BorrowedJob& job) {
  std::size_t size = sizeof(messages::Result) + (job.failure() != nullptr ? 0 : job.value().size());
  if (job.blobs)
    for (const Luggage::Item& item : job.blobs->result) size += item.blob->id().size;
  return size;
}

}  // namespace

Courier::Courier(const Options& options, std::unique_ptr<transport::Transport> transport,
                 Sources sources, Parts parts)
    : options_(options),
      parts_(parts),
      transport_(std::move(transport)),
      neighbourhood_(*transport_,
                     {.suspect = options.suspect,
                      .dead = options.dead,
                      .used_sessions_stay = holds(Rule::kUsedSessionsStay)},
                     std::hash<NodeId>{}(transport_->self().node), *this),
      ledger_(options.retries),
      thief_(std::hash<NodeId>{}(transport_->self().node),
             std::min<Clock::duration>(options.suspect, kAnswersWithin)),
      store_(parts.most_cached),
      fetcher_(parts.fetch),
      spread_(parts.spread_least),
      told_workers_(transport_->self().workers) {
  for (auto& source : sources) neighbourhood_.add(std::move(source));
  const auto& addresses = transport_->self().addresses;
  if (!addresses.empty()) board_.lock()->address = addresses.front().to_string();
}

Courier::~Courier() {
  stop();
  for (BorrowedJob* job : completed_.lock()->jobs) job->release();  // came too late to be sent
  for (BorrowedJob* job : finished_) job->release();
  for (Job* job : *recalled_.lock()) job->release();
  for (Job* job : waiting_) job->release();
  for (const Suspect& suspect : suspects_) suspect.job->release();
  for (const auto& [id, offer] : offers_) offer.job->release();
}

void Courier::start(Workforce& workforce) {
  fetcher_.assay_with(assayer_);
  begin(workforce, Clock::now());
  thread_ = std::thread([this] { run(); });
}

void Courier::begin(Workforce& workforce, Clock::time_point now) {
  workforce_ = &workforce;
  now_ = now;
  due_ = now;
  next_load_ = now + kLoadEvery;
  if (!transport_->self().addresses.empty()) {
    parts_.log.report("listening " + transport_->self().addresses.front().to_string());
  }
}

void Courier::stop() {
  end();
  wake();
  if (thread_.joinable()) thread_.join();
}

void Courier::run() {
  for (;;) {
    Clock::time_point due;
    {
      const auto watch = relief_.watch();
      const Clock::time_point now = Clock::now();
      due = step(now);
      if (due == Clock::time_point::max()) return;
      if (due <= now) continue;
      if (!relief_.expected() || stopping_.load(std::memory_order_relaxed)) {
        relief_.sleeps(true);
        readable_ = transport_->wait(due);
        relief_.sleeps(false);
        continue;
      }
      // Only a wait tells of sources of addresses: this one does not sleep.
      readable_ = transport_->wait(now);
      if (readable_) stirred_.store(true, std::memory_order_relaxed);
    }
    relief_.rest(due);
  }
}

// For something that happened on a thread which looks for work, or helps, in a moment.
void Courier::nudge() noexcept {
  stirred_.store(true, std::memory_order_release);
  transport_->wake();
}

// While the courier's own thread rests, whoever submits is expected to wait next, and to do itself
// what it has called for; not so if it calls once more first.
void Courier::wake() noexcept {
  nudge();
  if (relief_.resting() && !relief_.anybody() && called_.exchange(true, std::memory_order_relaxed))
    relief_.end_rest();
}

bool Courier::help() noexcept {
  const auto watch = relief_.try_watch();
  if (!watch) return relief_.at_work();
  // The end is its own thread's business.
  if (stopping_.load(std::memory_order_acquire)) return false;
  now_ = Clock::now();
  // Acquire: see stirred_.
  const bool stirred = stirred_.exchange(false, std::memory_order_acquire);
  if (stirred || now_ >= due_) {
    step(now_);
  } else if (transport_->poll(now_, *this) > 0) {
    // It may be what the caller waits for; what else follows from it can wait for the next look.
    stirred_.store(true, std::memory_order_relaxed);
  }
  return false;
}

bool Courier::look_out_for(Job& job, Clock::time_point deadline) {
  if (!wants_help() || !hope_.lock()->again()) return false;
  relief_.offer();
  const Clock::time_point begun = Clock::now();
  Clock::time_point last = begun;
  bool done = false;
  bool interrupted = false;
  for (unsigned looks = 0;;) {
    const bool others_at_work = help();
    done = job.done();
    if (done) break;
    // To who works for the result.
    if (others_at_work || ++looks % kLooksPerYield == 0) std::this_thread::yield();
    const Clock::time_point now = Clock::now();
    interrupted = now - last > kInterrupted;
    last = now;
    if (interrupted || now - begun > kLookOut || now >= deadline) break;
  }
  relief_.withdraw(!done);
  auto hope = hope_.lock();
  if (done) {
    hope->fulfilled();
  } else {
    interrupted ? hope->give_up() : hope->disappointed();
  }
  return done;
}

Clock::time_point Courier::step(Clock::time_point now) {
  // After a sleep that lasted longer than was asked for (the process was stopped, or the machine):
  // what has come meanwhile is heard before anybody is judged by the clock.
  if (now > due_ + kOverslept) transport_->poll(now_ = now, *this);
  now_ = now;
  called_.store(false, std::memory_order_relaxed);
  attentive_.store(false, std::memory_order_relaxed);
  turn(now);
  // Handling what came may have made more to do.
  if (transport_->poll(now, *this) > 0 || sent_) return due_ = now;
  // Acquire: pairs with the release in end().
  if (stopping_.load(std::memory_order_acquire) && stage_ == Stage::kHungUp)
    return Clock::time_point::max();
  Clock::time_point due =
      std::min({next_load_, links_due_, neighbourhood_.next_due(now), fetcher_.next_due()});
  // What is kept for those who run long by then goes to whoever waits for it.
  if (victim_.anybody_parked() && parts_.queue.borrowed() > 0 && prefetch_.until() >= now)
    due = std::min(due, prefetch_.until() + Clock::duration(1));
  due = std::min(due, answers_due_);
  if (stage_ != Stage::kHere && stage_ != Stage::kHungUp) due = std::min(due, stage_ends_);
  coalescing_.plan(now, everybody_works());
  if (coalescing_.keeps(now)) {
    due = std::min(due, coalescing_.due());
    attentive_.store(true, std::memory_order_relaxed);
  }
  return due_ = due;
}

// Here, as far as anybody knows; and no other node waits for work of this one.
bool Courier::everybody_works() const {
  return workforce_->idle() == 0 && !victim_.anybody_parked() && stage_ == Stage::kHere &&
         !stopping_.load(std::memory_order_relaxed);
}

// Everything that is not an answer to a message.
void Courier::turn(Clock::time_point now) {
  sent_ = false;
  send_results(kResultsPerTurn);
  send_recalls();
  return_unwanted();
  return_excess();
  try_suspects(now);
  // What lies in the queue at the end is closed, not granted.
  if (!stopping_.load(std::memory_order_relaxed)) grant_placed();
  answers_due_ = Clock::time_point::max();  // who does not steal waits for nobody's answer
  if (stage_ < Stage::kGoodbye) {
    serve_thieves();
    steal();
  }
  answer_refused();
  fetch_blobs(now);
  serve_blobs();
  tell_load(now);
  describe_if_asked();
  open_loans_.store(ledger_.open() + suspects_.size(), std::memory_order_relaxed);
  any_peers_.store(!peers_.empty(), std::memory_order_relaxed);
  if (workforce_->workers() != told_workers_) {
    told_workers_ = workforce_->workers();
    neighbourhood_.set_workers(told_workers_, now);
  }
  neighbourhood_.poll(now, std::exchange(readable_, false));
  look_after_links(now);
  look_after_driver(now);
  look_after_drain(now);
  look_after_trace(now);
  go_on_leaving(now);
}

// Whoever put in the first has woken the courier, or is about to, unless it comes by itself.
void Courier::completed(BorrowedJob& job) {
  bool wakes = false;
  {
    auto completed = completed_.lock();
    completed->jobs.push_back(&job);
    const bool due = completed->due;
    completed->due |= completed->jobs.size() == kTogether || size_of(job) > kLargeResult;
    wakes = attentive_.load(std::memory_order_relaxed) ? completed->due && !due
                                                       : completed->jobs.size() == 1;
  }
  if (wakes) nudge();
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
  if (may_ask_.load(std::memory_order_relaxed) || attentive_.load(std::memory_order_relaxed))
    nudge();
}

// Workers may make results faster than this thread encodes them: it looks after other things, like
// what is too much for their owners, between two portions of them.
void Courier::send_results(std::size_t most_bytes) {
  std::vector<BorrowedJob*> arrived;
  const bool may_wait = coalescing_.keeps(now_) && everybody_works();
  {
    auto completed = completed_.lock();
    if (completed->due || !may_wait) {
      std::swap(arrived, completed->jobs);
      completed->due = false;
    }
  }
  for (BorrowedJob* job : arrived) {
    if (auto* link = static_cast<LinkRecord*>(job->owners_record))
      link->unsent_bytes += size_of(*job);
    finished_.push_back(job);
  }
  if (finished_.empty()) return;
  coalescing_.sent();
  std::vector<BorrowedJob*> finished;
  for (std::size_t size = 0; !finished_.empty() && size < most_bytes; finished_.pop_front()) {
    BorrowedJob* job = finished_.front();
    size += size_of(*job);
    if (auto* link = static_cast<LinkRecord*>(job->owners_record))
      link->unsent_bytes -= std::min(link->unsent_bytes, size_of(*job));
    finished.push_back(job);
  }
  sent_ |= !finished_.empty();  // the next portion follows at once
  stolen_.fetch_add(finished.size(), std::memory_order_relaxed);
  std::vector<LinkRecord*> owners;  // of those with results that are not on their way yet
  for (BorrowedJob* job : finished) {
    if (job->given_up) continue;  // it went back, and its owner has begun it again
    auto* link = static_cast<LinkRecord*>(job->owners_record);
    forget_borrowed(*job);
    // (The record of an orphan's owner may be gone now. The others' stand: an owner that is gone
    // leaves orphans.)
    if (job->orphan) continue;
    if (link->results.empty()) owners.push_back(link);
    messages::Result& result = link->results.emplace_back();
    result.number = job->number;
    if (job->failure() != nullptr) {
      result.outcome = *job->failure();
    } else {
      result.outcome = job->value();
      if (job->blobs && !job->blobs->result.empty()) hold(*job, *link, result);
    }
    link->results_bytes += size_of(*job);
    if (link->results_bytes > kResultsPerMessage) deliver_results(*link);
  }
  for (LinkRecord* link : owners) deliver_results(*link);
  for (BorrowedJob* job : finished) job->release();
}

void Courier::deliver_results(LinkRecord& link) {
  if (link.results.empty()) return;
  deliver(link, messages::encode(link.results), true);
  for (const messages::Result& result : link.results)
    if (!result.blobs.empty() && !link.gone)
      link.held[result.number].sequence = link.link.kept().back().sequence;
  link.results.clear();
  link.results_bytes = 0;
}

std::uint32_t Courier::queued() const {
  const Queue& queue = parts_.queue;
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(queue.own() + queue.borrowed() + queue.elsewhere(), UINT32_MAX));
}

discovery::Load Courier::load() const {
  if (workforce_ == nullptr) return {};  // before start()
  return {queued(), workforce_->idle(), workforce_->workers()};
}

messages::Load Courier::full_load() const {
  messages::Load load;
  load.queued = queued();
  load.workers = workforce_->workers();
  load.idle = workforce_->idle();
  const Workforce::Totals totals = workforce_->totals();
  load.jobs = totals.jobs;
  load.nanoseconds = static_cast<std::uint64_t>(totals.busy.count());
  load.stolen = stolen_.load(std::memory_order_relaxed);
  load.lent = lent_.load(std::memory_order_relaxed);
  load.memory = workforce_->memory();
  return load;
}

// A node that leaves asks after nobody any more. Those who have its jobs hear something all the
// same, so that it is noticed when they do not.
void Courier::speak_to_borrowers() {
  const messages::Encoded word = messages::encode(full_load());
  for (const auto& [node, link] : links_)
    if (link.attached && ledger_.open(node) > 0) say(*link.session, word);
}

// An idle node has nothing to tell.
void Courier::tell_load(Clock::time_point now) {
  const bool ask = ask_due_.exchange(false, std::memory_order_relaxed);
  const bool changed = workforce_->workers() != told_workers_;
  if (!ask && !changed && now < next_load_) return;
  if (now >= next_load_) {
    tell_begun();
    recall_obsolete();
    if (leaving()) speak_to_borrowers();
  }
  next_load_ = now + kLoadEvery;
  placed_due_.store(true, std::memory_order_relaxed);
  copy_figures();
  recalled_all_ = false;
  const messages::Load load = full_load();
  messages::Load word = load;
  if (ask) word.ask = board_.lock()->asked;
  std::optional<messages::Encoded> message;  // an idle node has none
  for (auto& [session, record] : peers_) {
    if (record.resting || (!ask && !load.says_more_than(record.told_load))) continue;
    record.told_load = load;
    if (!message) message = messages::encode(word);
    say(session, *message);
  }
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
  board.wait_until(board_changed_, deadline, [&] {
    return board->present.size() >= others || board->farewell();  // nobody comes to who has left
  });
  return board->present.size() >= others;
}

Courier::Farewell Courier::wait_for_goodbye() {
  auto board = board_.lock();
  board.wait(board_changed_, [&] { return board->farewell().has_value(); });
  return *board->farewell();
}

std::optional<Courier::Farewell> Courier::farewell() const { return board_.lock()->farewell(); }

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
  figures.functions = board->functions;
  figures.lent = board->lent;
  figures.lost = board->lost;
  figures.late = board->late;
  figures.refused = board->refused;
  figures.misbehaved = board->misbehaved;
  figures.stolen = stolen_.load(std::memory_order_relaxed);
  figures.ignored = board->ignored;
  figures.messages = board->messages;
  figures.words = board->words;
  figures.bytes = board->bytes;
  figures.fetched = fetched_.load(std::memory_order_relaxed);
  figures.fetched_bytes = fetched_bytes_.load(std::memory_order_relaxed);
  figures.reused = reused_.load(std::memory_order_relaxed);
  figures.given_bytes = given_bytes_.load(std::memory_order_relaxed);
  return figures;
}

}  // namespace pp::runtime
