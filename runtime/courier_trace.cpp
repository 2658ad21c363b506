// Courier: the trace, from the nodes that write it down to the driver that draws it.
#include <algorithm>

#include "courier.hpp"
#include "trace_file.hpp"

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kAskEvery{1};
// At first a driver asks so often at once: of so few answers one was quick.
constexpr std::size_t kFirstAnswers = 8;
// Whose driver has asked nothing for so long writes nothing down any more.
constexpr std::chrono::seconds kForgottenAfter{30};
// Records go behind everything else: none while so much waits for the peer, and so many at a time.
constexpr std::size_t kBehind = 64 * 1024;
constexpr std::size_t kPerMessage = 512;
// Records that wait here to be sent; a node whose driver takes none loses what comes after them.
constexpr std::size_t kMostWaiting = std::size_t{1} << 16;

}  // namespace

bool Courier::draws_trace() const { return parts_.trace_file != nullptr; }

std::uint64_t Courier::trace_time() const {
  return static_cast<std::uint64_t>(Trace::nanoseconds(Clock::now()));
}

// ---- what the courier itself has to tell

void Courier::trace(const TraceRecord& record) {
  if (trace_out_.size() >= kMostWaiting || trace_allowance_ < 1) {
    if (record.kind == TraceRecord::Kind::kJob) trace_dropped_ += record.count;
    return;
  }
  trace_allowance_ -= 1;
  trace_out_.push_back(record);
}

// Of the loans only some are shown, so many at a time: a viewer gives each a line.
void Courier::trace_lent(std::uint64_t number, const Job& job, const NodeId& borrower) {
  TracedLoan& loan = traced_loans_[number % traced_loans_.size()];
  if (loan.number != 0) return;
  loan.number = number;
  loan.borrower = borrower;
  loan.record = {.begin = Trace::nanoseconds(now_),
                 .what = job.function == nullptr ? 0 : job.function->id,
                 .job = job.id,
                 .other = brief(borrower),
                 .kind = TraceRecord::Kind::kLoan,
                 .attempt = static_cast<std::uint8_t>(std::min<std::uint32_t>(job.attempt, 255))};
}

void Courier::trace_settled(std::uint64_t number) {
  TracedLoan& loan = traced_loans_[number % traced_loans_.size()];
  if (loan.number != number) return;
  // Not the time of the step, which had begun before the result was sent.
  loan.record.end = Trace::nanoseconds(Clock::now());
  trace(loan.record);
  loan.number = 0;
}

void Courier::trace_returned(std::uint64_t number) {
  TracedLoan& loan = traced_loans_[number % traced_loans_.size()];
  if (loan.number == number) loan.number = 0;
}

void Courier::trace_lost(const NodeId& borrower) {
  for (TracedLoan& loan : traced_loans_) {
    if (loan.number == 0 || loan.borrower != borrower) continue;
    loan.record.end = Trace::nanoseconds(now_);
    loan.record.kind = TraceRecord::Kind::kLost;
    trace(loan.record);
    loan.number = 0;
  }
}

void Courier::trace_asked(PeerRecord& victim) {
  if (!victim.stealing) victim.stealing = now_;
}

void Courier::trace_granted(PeerRecord& victim, std::size_t jobs) {
  if (!victim.stealing || jobs == 0) return;
  trace({.begin = Trace::nanoseconds(*victim.stealing),
         .end = Trace::nanoseconds(Clock::now()),
         .other = brief(victim.link->node),
         .count = static_cast<std::uint32_t>(jobs),
         .kind = TraceRecord::Kind::kSteal});
  victim.stealing.reset();
}

void Courier::trace_transfer(const BlobId& id, Clock::time_point since, const NodeId& giver) {
  trace({.begin = Trace::nanoseconds(since),
         .end = Trace::nanoseconds(Clock::now()),
         .what = id.size,
         .other = brief(giver),
         .kind = TraceRecord::Kind::kTransfer});
}

// ---- collecting

void Courier::look_after_trace(Clock::time_point now) {
  if (!traces()) return;
  const bool due = trace_due_.exchange(false, std::memory_order_relaxed);
  if (now >= trace_looked_ + kAskEvery) {
    trace_looked_ = now;
    if (draws_trace()) {
      ask_for_traces();
    } else if (now >= observed_ + kForgottenAfter) {
      parts_.trace->end();
      observer_.reset();
      trace_out_.clear();
      return;
    }
    gather_trace(now, false);
  } else if (due) {
    gather_trace(now, false);
  }
  if (!trace_out_.empty()) send_trace(false);
}

