// Trace record: one thing that happened on a node, of a fixed size.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <pp/node_id.hpp>
#include <span>
#include <type_traits>

namespace pp::runtime {

// A value. Times are nanoseconds of the steady clock of the node that writes it.
struct TraceRecord {
  enum class Kind : std::uint8_t {
    kNone,
    kJob,       // a worker ran it; several short ones in a row are one record
    kIdle,      // a worker had none
    kWait,      // a job waited for others, and its worker had nothing else to run
    kSteal,     // from the request to the grant, at the thief
    kLoan,      // from the grant to the result, at the owner
    kLost,      // from the grant to the end of the link
    kTransfer,  // of a blob, at the receiver: since it was needed
  };

  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::uint64_t what = 0;   // of a job its function, of a transfer its bytes
  std::uint64_t job = 0;    // the job's id
  std::uint64_t other = 0;  // brief(): the job's owner, the borrower, the victim or the giver; 0:
                            // this node
  std::uint32_t count = 1;  // of jobs
  std::uint16_t worker = 0;
  Kind kind = Kind::kNone;
  std::uint8_t attempt = 0;  // 255: more

  friend bool operator==(const TraceRecord&, const TraceRecord&) = default;
};

// They travel as they lie in memory.
static_assert(sizeof(TraceRecord) == 48 && std::is_trivially_copyable_v<TraceRecord>);
static_assert(std::endian::native == std::endian::little,
              "trace records are little endian on the wire: a big-endian machine has to swap here");

// What is kept of a node's id in a record.
inline std::uint64_t brief(const NodeId& node) {
  std::uint64_t word = 0;
  std::memcpy(&word, node.bytes.data(), sizeof word);
  return word;
}

// The record of this place among many; nothing if it says what none of ours would. REQUIRES: the
// place is within `bytes`.
inline std::optional<TraceRecord> trace_record(std::span<const std::byte> bytes, std::size_t at) {
  TraceRecord record;
  std::memcpy(&record, bytes.data() + at * sizeof record, sizeof record);
  constexpr std::int64_t kLatest = std::int64_t{1} << 62;
  constexpr std::uint16_t kMostWorkers = 1024;
  const bool sound = record.kind > TraceRecord::Kind::kNone &&
                     record.kind <= TraceRecord::Kind::kTransfer && record.begin >= 0 &&
                     record.begin <= record.end && record.end < kLatest &&
                     record.worker < kMostWorkers;
  return sound ? std::optional(record) : std::nullopt;
}

}  // namespace pp::runtime
