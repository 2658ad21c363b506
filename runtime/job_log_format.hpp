// Job log format: the bytes of a job log, written and checked. It opens no file.
//
// A file is a header and records:
//   header    magic 8, version 4, zero 4, function table 8, seed 8, id 8, build 80, chain 8
//   record    length of the body 4, guard 4, body, chain 8
// Bodies begin with their kind, a byte:
//   batch     number 4, function 8, signature 8, elements 8, input 16, seed 8, name 8 + n
//   elements  batch 4, first 8, last 8, holes 8 + 16 each, values to the end
//
// All numbers are little-endian. A record's chain is a hash of the chain before it, its length and
// its body, so that no record can be missing, exchanged or left over from an older file; its guard
// is the complement of the length, mixed with the chain before it, so that a length can be believed
// before what it announces is there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <pp/codec.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace pp::runtime::job_log {

using Digest = std::array<std::uint8_t, 16>;

// A hash of bytes that come one after the other.
class Hasher {
 public:
  Hasher();
  void add(std::span<const std::byte> bytes);
  Digest digest() const;

 private:
  // libsodium's state, which wants this alignment; the .cpp holds the sizes against each other.
  alignas(64) std::array<std::byte, 384> state_;
};

// Whose log it is.
struct Header {
  std::uint64_t functions = 0;  // the function table's fingerprint
  std::uint64_t seed = 0;       // Options::seed
  std::uint64_t id = 0;         // drawn for this file
  std::string build;            // compared by its first kBuildSize bytes
};
inline constexpr std::size_t kHeaderSize = 128;
inline constexpr std::size_t kBuildSize = 80;

// What is written at the beginning; `chain` becomes what the first record hangs on.
codec::Bytes encode_header(const Header& header, std::uint64_t& chain);

// How the beginning of a file may look.
enum class Beginning : std::uint8_t {
  kHeader,      // a header that is whole
  kUnfinished,  // nothing, or the first bytes of a header: whoever wrote it has recorded nothing
  kForeign,     // no job log
  kOther,       // one of another version of the format
  kDamaged,     // the header of a job log, with a checksum that does not fit
};
// `file` holds the first kHeaderSize bytes, or all that there are.
Beginning decode_header(std::span<const std::byte> file, Header& header, std::uint64_t& chain);

// One map, parallel_for or reduction as it was started.
struct Batch {
  std::uint32_t number = 0;  // counted from 0, in the order of the program
  std::uint64_t function = 0;
  std::uint64_t signature = 0;
  std::uint64_t elements = 0;
  Digest input{};          // of the elements and the arguments that all calls share
  std::uint64_t seed = 0;  // from which the elements' identities follow
  std::string name;        // of the function, for people
};

// Consecutive elements that are done, but for the holes. A value.
struct Elements {
  using Range = std::pair<std::uint64_t, std::uint64_t>;  // first, last

  std::uint32_t batch = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::vector<Range> holes;           // within, ascending, not empty; what failed
  std::span<const std::byte> values;  // of all of them, holes too
};

inline constexpr std::size_t kBeforeBody = 8;
inline constexpr std::size_t kBehindBody = 8;
// A body must not be longer.
inline constexpr std::size_t kMostBody = std::size_t{1} << 31;
// What an Elements without values needs of kMostBody, less the holes.
inline constexpr std::size_t kElementsHead = 1 + 4 + 8 + 8 + 8;

// Appends a record to `out`: whole but for what seal() writes.
void append(codec::Bytes& out, const Batch& batch);
void append(codec::Bytes& out, const Elements& elements);
// The length of an appended record with all that belongs to it. REQUIRES: one begins there.
std::size_t record_size(std::span<const std::byte> records);
// Writes guard and chain of one appended record.
void seal(std::span<std::byte> record, std::uint64_t& chain);

// The length of the body that a record's first kBeforeBody bytes announce; nothing if they do not.
std::optional<std::size_t> body_size(std::span<const std::byte> head, std::uint64_t chain);
// Whether a whole record is what was written; if so, moves `chain` on.
bool accept(std::span<const std::byte> record, std::uint64_t& chain);

enum class Kind : std::uint8_t { kBatch = 1, kElements = 2 };
// Of an accepted record's body, which is not empty.
std::optional<Kind> kind_of(std::span<const std::byte> body);
// These throw pp::Error for what append() did not make. `values` points into `body`.
Batch decode_batch(std::span<const std::byte> body);
Elements decode_elements(std::span<const std::byte> body);

}  // namespace pp::runtime::job_log
