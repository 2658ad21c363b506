// What nodes say to each other, as values; messages.capnp has the protocol. The only door to Cap'n
// Proto in this room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <pp/blob.hpp>
#include <pp/codec.hpp>
#include <pp/errors.hpp>
#include <pp/node_id.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tally.hpp"

namespace pp::runtime::messages {

struct Steal {
  std::uint32_t workers = 0;
  std::uint32_t idle = 0;
  std::uint32_t wants = 0;  // so many jobs last it until more could come
};

struct NamedBlob {
  BlobId id;
  Luggage::Place place = Luggage::kMentioned;
};

struct LentJob {
  std::uint64_t number = 0;
  std::uint32_t attempt = 1;
  std::uint64_t function = 0;
  std::span<const std::byte> arguments;   // of the message, or of the sender; up to 1 GiB and more
  std::uint64_t id = 0;                   // the job's own, the same in every attempt
  std::uint64_t timeout_nanoseconds = 0;  // of execution; 0: none
  std::uint8_t priority = 1;              // 0 high, 1 normal, 2 low
  bool once = false;                      // begin it only while this link stands
  bool placed = false;                    // it stays with this borrower
  std::string_view label = {};            // of the message, or of the sender
  std::vector<NamedBlob> blobs = {};      // that belong to the arguments
};

struct Grant {
  std::vector<LentJob> jobs;
  std::uint32_t queued = 0;
  bool unasked = false;  // it answers no request
};
struct Redirect {
  NodeId owner;
  std::uint32_t queued = 0;
  bool waits = false;  // the request stays, as with None
};
struct None {
  std::uint32_t queued = 0;
};

enum class Reason : std::uint8_t {
  kWanted,
  kLeaving,
  kUnknownFunction,
  kCancelled,
  kIneligible,
  kFull,
  kMissing,
};
std::string_view to_string(Reason reason);

struct Returned {
  std::uint64_t number = 0;
  bool begun = false;
  Reason reason{};
};

// Apart: few results are failures, and the others need not be as large.
class Failed {
 public:
  Failed(Failure failure) : failure_(std::make_shared<const Failure>(std::move(failure))) {}
  const Failure& operator*() const { return *failure_; }

 private:
  std::shared_ptr<const Failure> failure_;
};

struct Result {
  std::uint64_t number = 0;
  std::variant<std::span<const std::byte>, Failed> outcome;
  std::vector<NamedBlob> blobs = {};  // that belong to the value
};

struct Want {
  BlobId id;
  std::uint64_t at = 0;
  std::uint32_t length = 0;
  bool insist = false;
};
struct Piece {
  BlobId id;
  std::uint64_t at = 0;
  std::span<const std::byte> bytes;  // of the message, or of the sender
};
struct Instead {
  BlobId id;
  NodeId node;
};

struct Load {
  std::uint32_t queued = 0;
  std::uint32_t idle = 0;
  std::uint64_t jobs = 0;
  std::uint64_t nanoseconds = 0;
  std::uint64_t stolen = 0;
  std::uint64_t ask = 0;
  std::uint64_t answers = 0;
  std::uint32_t workers = 0;
  std::uint64_t lent = 0;
  std::uint64_t memory = 0;
  std::vector<FunctionFigures> functions{};

  // Whether it would be news after `other`.
  bool says_more_than(Load other) const {
    other.memory = memory;
    return *this != other;
  }
  friend bool operator==(const Load&, const Load&) = default;
};

// Times are nanoseconds of the speaker's clock, but for `asked`, which is the driver's.
struct Observe {
  std::uint64_t asked = 0;
  std::uint64_t grain = 0;
  std::uint32_t rate = 0;  // records a second
};
struct Records {
  std::uint64_t asked = 0;  // 0: no answer
  std::uint64_t heard = 0;
  std::uint64_t said = 0;
  std::uint64_t clock = 0;
  std::uint64_t dropped = 0;
  std::span<const std::byte> records = {};  // of the message, or of the sender
};

struct Attach {
  std::uint64_t mine = 0;
  std::uint64_t yours = 0;
  std::uint64_t applied = 0;
};

// In front of every message; what is encoded below has one of zeros.
struct Header {
  std::uint64_t sequence = 0;
  std::uint64_t applied = 0;
};
inline constexpr std::size_t kHeaderBytes = 16;

// One message, whole. Each function throws nothing but std::bad_alloc.
using Encoded = std::vector<std::byte>;
Encoded encode(const Steal& steal);
Encoded encode(const Grant& grant);
Encoded encode(const Redirect& redirect);
Encoded encode(const None& none);
Encoded encode(std::span<const Returned> returned);
Encoded encode(std::span<const Result> results);
Encoded encode(const Load& load);
Encoded encode_leave(std::string_view why);
Encoded encode_understood();
Encoded encode_cancel(std::span<const std::uint64_t> numbers);
Encoded encode(const Attach& attach);
Encoded encode_begun(std::span<const std::uint64_t> numbers);
Encoded encode(std::span<const Want> wants);
Encoded encode(const Piece& piece);
// The same up to the bytes: those, and zeros up to a multiple of 8, are to follow. `front`: of them
// so much is there already, in front of piece.bytes.
Encoded encode_head(const Piece& piece, std::span<const std::byte> front = {});
Encoded encode_not_here(const BlobId& id);
Encoded encode(const Instead& instead);
Encoded encode_taken(std::span<const std::uint64_t> numbers);
Encoded encode(const Observe& observe);
Encoded encode(const Records& records);
// A header and nothing else.
Encoded encode_acknowledgement();

void set_header(Encoded& message, const Header& header);
// Throws pp::Error when there is none.
Header header_of(std::span<const std::byte> message);

// Told what a message says; what it is handed is gone after the call.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on(const Steal& steal) = 0;
  virtual void on(const Grant& grant) = 0;
  virtual void on(const Redirect& redirect) = 0;
  virtual void on(const None& none) = 0;
  virtual void on(std::span<const Returned> returned) = 0;
  virtual void on(std::span<const Result> results) = 0;
  virtual void on(const Load& load) = 0;
  virtual void on_leave(std::string_view why) = 0;
  virtual void on_understood() = 0;
  virtual void on_cancel(std::span<const std::uint64_t> numbers) = 0;
  virtual void on(const Attach& attach) = 0;
  virtual void on_begun(std::span<const std::uint64_t> numbers) = 0;
  virtual void on(std::span<const Want> wants) = 0;
  virtual void on(const Piece& piece) = 0;
  virtual void on_not_here(const BlobId& id) = 0;
  virtual void on(const Instead& instead) = 0;
  virtual void on_taken(std::span<const std::uint64_t> numbers) = 0;
  virtual void on(const Observe& observe) = 0;
  virtual void on(const Records& records) = 0;
};

// Tells what follows the header, if anything does. Throws pp::Error when the bytes are no message
// of ours; nothing has been told then. Never reads or allocates beyond what arrived.
void decode(std::span<const std::byte> message, Listener& listener);

}  // namespace pp::runtime::messages
