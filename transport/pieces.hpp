// Outbox and Assembly: whole messages on both sides, pieces that fit a frame between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <pp/transport.hpp>
#include <span>
#include <vector>

namespace pp::transport {

// In front of each piece in a frame's payload; little endian like the frame's header.
struct PieceHeader {
  enum Kind : std::uint32_t {
    kWhole = 1,  // a message that fits the frame: never cut, so that it is read where it lies
    kFirst = 2,  // the beginning of one that no frame can hold
    kMiddle = 3,
    kLast = 4,
    kGoodbye = 5,  // the session's end: GoodbyeHeader and a text (session.hpp); never in pieces
    kWord = 6,     // rides in a heartbeat: whole, on the control lane, not counted, not kept
    kAsk = 7,      // empty: answer with a heartbeat at once
    // Beside kWhole to kLast: of a message that was sent as bulk, by the control lane.
    kBulk = 16,
  };
  std::uint32_t length = 0;  // of the piece without this header, a multiple of 8
  std::uint32_t kind = 0;
};
static_assert(sizeof(PieceHeader) == 8);

// Messages waiting for room in a frame. One block of memory that grows with the backlog and shrinks
// when it is gone; no allocation per message.
class Outbox {
 public:
  // REQUIRES: a multiple of 8 bytes, at most kMaxMessage.
  void push(std::span<const std::byte> message);
  // `head`, `enclosed` and zeros up to a multiple of 8, at most kMaxEnclosing in all.
  void push(std::span<const std::byte> head, std::shared_ptr<const Enclosure> enclosed);
  // Moves as much as fits into `payload` and returns how much that was: 0 only if there is nothing.
  // `mark` is set in each piece's kind. REQUIRES: payload.size() is a multiple of 8 and the same
  // full frame each time.
  std::size_t fill(std::span<std::byte> payload, std::uint32_t mark = 0);

  void clear();
  bool empty() const { return head_ == bytes_.size(); }
  std::size_t bytes() const { return bytes_.size() - head_ + enclosed_bytes_; }
  // Whole messages that fill() has moved completely so far.
  std::uint64_t messages_moved() const { return moved_; }

 private:
  struct Entry {
    std::uint32_t here = 0;      // bytes of the message that follow
    std::uint32_t enclosed = 0;  // bytes behind them, in one of enclosures_; 0: it has none
  };
  static_assert(sizeof(Entry) == 8 && kMaxMessage < (std::uint64_t{1} << 32));

  void copy(const Entry& entry, std::span<std::byte> to) const;
  void drop_first(const Entry& entry);
  void tidy();

  std::vector<std::byte> bytes_;  // [Entry][message, up to a multiple of 8] ... from head_ on
  std::size_t head_ = 0;
  std::size_t done_ = 0;  // of the first message: bytes already moved
  std::deque<std::shared_ptr<const Enclosure>> enclosures_;  // of those messages that have one
  std::size_t enclosed_bytes_ = 0;
  std::uint64_t moved_ = 0;
};

// Puts pieces together again. Its memory grows with what arrived, never with what was promised.
class Assembly {
 public:
  enum class Step { kIncomplete, kComplete, kMalformed };

  // No message grows larger than `limit`.
  explicit Assembly(std::size_t limit = kMaxMessage) : limit_(limit) {}

  // Takes a piece of kind kFirst, kMiddle or kLast. After kComplete, message() is valid until
  // take() is called again.
  Step take(std::uint32_t kind, std::span<const std::byte> piece);
  std::span<const std::byte> message() const { return {bytes_.get(), size_}; }
  // Whether a message has begun and not ended: no kWhole may come now.
  bool open() const { return open_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  bool make_room(std::size_t size);

  const std::size_t limit_;
  // Not a vector: the system moves the pages of a large block when it grows, which costs next to
  // nothing beside copying them and touching new ones.
  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t size_ = 0, room_ = 0;
  bool open_ = false;
};

}  // namespace pp::transport
