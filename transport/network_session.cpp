// What peers exchange: frames on the control connection and the data lanes, and how sessions end.
#include <algorithm>
#include <utility>

#include "network.hpp"

namespace pp::transport {
namespace {

constexpr std::chrono::milliseconds kLinger{500};  // for the last words, ours or theirs, to arrive
constexpr std::size_t kMaxUnsent = 8 * kMaxFrame;  // sealed and waiting for the kernel, per session
// Bytes of one connection that are read, about, before others have their turn.
constexpr std::size_t kReadPerPoll = std::size_t{256} * 1024;
constexpr int kDrainRounds = 64;
constexpr std::size_t kMostEarlyWords = 8;  // that wait for their session to open
constexpr std::size_t kMaxFailures = 4096;  // nodes remembered

}  // namespace

// ---- in

void NetworkTransport::on_frame(std::span<std::byte> frame) {
  Conversation* const c =
      frame.size() < kFrameOverhead ? nullptr : find_number(read_header(frame).session);
  if (c == nullptr || !c->carries()) {
    ++strays_;  // a word late for a session that is over, or a stranger at the open port
    return;
  }
  take(*c, Lane::kData, frame);
}

void NetworkTransport::on_send_failed(FabricPeer peer, std::string_view why) {
  for (const auto& c : conversations_) {
    if (c == nullptr || c->fabric_peer != peer) continue;
    c->fabric_error = why;
    endings_.push_back(c.get());
  }
}

void NetworkTransport::on_message(std::span<const std::byte> message) {
  Conversation& c = *receiving_;
  if (c.stage != Stage::kUp) return;  // hung up by the handler of an earlier message
  ++handled_;
  handler_->on_message(c.id, message);
}

// On the control connection a peer's first word may overtake the first frame of the fabric's lane.
void NetworkTransport::on_word(std::span<const std::byte> word) {
  Conversation& c = *receiving_;
  if (c.stage == Stage::kOpening) {
    if (c.early_words.size() < kMostEarlyWords)
      c.early_words.emplace_back(word.begin(), word.end());
    return;
  }
  if (c.stage != Stage::kUp) return;
  ++handled_;
  handler_->on_word(c.id, word);
}

void NetworkTransport::announce(Conversation& c) {
  c.stage = Stage::kUp;
  c.deadline = Time::max();
  ++counters_.sessions_up;
  ++handled_;
  handler_->on_up(c.id, c.peer);
  for (const auto& word : std::exchange(c.early_words, {})) {
    if (c.stage == Stage::kUp) handler_->on_word(c.id, word);
  }
}

// `last`: writing has failed; what can still be read is read, then the connection is over.
void NetworkTransport::take_control(Conversation& c, bool last) {
  bool closed = last;
  for (std::size_t read = 0; read < kReadPerPoll && !c.ended;) {
    bool drained = false;
    const Connection::Flow flow = c.connection->fill(drained);
    if (flow == Connection::Flow::kBlocked) break;
    if (flow == Connection::Flow::kClosed) {
      closed = true;
      break;
    }
    read += c.connection->input().size();
    take_control_frames(c);
    if (!c.carries()) return;
    if (drained && !last) break;
  }
  if (!closed || c.ended) return;
  c.ended = true;
  poller_.remove(c.connection->fd());
  endings_.push_back(&c);
}

void NetworkTransport::take_control_frames(Conversation& c) {
  while (c.carries()) {
    const std::span<std::byte> input = c.connection->input();
    if (input.size() < sizeof(FrameHeader)) return;
    const FrameHeader header = read_header(input);
    // A length that no frame has is for the session to judge; it judges by what is there.
    const bool sound = header.magic == FrameHeader::kMagic && is_frame_length(header.length);
    if (sound && input.size() < header.length) return;
    const std::size_t length = sound ? header.length : input.size();
    c.connection->take(length);
    if (!take(c, Lane::kControl, input.first(length))) return;
  }
}

// False: the session is over.
bool NetworkTransport::take(Conversation& c, Lane lane, std::span<std::byte> frame) {
  Conversation* const outer = std::exchange(receiving_, &c);
  const SessionVerdict verdict = c.session->receive(lane, frame, now_, *this);
  receiving_ = outer;
  switch (verdict) {
    case SessionVerdict::kGood:
      ++handled_;
      touch(c);
      if (c.stage == Stage::kOpening && c.session->open()) announce(c);
      if (c.session->heard_goodbye() && c.deadline == Time::max()) {
        c.deadline = now_ + kLinger;
        due(c.deadline);
        endings_.push_back(&c);
      }
      return true;
    case SessionVerdict::kNotForUs:
      ++strays_;
      return true;
    case SessionVerdict::kLost:
      lane_failed(c, c.session->why());
      return false;
    case SessionVerdict::kViolation:
      end(c, DownReason::kViolation, c.session->why());
      return false;
    case SessionVerdict::kSilent:
    case SessionVerdict::kStalled:
      break;  // only time says these
  }
  return true;
}

// ---- out

void NetworkTransport::touch(Conversation& c) {
  if (c.dirty) return;
  c.dirty = true;
  dirty_.push_back(&c);
}

void NetworkTransport::flush_dirty() {
  for (std::size_t i = 0; i < dirty_.size(); ++i) {  // a handler may add to it
    Conversation& c = *dirty_[i];
    c.dirty = false;
    if (c.carries() && !c.abandoned) flush(c);
  }
  dirty_.clear();
}

void NetworkTransport::flush(Conversation& c) {
  if (c.fabric_peer) flush_fabric(c);
  if (c.memory) flush_memory(c);
  if (c.carries() && !c.ended) flush_control(c);
  // What was heard or said may call for an answer or a question much sooner than silence does.
  if (c.carries()) due(session_due(c));
}

// A control connection that takes nothing will wake us when it does.
Time NetworkTransport::session_due(const Conversation& c) {
  return c.writable_wanted ? c.session->verdict_due() : c.session->next_due();
}

void NetworkTransport::flush_fabric(Conversation& c) {
  for (;;) {
    const std::span<const std::byte> frame = c.session->frame(Lane::kData, now_);
    if (frame.empty()) return;
    switch (fabric_->send(*c.fabric_peer, frame)) {
      case Fabric::Sent::kSent:
        c.session->sent(Lane::kData, now_);
        if (c.stage == Stage::kOpening && c.session->open()) announce(c);
        break;
      case Fabric::Sent::kAgain:
        stuck_.push_back(&c);
        return;
      case Fabric::Sent::kGone:
        lane_failed(c, "the fabric has given the peer up");
        return;
    }
  }
}

void NetworkTransport::flush_control(Conversation& c) {
  Connection& connection = *c.connection;
  for (;;) {
    bool more = true;  // as long as nobody was asked: so much may be unsent from the last time
    while (connection.unsent() < kMaxUnsent) {
      const std::span<const std::byte> frame = c.session->frame(Lane::kControl, now_);
      more = !frame.empty();
      if (!more) break;
      connection.put(frame);
      c.session->sent(Lane::kControl, now_);
    }
    switch (connection.flush()) {
      case Connection::Flow::kMoved:
        if (more) continue;
        watch(c, false);
        break;
      case Connection::Flow::kBlocked:
        watch(c, true);
        return;
      case Connection::Flow::kClosed:
        take_control(c, true);
        return;
    }
    if (c.session->goodbye_sent() && !c.finished_writing) {
      c.finished_writing = true;
      connection.finish();
    }
    return;
  }
}

// ---- the end

// Those whose control connection or fabric has ended, or who have said goodbye.
void NetworkTransport::settle_ended() {
  for (Conversation* const c : std::exchange(endings_, {}))
    if (c->stage != Stage::kOver && !settle(*c)) endings_.push_back(c);
}

// False: look again in the next poll().
bool NetworkTransport::settle(Conversation& c) {
  if (!c.fabric_error.empty()) {
    lane_failed(c, std::exchange(c.fabric_error, {}));
    return true;
  }
  if (c.stage == Stage::kLeaving) {
    if (c.ended) end(c, DownReason::kHungUp, c.hang_up_why);
    return true;
  }
  if (c.session->heard_goodbye() && c.stage == Stage::kUp) {
    if (!c.session->finished() && now_ < c.deadline) return false;
    end(c, DownReason::kGoodbye, c.session->goodbye());
    return true;
  }
  if (!c.ended) return true;
  // Killed: what it had sent before may still lie in the fabric, which was last asked before or
  // just now, or in the shared memory.
  for (int round = 0; fabric_ != nullptr && round < kDrainRounds; ++round)
    if (fabric_->poll(*this) == 0) break;
  for (int round = 0; c.memory != nullptr && round < kDrainRounds; ++round)
    if (take_memory(c) == 0) break;
  if (c.stage != Stage::kOver)
    end(c, DownReason::kClosed, "the control connection ended without a goodbye");
  return true;
}

void NetworkTransport::tick(Conversation& c) {
  if (c.abandoned) return end(c, DownReason::kHungUp, c.hang_up_why);
  flush(c);  // a heartbeat may be due
  if (!c.carries()) return;
  if (now_ >= c.bell_ended_at)
    return lane_failed(c, "the peer closed its end of the shared memory, and goes on living");
  SessionVerdict verdict = c.session->tick(now_);
  if (verdict == SessionVerdict::kSilent && c.stage != Stage::kLeaving && !c.ended) {
    // This process may have been stopped between its last look at the sockets and now: what came
    // meanwhile, the connection's end above all, is heard before anybody is judged by the clock.
    take_control(c);
    if (!c.carries()) return;
    if (c.ended) return due(now_);  // the next poll() tells how
    verdict = c.session->tick(now_);
  }
  if (c.stage == Stage::kLeaving) {
    if (c.deadline == Time::min()) {
      c.deadline = now_ + kLinger;
    } else if (now_ >= c.deadline || verdict != SessionVerdict::kGood) {
      c.session->forget_queue();
      flush(c);
      if (c.stage == Stage::kLeaving) end(c, DownReason::kHungUp, c.hang_up_why);
    }
  } else if (verdict == SessionVerdict::kSilent) {
    end(c, DownReason::kSilent,
        "nothing was heard for " + std::to_string(options_.limits.dead.count()) + " ms");
  } else if (verdict == SessionVerdict::kStalled) {
    lane_failed(c, "data is not acknowledged though the peer lives");
  } else if (c.stage == Stage::kOpening && now_ >= c.deadline) {
    lane_failed(c, "the data channel did not open within " +
                       std::to_string(options_.limits.fabric.count()) +
                       " ms; the next session does without");
  }
}

void NetworkTransport::lane_failed(Conversation& c, std::string_view why) {
  auto& lane = c.data == DataChannel::kMemory ? memory_failures_ : fabric_failures_;
  if (lane.size() >= kMaxFailures) lane.clear();
  int& failures = lane[c.peer.introduction.node];
  failures += c.stage == Stage::kOpening ? kLaneChances : 1;  // what never opened will not
  end(c, DownReason::kFabric, why);
}

void NetworkTransport::end(Conversation& c, DownReason reason, std::string_view why) {
  const std::string words(why);  // may belong to what is dropped now
  const Stage stage = c.stage;
  if (stage == Stage::kOpening) {
    // Nobody was told of it; but who dialled waits for an answer.
    if (!c.dialled) {
      drop(c);
    } else if (reason == DownReason::kReplaced) {
      report_refusal(c, {RefusalReason::kDuplicate, words}, true);
      drop(c);
    } else {
      dial_failed(c, DialFailure::kUnreachable, words);
    }
    return;
  }
  const SessionId id = c.id;
  drop(c);
  ++counters_.sessions_down;
  ++handled_;
  handler_->on_down(id, stage == Stage::kLeaving ? DownReason::kHungUp : reason, words);
}

}  // namespace pp::transport
