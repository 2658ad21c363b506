// Session: a proven connection's life: frames, credit, heartbeats, goodbye. No socket, no clock.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <pp/transport.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "channel.hpp"
#include "handshake.hpp"
#include "pieces.hpp"

namespace pp::transport {

// The two ways between two nodes. With the data on the control connection there is one lane only:
// kControl.
enum class Lane : std::size_t { kControl = 0, kData = 1 };

// Takes the messages of a frame, in order, while the session receives it.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual void on_message(std::span<const std::byte> message) = 0;
  virtual void on_word(std::span<const std::byte> word) = 0;
};

// What a received frame, or the passing of time, says about the session.
enum class SessionVerdict {
  kGood,
  kNotForUs,   // another session's frame: drop it, go on
  kLost,       // frames of the data lane are missing: the session ends, nobody is to blame
  kViolation,  // forged, replayed, malformed, beyond its credit, or missing from the control lane,
               // which is a stream: the session ends, counted as an attack
  kSilent,     // nothing was heard for longer than the dead limit
  kStalled,  // the peer lives, but data frames are not acknowledged for longer than the dead limit
};

// Everything between the seal and the message: what is queued is packed into as few frames as
// possible, a message no frame can hold is cut and put together again, each side holds back when
// the other has not returned credit, and says that it lives when it has nothing else to say.
//
// Credit: a frame with a message in it costs one of the receiver's credit_frames (and its bytes:
// the limit is credit_frames * kMaxFrame). The receiver returns what it has handed over, as a
// running total in each header of the data lane, in a frame of its own when half the window is used
// and nothing goes out anyway. Frames without a message (openings, heartbeats, credit, goodbye)
// cost nothing; the network keeps a slot for one of them.
//
// Silence: an idle session says that it lives once in `keepalive`. Who has received data says
// within `heartbeat` what it has applied; who has sent data and hears nothing for as long asks (and
// asks if it does hear, but not of its data), and after `dead` without any answer the session is
// over. So two nodes that work together notice each other's silence at once, and a thousand idle
// sessions cost next to nothing.
//
// Bulk: what is sent with an enclosure goes by the control lane if that is where the data goes, and
// may do so although the data has a lane of its own, if it is the same network below. It costs no
// credit there: the stream holds it back, and whoever sends it has been asked for it. Other
// messages on that lane take turns with it, frame by frame.
//
// A word rides in a heartbeat: it overtakes data, costs no credit, and nobody knows whether it
// arrived.
//
// With a data lane of its own the session opens when the peer's first frame has arrived on it and
// ours was accepted; before that nothing else is said there.
//
// Pull frame(lane) and, when the network took it, say sent(lane). REQUIRES: one thread; `now` never
// goes back.
class Session {
 public:
  struct Setup {
    Agreement agreement;
    std::uint64_t own_number = 0;
    std::uint32_t credit_frames = 64;  // ours: what the peer may have under way towards us
    std::chrono::milliseconds heartbeat{1000}, dead{3000};
    std::chrono::milliseconds keepalive = heartbeat;  // not shorter than heartbeat
    bool bulk_by_control = false;  // what we send; REQUIRES: the data does not go by memory
  };

  Session(Setup setup, Time now);

  // What frames to the peer carry.
  std::uint64_t peers_number() const { return peers_number_; }
  // Both lanes carry frames in both directions.
  bool open() const { return data_ == Lane::kControl || (opening_heard_ && opening_sent_); }

  // ---- out
  void queue(std::span<const std::byte> message) { outbox_.push(message); }
  void queue(std::span<const std::byte> head, std::shared_ptr<const Enclosure> enclosed) {
    (bulk_by_control_ ? bulk_ : outbox_).push(head, std::move(enclosed));
  }
  std::size_t backlog() const { return outbox_.bytes() + bulk_.bytes(); }
  // False: kMostWords wait already, and this one is dropped. REQUIRES: at most kMaxWord bytes, a
  // multiple of 8.
  bool queue_word(std::span<const std::byte> word);
  // Ends what is said: after what is queued (as far as queue goes) a goodbye, then nothing.
  void say_goodbye(std::string_view why);
  // The next frame for this lane, empty if there is none (now). The same one until sent() is
  // called.
  std::span<const std::byte> frame(Lane lane, Time now);
  void sent(Lane lane, Time now);
  // Whether a sealed frame waits for the network to take it.
  bool stuck(Lane lane) const { return ways_[static_cast<std::size_t>(lane)].waiting != 0; }
  // Gives up what is queued and not yet taken by the network; the goodbye goes out next.
  void forget_queue();
  bool goodbye_sent() const { return goodbye_ == Goodbye::kSent; }

