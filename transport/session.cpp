// Session: what goes into a frame, what comes out of one, and when.
#include "session.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace pp::transport {
namespace {

constexpr std::size_t kMaxGoodbye = 256;  // bytes of text
constexpr std::uint32_t kWordsPerFrame = kMaxFrame / 8;
constexpr std::size_t kMostWords = 64;  // that wait
// On a control lane of its own nothing is larger than a word.
constexpr std::size_t kControlRoom = kMaxWord + sizeof(PieceHeader);
static_assert(kControlRoom >= sizeof(PieceHeader) + 8 + kMaxGoodbye && kControlRoom <= kMaxPayload);

std::size_t round_up(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

}  // namespace

Session::Session(Setup setup, Time now)
    : data_(setup.agreement.data == DataChannel::kControl ? Lane::kControl : Lane::kData),
      loses_nothing_(setup.agreement.data != DataChannel::kFabric),
      bulk_by_control_(setup.bulk_by_control),
      bulk_may_come_(setup.agreement.data != DataChannel::kMemory),
      peers_number_(setup.agreement.peer.session),
      heartbeat_(setup.heartbeat),
      dead_(setup.dead),
      keepalive_(std::max(setup.keepalive, setup.heartbeat)),
      bulk_assembly_(kMaxEnclosing),
      window_frames_(setup.credit_frames),
      peers_window_frames_(setup.agreement.peer.credit_frames),
      unacknowledged_since_(now),
      heard_(now),
      said_(now) {
  const Agreement& agreed = setup.agreement;
  const auto make = [&](Lane lane, const Secret& sending, const Secret& receiving) {
    Way& made = way(lane);
    made.channel =
        std::make_unique<SealedChannel>(lane == Lane::kControl ? agreed.cipher : agreed.data_cipher,
                                        sending, receiving, setup.own_number, agreed.peer.session);
    made.room = lane == data_ || bulk_by_control_ ? kMaxPayload : kControlRoom;
    made.buffer = std::make_unique<std::byte[]>(made.room + kFrameOverhead);
  };
  make(Lane::kControl, agreed.control_sending, agreed.control_receiving);
  if (data_ == Lane::kData) make(Lane::kData, agreed.data_sending, agreed.data_receiving);
}

void Session::say_goodbye(std::string_view why) {
  if (goodbye_ != Goodbye::kNo) return;
  goodbye_ = Goodbye::kWanted;
  goodbye_words_ = printable(why, kMaxGoodbye);
}

bool Session::queue_word(std::span<const std::byte> word) {
  assert(word.size() % 8 == 0 && word.size() <= kMaxWord);
  if (goodbye_ != Goodbye::kNo || words_.size() >= kMostWords) return false;
  words_.emplace_back(word.begin(), word.end());
  return true;
}

void Session::forget_queue() {
  outbox_.clear();
  bulk_.clear();
  words_.clear();
  if (data_ == Lane::kData && stuck(Lane::kData)) {
    way(Lane::kData).waiting = 0;
    given_up_ = 1;
  }
}

// The words are checked beside the frames because announced bulk will be counted in them alone.
bool Session::has_credit() const {
  return used_frames_ - returned_frames_ < peers_window_frames_ &&
         std::uint64_t{used_words_ - returned_words_} + kWordsPerFrame <=
             std::uint64_t{peers_window_frames_} * kWordsPerFrame;
}

bool Session::credit_due() const {
  return taken_frames_ - told_frames_ >= std::max<std::uint32_t>(1, window_frames_ / 2);
}

// On a control lane of its own the goodbye must not overtake what it counts.
bool Session::goodbye_due() const {
  return goodbye_ == Goodbye::kWanted && outbox_.empty() && bulk_.empty() &&
         (data_ == Lane::kControl || !stuck(Lane::kData));
}

std::span<const std::byte> Session::frame(Lane lane, Time now) {
  Way& out = way(lane);
  if (out.channel == nullptr) return {};
  if (out.waiting == 0) {
    std::size_t filled = 0;
    const std::span payload(out.buffer.get() + sizeof(FrameHeader), out.room);
    if (!build(lane, now, payload, filled)) return {};
    seal(lane, filled, now);
  }
  return {out.buffer.get(), out.waiting};
}

// Decides what the next frame is and fills it; false: there is nothing to say on this lane.
bool Session::build(Lane lane, Time now, std::span<std::byte> payload, std::size_t& filled) {
  if (goodbye_ == Goodbye::kSent) return false;
  if (lane == Lane::kControl) {
    filled = build_words(payload);
    if (now >= ask_at() && payload.size() - filled >= sizeof(PieceHeader)) {
      const PieceHeader ask{0, PieceHeader::kAsk};
      std::memcpy(payload.data() + filled, &ask, sizeof ask);
      filled += sizeof ask;
      asked_ = now;
    }
    if (filled > 0) return true;
    // Where both go this way they take turns.
    const bool others_turn =
        bulk_had_its_turn_ && lane == data_ && !outbox_.empty() && has_credit();
    if (!bulk_.empty() && open() && !others_turn) {
      filled = bulk_.fill(payload, PieceHeader::kBulk);
      bulk_had_its_turn_ = true;
      return true;
    }
  }
  if (lane == data_) {
    if (lane == Lane::kData && !opening_sent_) return way(lane).channel->sealed() == 0;
    if (open() && !outbox_.empty() && has_credit()) {
      filled = outbox_.fill(payload);
      bulk_had_its_turn_ = false;
      waiting_since_ = std::min(waiting_since_, now);
      ++used_frames_;
      used_words_ += static_cast<std::uint32_t>((filled + kFrameOverhead) / 8);
      return true;
    }
    if (credit_due()) return true;
  }
  if (lane != Lane::kControl) return false;
  if (goodbye_due()) {
    filled = build_goodbye(payload);
    return true;
  }
  return heartbeat_due(now);
}

// As many words as fit.
std::size_t Session::build_words(std::span<std::byte> payload) {
  std::size_t filled = 0;
  while (!words_.empty() &&
         filled + sizeof(PieceHeader) + words_.front().size() <= payload.size()) {
    const std::vector<std::byte>& word = words_.front();
    const PieceHeader piece{static_cast<std::uint32_t>(word.size()), PieceHeader::kWord};
    std::memcpy(payload.data() + filled, &piece, sizeof piece);
    std::copy(word.begin(), word.end(), payload.begin() + static_cast<long>(filled + sizeof piece));
    filled += sizeof piece + word.size();
    ++counters_.words_sent;
    words_.pop_front();
  }
  return filled;
}

std::size_t Session::build_goodbye(std::span<std::byte> payload) {
  const std::uint64_t last = data_lane().sealed() - given_up_;
  PieceHeader piece;
  piece.kind = PieceHeader::kGoodbye;
  piece.length = static_cast<std::uint32_t>(sizeof last + round_up(goodbye_words_.size()));
  std::byte* const out = payload.data();
  std::memset(out, 0, sizeof piece + piece.length);
  std::memcpy(out, &piece, sizeof piece);
  std::memcpy(out + sizeof piece, &last, sizeof last);
  std::memcpy(out + sizeof piece + sizeof last, goodbye_words_.data(), goodbye_words_.size());
  goodbye_ = Goodbye::kSent;
  return sizeof piece + piece.length;
}

void Session::seal(Lane lane, std::size_t payload, Time now) {
  Way& out = way(lane);
  FrameHeader header;
  header.acknowledged = told_acknowledged_ = data_lane().opened();
  if (lane == Lane::kControl) answer_owed_ = false;  // a frame of data may be stuck
  if (lane == data_) {
    header.credit_frames = told_frames_ = taken_frames_;
    header.credit_words = taken_words_;
    if (out.channel->sealed() == acknowledged_) unacknowledged_since_ = now;
  }
  out.waiting = payload + kFrameOverhead;
  out.channel->seal({out.buffer.get(), out.waiting}, header);
}

void Session::sent(Lane lane, Time now) {
  Way& out = way(lane);
  assert(out.waiting != 0);
  ++counters_.frames_sent;
  counters_.bytes_sent += out.waiting;
  if (lane == Lane::kData && !std::exchange(opening_sent_, true)) unacknowledged_since_ = now;
  out.waiting = 0;
  said_ = now;
}

SessionVerdict Session::receive(Lane lane, std::span<std::byte> frame, Time now,
                                MessageSink& sink) {
  if (way(lane).channel == nullptr) return SessionVerdict::kNotForUs;
  FrameHeader header;
  std::span<std::byte> payload;
  switch (way(lane).channel->open(frame, header, payload)) {
    case FrameVerdict::kGood:
      break;
    case FrameVerdict::kMalformed:
      return violation("a frame is malformed");
    case FrameVerdict::kNotForUs:
      return lane == Lane::kData && !loses_nothing_ ? SessionVerdict::kNotForUs
                                                    : violation("a frame names another session");
    case FrameVerdict::kForged:
      return violation("a frame's seal does not fit");
    case FrameVerdict::kReplayed:
      return violation("a frame came twice");
    case FrameVerdict::kGap:
      // Neither a stream nor a ring loses anything by itself: somebody has taken something out.
      if (lane == Lane::kControl) return violation("frames were taken out of the connection");
      if (loses_nothing_) return violation("frames were taken out of the shared memory");
      why_ = "frames were lost on the way";
      return SessionVerdict::kLost;
  }
  heard_ = now;
  waiting_since_ = Time::max();
  ++counters_.frames_received;
  counters_.bytes_received += frame.size();
  if (lane == Lane::kData && !std::exchange(opening_heard_, true)) unacknowledged_since_ = now;
  if (!take_credit(lane, header, now)) return violation("a frame returns credit that was not used");
  return payload.empty() ? SessionVerdict::kGood : take_pieces(lane, payload, frame.size(), sink);
}

bool Session::take_credit(Lane lane, const FrameHeader& header, Time now) {
  if (header.acknowledged > data_lane().sealed()) return false;
  if (header.acknowledged > acknowledged_) {  // the lanes may overtake each other: never back
    acknowledged_ = header.acknowledged;
    unacknowledged_since_ = now;
  }
  if (lane != data_) return true;
  // Modulo 2^32: what is returned lies between what was returned before and what is used.
  if (header.credit_frames - returned_frames_ > used_frames_ - returned_frames_ ||
      header.credit_words - returned_words_ > used_words_ - returned_words_)
    return false;
  returned_frames_ = header.credit_frames;
  returned_words_ = header.credit_words;
  return true;
}

SessionVerdict Session::take_pieces(Lane lane, std::span<const std::byte> payload,
                                    std::size_t frame_size, MessageSink& sink) {
  bool messages = false;
  while (!payload.empty()) {
    PieceHeader piece;
    if (payload.size() < sizeof piece) return violation("a frame ends within a piece");
    std::memcpy(&piece, payload.data(), sizeof piece);
    payload = payload.subspan(sizeof piece);
    if (piece.length > payload.size() || piece.length % 8 != 0)
      return violation("a piece is longer than its frame");
    const std::span body = payload.first(piece.length);
    payload = payload.subspan(piece.length);
    if (piece.kind == PieceHeader::kGoodbye) {
      if (lane != Lane::kControl || !take_goodbye(body)) return violation("a goodbye is malformed");
      continue;
    }
    if (piece.kind == PieceHeader::kWord || piece.kind == PieceHeader::kAsk) {
      if (lane != Lane::kControl || body.size() > kMaxWord ||
          (piece.kind == PieceHeader::kAsk && !body.empty()))
        return violation("a word is malformed");
      if (piece.kind == PieceHeader::kAsk) {
        answer_owed_ = true;
      } else {
        ++counters_.words_received;
        sink.on_word(body);
      }
      continue;
    }
    if ((piece.kind & PieceHeader::kBulk) != 0) {
      if (lane != Lane::kControl || !bulk_may_come_) return violation("bulk came where none goes");
      const std::uint32_t kind = piece.kind & ~std::uint32_t{PieceHeader::kBulk};
      const SessionVerdict verdict = take_message(kind, body, bulk_assembly_, sink);
      if (verdict != SessionVerdict::kGood) return verdict;
      continue;
    }
    if (lane != data_) return violation("a message came on the control lane");
    if (!messages && taken_frames_ - told_frames_ >= window_frames_)
      return violation("a message came without credit");
    messages = true;
    const SessionVerdict verdict = take_message(piece.kind, body, assembly_, sink);
    if (verdict != SessionVerdict::kGood) return verdict;
  }
  if (messages) {
    ++taken_frames_;
    taken_words_ += static_cast<std::uint32_t>(frame_size / 8);
  }
  return SessionVerdict::kGood;
}

SessionVerdict Session::take_message(std::uint32_t kind, std::span<const std::byte> body,
                                     Assembly& assembly, MessageSink& sink) {
  switch (kind) {
    case PieceHeader::kWhole:
      if (assembly.open()) return violation("a message came within another");
      ++counters_.messages_received;
      sink.on_message(body);
      return SessionVerdict::kGood;
    case PieceHeader::kFirst:
    case PieceHeader::kMiddle:
    case PieceHeader::kLast: {
      const Assembly::Step step = assembly.take(kind, body);
      if (step == Assembly::Step::kMalformed)
        return violation("a message is too large or its pieces are out of order");
      if (step == Assembly::Step::kIncomplete) return SessionVerdict::kGood;
      ++counters_.messages_received;
      sink.on_message(assembly.message());
      return SessionVerdict::kGood;
    }
    default:
      return violation("a piece is of an unknown kind");
  }
}

bool Session::take_goodbye(std::span<const std::byte> piece) {
  if (heard_goodbye_ || piece.size() < sizeof peers_last_ ||
      piece.size() > sizeof peers_last_ + kMaxGoodbye)
    return false;
  std::memcpy(&peers_last_, piece.data(), sizeof peers_last_);
  const auto* text = reinterpret_cast<const char*>(piece.data() + sizeof peers_last_);
  const std::size_t size = piece.size() - sizeof peers_last_;
  goodbye_text_ =
      printable({text, static_cast<std::size_t>(std::find(text, text + size, '\0') - text)});
  heard_goodbye_ = true;
  return true;
}

SessionVerdict Session::violation(const char* why) {
  why_ = why;
  ++counters_.violations;
  return SessionVerdict::kViolation;
}

Time Session::ask_at() const {
  Time ask = Time::max();
  if (waiting_since_ != Time::max()) ask = std::max(waiting_since_, asked_) + heartbeat_;
  // A peer that has got our data says so within `heartbeat`; whether it has, or only lives, is
  // asked after twice as long.
  if (unacknowledged())
    ask = std::min(ask, std::max(unacknowledged_since_ + heartbeat_, asked_) + heartbeat_);
  return ask;
}

Time Session::silent_at() const {
  const Time idle = heard_ + keepalive_ + (dead_ - heartbeat_);
  return waiting_since_ == Time::max() ? idle : std::min(idle, waiting_since_ + dead_);
}

SessionVerdict Session::tick(Time now) const {
  if (now >= silent_at()) return SessionVerdict::kSilent;
  // Only what a later heartbeat still does not acknowledge: a peer that says nothing is silent, not
  // stalled.
  if (unacknowledged() && now >= unacknowledged_since_ + dead_ &&
      heard_ > unacknowledged_since_ + heartbeat_)
    return SessionVerdict::kStalled;
  return SessionVerdict::kGood;
}

Time Session::verdict_due() const {
  if (goodbye_ != Goodbye::kSent && unacknowledged() && heard_ > unacknowledged_since_ + heartbeat_)
    return std::min(silent_at(), unacknowledged_since_ + dead_);
  return silent_at();
}

Time Session::next_due() const {
  if (goodbye_ == Goodbye::kSent) return silent_at();  // nothing more is said
  return std::min({speak_at(), ask_at(), verdict_due()});
}

Counters Session::counters() const {
  Counters counters = counters_;
  counters.messages_sent = outbox_.messages_moved() + bulk_.messages_moved();
  return counters;
}

}  // namespace pp::transport