// From the workers of this node.
void Courier::gather_trace(Clock::time_point now, bool last) {
  const double passed = std::chrono::duration<double>(now - trace_filled_).count();
  trace_allowance_ = std::min(trace_allowance_ + passed * trace_rate_, trace_rate_);
  trace_filled_ = now;
  // What was written down by the end is wanted whatever it is.
  if (last) trace_allowance_ = TraceTrack::kRecords;
  parts_.trace->take([this](const TraceRecord& record) { trace(record); }, last);
  trace_dropped_ += parts_.trace->take_dropped();
}

void Courier::send_trace(bool last) {
  if (draws_trace()) {
    parts_.trace_file->add(transport_->self().node, std::as_bytes(std::span(trace_out_)),
                           std::exchange(trace_dropped_, 0));
    trace_out_.clear();
    return;
  }
  const LinkRecord* link = observer_ ? find_link(*observer_) : nullptr;
  if (link == nullptr || !link->session) return;
  std::size_t sent = 0;
  while (sent < trace_out_.size() && (last || transport_->backlog(*link->session) < kBehind)) {
    const std::size_t count = std::min(kPerMessage, trace_out_.size() - sent);
    messages::Records records;
    records.dropped = std::exchange(trace_dropped_, 0);
    records.records = std::as_bytes(std::span(trace_out_).subspan(sent, count));
    say(*link->session, messages::encode(records));
    sent += count;
  }
  trace_out_.erase(trace_out_.begin(), trace_out_.begin() + static_cast<std::ptrdiff_t>(sent));
}

// The last words: to a driver that leaves, or before this node does.
void Courier::end_trace() {
  if (!traces()) return;
  parts_.trace->end();
  gather_trace(now_, true);
  send_trace(true);
  observer_.reset();
}

// ---- the driver's side

// Also those that it has no session with: they may be busy with the jobs of others.
void Courier::ask_for_traces() {
  const TraceFile::Measure measure = parts_.trace_file->measure(peers_.size() + 1);
  parts_.trace->begin(measure.grain);
  trace_rate_ = measure.records_per_second;
  for (auto& [session, record] : peers_)
    if (!record.resting && !record.left) observe(session, record);
  if (leaving()) return;
  std::vector<NodeId> strangers;
  {
    auto board = board_.lock();
    for (const auto& [node, view] : board->present)
      if (!neighbourhood_.session_of(node)) strangers.push_back(node);
  }
  for (const NodeId& node : strangers) neighbourhood_.connect(node, now_);
}

void Courier::observe(SessionId session, PeerRecord& record) {
  record.used = now_;  // the session is not to be closed
  parts_.trace_file->meet(record.link->node, record.link->name);
  messages::Observe observe;
  observe.grain = static_cast<std::uint64_t>(parts_.trace->grain());
  observe.rate = static_cast<std::uint32_t>(trace_rate_);
  observe.asked = trace_time();
  say(session, messages::encode(observe));
}

void Courier::on(const messages::Records& records) {
  if (!draws_trace()) return;  // it does not know yet that nobody wants them
  PeerRecord& record = *peer(speaker_);
  const NodeId node = record.link->node;
  if (records.asked != 0) {
    // Some thirty years of nanoseconds: no steady clock says more.
    constexpr std::uint64_t kLatest = std::uint64_t{1} << 60;
    if (std::max({records.asked, records.heard, records.said}) > kLatest)
      throw Error("its clock tells a time that no clock tells");
    const bool same = records.clock != 0 && records.clock == parts_.clock;
    const std::size_t answers = parts_.trace_file->tell_clock(
        node, same, static_cast<std::int64_t>(records.asked),
        static_cast<std::int64_t>(records.heard), static_cast<std::int64_t>(records.said),
        static_cast<std::int64_t>(trace_time()));
    if (!same && answers < kFirstAnswers && !record.left) observe(speaker_, record);
  }
  if (!parts_.trace_file->add(node, records.records, records.dropped))
    throw Error("its trace holds what none of ours would write down");
}

// ---- the others' side

void Courier::on(const messages::Observe& observe) {
  messages::Records answer;
  answer.heard = trace_time();
  answer.asked = observe.asked;
  answer.clock = parts_.clock;
  PeerRecord& record = *peer(speaker_);
  if (parts_.trace == nullptr || !reads_answers()) return;
  record.used = now_;
  const NodeId& node = record.link->node;
  const bool driver = record.peer.introduction.driver;
  if (driver && !draws_trace() && !leaving() && !record.left &&
      (!observer_ || *observer_ == node)) {
    if (!observer_) {
      trace_filled_ = trace_looked_ = now_;
      trace_allowance_ = observe.rate;
    }
    observer_ = node;
    observed_ = now_;
    trace_rate_ = observe.rate;
    constexpr std::uint64_t kCoarsest = 3'600'000'000'000;
    parts_.trace->begin(
        std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(observe.grain, kCoarsest))));
  }
  answer.said = trace_time();
  say(speaker_, messages::encode(answer));
}

}  // namespace pp::runtime