  // ---- in
  // Opens the frame in place and hands its messages over.
  SessionVerdict receive(Lane lane, std::span<std::byte> frame, Time now, MessageSink& sink);
  // The peer has said goodbye and all it had sent before has arrived.
  bool finished() const { return heard_goodbye_ && data_lane().opened() >= peers_last_; }
  bool heard_goodbye() const { return heard_goodbye_; }
  const std::string& goodbye() const { return goodbye_text_; }

  // ---- time
  SessionVerdict tick(Time now) const;
  // Nobody has looked at what the peer says until now: that it did not acknowledge anything in that
  // time is no complaint.
  void stood_still(Time now) {
    if (unacknowledged()) unacknowledged_since_ = now;
  }
  // When frame() or tick() should be looked at again though nothing arrives.
  Time next_due() const;
  // The same for tick() alone: while the network takes nothing there is nothing to say.
  Time verdict_due() const;

  Counters counters() const;
  // What ended it, after any verdict but kGood and kNotForUs.
  const char* why() const { return why_; }

 private:
  enum class Goodbye { kNo, kWanted, kSent };
  // One lane's channel and the frame that waits in it for the network.
  struct Way {
    std::unique_ptr<SealedChannel> channel;
    std::unique_ptr<std::byte[]> buffer;  // a frame, 8-aligned
    std::size_t room = 0;                 // of payload in the buffer
    std::size_t waiting = 0;              // length of the sealed frame in it; 0: none
  };

  SealedChannel& data_lane() const { return *ways_[static_cast<std::size_t>(data_)].channel; }
  Way& way(Lane lane) { return ways_[static_cast<std::size_t>(lane)]; }
  bool has_credit() const;
  bool credit_due() const;
  bool goodbye_due() const;
  bool heartbeat_due(Time now) const { return answer_owed_ || now >= speak_at(); }
  // Data frames of ours that the peer, as far as it has told, has not applied.
  bool unacknowledged() const {
    return data_ == Lane::kData && open() && data_lane().sealed() > acknowledged_;
  }
  bool owes_acknowledgement() const {
    return data_ == Lane::kData && data_lane().opened() > told_acknowledged_;
  }
  Time speak_at() const { return said_ + (owes_acknowledgement() ? heartbeat_ : keepalive_); }
  Time ask_at() const;
  Time silent_at() const;
  std::size_t build_words(std::span<std::byte> payload);
  bool build(Lane lane, Time now, std::span<std::byte> payload, std::size_t& filled);
  std::size_t build_goodbye(std::span<std::byte> payload);
  void seal(Lane lane, std::size_t payload, Time now);
  bool take_credit(Lane lane, const FrameHeader& header, Time now);
  SessionVerdict take_message(std::uint32_t kind, std::span<const std::byte> body,
                              Assembly& assembly, MessageSink& sink);
  SessionVerdict take_pieces(Lane lane, std::span<const std::byte> payload, std::size_t frame_size,
                             MessageSink& sink);
  bool take_goodbye(std::span<const std::byte> piece);
  SessionVerdict violation(const char* why);

  const Lane data_;           // where messages go
  const bool loses_nothing_;  // that way
  const bool bulk_by_control_, bulk_may_come_;
  const std::uint64_t peers_number_;
  std::array<Way, 2> ways_;
  const std::chrono::milliseconds heartbeat_, dead_, keepalive_;

  Outbox outbox_, bulk_;
  bool bulk_had_its_turn_ = false;
  std::deque<std::vector<std::byte>> words_;
  Assembly assembly_, bulk_assembly_;
  bool opening_sent_ = false, opening_heard_ = false;

  // Credit, running totals modulo 2^32 as on the wire; words of 8 bytes.
  const std::uint32_t window_frames_, peers_window_frames_;
  std::uint32_t used_frames_ = 0, used_words_ = 0;          // by us, towards the peer
  std::uint32_t returned_frames_ = 0, returned_words_ = 0;  // by the peer
  std::uint32_t taken_frames_ = 0, taken_words_ = 0;        // from the peer, handed over
  std::uint32_t told_frames_ = 0;                           // of taken_frames_, told to the peer

  std::uint64_t acknowledged_ = 0;  // our data frames the peer has applied
  Time unacknowledged_since_;
  std::uint64_t told_acknowledged_ = 0;  // of the peer's data frames

  Time waiting_since_ = Time::max();  // data was sent, and nothing was heard since
  Time asked_ = Time::min();          // the last kAsk
  bool answer_owed_ = false;          // the peer has asked

  Time heard_, said_;
  Goodbye goodbye_ = Goodbye::kNo;
  std::string goodbye_words_;
  std::uint64_t given_up_ = 0;  // frames sealed that the network never took
  bool heard_goodbye_ = false;
  std::uint64_t peers_last_ = 0;  // data frames the peer has sent before its goodbye
  std::string goodbye_text_;
  const char* why_ = "";

  Counters counters_;
};

}  // namespace pp::transport
