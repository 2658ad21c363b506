// Ring: records for one writer and one reader in memory that the other process can write as well.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pp::transport {

// What lies at the beginning of a ring's memory; its bytes follow. Each word has one process that
// depends on it for its own good, and a line of its own: who spins on one line does not slow down
// who writes another (two lines each, because processors fetch them in pairs).
//
//   0        128      256      384
//   +--------+--------+--------+---------------------------------------------------+
//   | taken  | sleeps | waits  | bytes: ... [length][record ...] [length][rec... 0 |
//   +--------+--------+--------+---------------------------------------------------+
//
// A position counts bytes since the beginning of time; its place is the position modulo the
// capacity. Record and length are multiples of 8 bytes, so a length never lies across the end.
struct RingHeader {
  // Bytes that the reader has copied out. Written by the reader (release), read by the writer
  // (acquire): what lies in front of it may be overwritten.
  alignas(128) std::atomic<std::uint64_t> taken;
  // Not 0: the reader is about to sleep, or does, and wants a bell when there is something. Set by
  // the reader, cleared by whoever rings and by the reader when it is awake.
  alignas(128) std::atomic<std::uint32_t> sleeps;
  // Not 0: the writer found no room and wants a bell when there is some. The reverse of `sleeps`.
  alignas(128) std::atomic<std::uint32_t> waits;
};
static_assert(sizeof(RingHeader) == 384);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

// Of both ends. The bytes of a ring, beside its header.
constexpr std::size_t ring_bytes(std::size_t capacity) { return sizeof(RingHeader) + capacity; }

// How a record becomes visible, and why a process that dies, or stops, at any instruction leaves
// nothing that could block or deceive the other end:
//
//   Invariant: the length at the writer's position is 0.
//   1. The writer writes 0 as the length *behind* the new record.
//   2. It copies the record's bytes.
//   3. It stores the record's length (release); its position moves behind the record.
//
// Up to 3 the reader, who loads that length (acquire), sees 0: there is no half of a record. After
// 3 it sees a whole one, and behind it the 0 of step 1. A reader that dies leaves `taken` where it
// was: the writer finds no room, which is a return value. There is no lock, and neither end ever
// waits for a word to change.
//
// The flag travels with the first bytes of the record, in the same cache line: one transfer between
// the cores for a small record. (With an index beside it there would be two, one after the other.)
//
// Hostile: whoever shares the memory can write anything anywhere at any time. Therefore neither end
// relies on a word there for its own safety: the writer keeps its position and the reader its own
// outside of the memory; a word is loaded once, and held against what it may be, before it is used;
// all copying is within the bytes by construction. A record is copied out once and is, from then
// on, what the copy says. What it says may be anything: that is for a seal to tell.
//
// Sleeping (Dekker, as in Poller): the reader writes `sleeps` and then looks for a record; the
// writer writes a record and then looks at `sleeps`. Each puts a full fence between its store and
// its load, so that at least one of them sees what the other wrote: either the reader finds the
// record, or the writer finds that it must ring. `waits` and `taken` are the same with the roles
// exchanged. Whoever rings clears the word first: one bell for one sleep. If it dies in between,
// its end of the socket closes, which rings too (shared_memory.hpp); if it is stopped there, the
// other end sleeps until something else wakes it, and misses only what a stopped process had to
// say. One that lies about these words can withhold its own bells or cause needless ones.

// REQUIRES: one thread; `memory` outlives it, is 128-aligned, was zero at the beginning, and has
// ring_bytes(capacity) bytes, where the capacity is a power of two.
class RingWriter {
 public:
  explicit RingWriter(std::span<std::byte> memory);

  enum class Put {
    kPut,
    kFull,    // not now
    kBroken,  // `taken` cannot be true: the peer misbehaves
  };
  // Copies the record. REQUIRES: a multiple of 8 bytes, at least 8, at most largest().
  Put put(std::span<const std::byte> record);

  // What fits when the ring is empty.
  std::size_t largest() const { return capacity_ - 2 * sizeof(std::uint64_t); }

  // After kFull, before doing something else: declares that the writer waits. False: there is room
  // for a record of `size` bytes after all, or the peer misbehaves: put() again.
  bool wait_for_room(std::size_t size);
  // Whether there is room for a record of `size` bytes (or put() would say kBroken).
  bool has_room(std::size_t size);

  // After put(): whether the reader sleeps, and has to be rung for. Once for each time it sleeps.
  bool must_ring();

 private:
  bool look();  // at `taken`; false: it cannot be true
  std::size_t room() const { return capacity_ - static_cast<std::size_t>(position_ - taken_); }
  void write(std::uint64_t at, std::span<const std::byte> bytes);
  std::atomic_ref<std::uint64_t> length_at(std::uint64_t position) const;

  RingHeader& header_;
  std::byte* const bytes_;
  const std::size_t capacity_;
  std::uint64_t position_ = 0;
  std::uint64_t taken_ = 0;  // as last seen: it only grows
};

// REQUIRES: as RingWriter, of the same memory.
class RingReader {
 public:
  explicit RingReader(std::span<std::byte> memory);

  enum class Take {
    kTaken,
    kEmpty,
    kBroken,  // a record claims a length that none has: the peer misbehaves
  };
  // Copies the next record to the beginning of `into`; its length is `size`. No record is longer
  // than `into`: one that claims to be breaks the ring. Once broken, it stays so.
  Take take(std::span<std::byte> into, std::size_t& size);

  bool empty() const;

  // Before sleeping. False: there is something; do not.
  bool fall_asleep();
  void awake();

  // After take(): whether the writer waits for room, and has to be rung for.
  bool must_ring();

 private:
  void read(std::uint64_t from, std::span<std::byte> into) const;
  std::atomic_ref<std::uint64_t> length_at(std::uint64_t position) const;

  RingHeader& header_;
  std::byte* const bytes_;
  const std::size_t capacity_;
  std::uint64_t position_ = 0;
};

}  // namespace pp::transport
