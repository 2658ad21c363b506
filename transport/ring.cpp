// Ring's two ends.
#include "ring.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace pp::transport {
namespace {

constexpr std::size_t kLength = sizeof(std::uint64_t);

RingHeader& header_of(std::span<std::byte> memory) {
  assert(memory.size() > sizeof(RingHeader) + 2 * kLength);
  assert(reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(RingHeader) == 0);
  return *reinterpret_cast<RingHeader*>(memory.data());
}

std::atomic_ref<std::uint64_t> word_at(std::byte* place) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(place));
}

// Whether the other end has declared that it wants a bell; it has then been promised. The fence
// stands between what was stored before (a record, `taken`) and the look at the flag; it pairs with
// the one between the flag and the look at that in fall_asleep() and wait_for_room(). No data are
// published by the flag itself: relaxed.
bool wanted(std::atomic<std::uint32_t>& flag) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (flag.load(std::memory_order_relaxed) == 0) return false;
  return flag.exchange(0, std::memory_order_relaxed) != 0;
}

}  // namespace

// ---- the writer

RingWriter::RingWriter(std::span<std::byte> memory)
    : header_(header_of(memory)),
      bytes_(memory.data() + sizeof(RingHeader)),
      capacity_(memory.size() - sizeof(RingHeader)) {
  assert(std::has_single_bit(capacity_));
}

std::atomic_ref<std::uint64_t> RingWriter::length_at(std::uint64_t position) const {
  return word_at(bytes_ + (position & (capacity_ - 1)));
}

void RingWriter::write(std::uint64_t at, std::span<const std::byte> bytes) {
  const std::size_t place = at & (capacity_ - 1);
  const std::size_t first = std::min(bytes.size(), capacity_ - place);
  std::memcpy(bytes_ + place, bytes.data(), first);
  if (first < bytes.size()) std::memcpy(bytes_, bytes.data() + first, bytes.size() - first);
}

// Acquire: pairs with the release in take(), after which the reader looks no more at what lies in
// front of it.
bool RingWriter::look() {
  const std::uint64_t taken = header_.taken.load(std::memory_order_acquire);
  // Modulo 2^64: between what was seen before and what was written.
  if (taken - taken_ > position_ - taken_ || taken % kLength != 0) return false;
  taken_ = taken;
  return true;
}

RingWriter::Put RingWriter::put(std::span<const std::byte> record) {
  assert(record.size() % kLength == 0 && !record.empty() && record.size() <= largest());
  // The length, the record, and the length behind it.
  const std::size_t needed = record.size() + 2 * kLength;
  if (room() < needed) {
    if (!look()) return Put::kBroken;
    if (room() < needed) return Put::kFull;
  }
  length_at(position_ + kLength + record.size()).store(0, std::memory_order_relaxed);
  write(position_ + kLength, record);
  // Release: pairs with the acquire in take(); publishes the record and the 0 behind it.
  length_at(position_).store(record.size(), std::memory_order_release);
  position_ += kLength + record.size();
  return Put::kPut;
}

bool RingWriter::has_room(std::size_t size) {
  return room() >= size + 2 * kLength || !look() || room() >= size + 2 * kLength;
}

bool RingWriter::wait_for_room(std::size_t size) {
  header_.waits.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in must_ring()
  return !has_room(size);
}

bool RingWriter::must_ring() { return wanted(header_.sleeps); }

// ---- the reader

RingReader::RingReader(std::span<std::byte> memory)
    : header_(header_of(memory)),
      bytes_(memory.data() + sizeof(RingHeader)),
      capacity_(memory.size() - sizeof(RingHeader)) {
  assert(std::has_single_bit(capacity_));
}

std::atomic_ref<std::uint64_t> RingReader::length_at(std::uint64_t position) const {
  return word_at(bytes_ + (position & (capacity_ - 1)));
}

void RingReader::read(std::uint64_t from, std::span<std::byte> into) const {
  const std::size_t place = from & (capacity_ - 1);
  const std::size_t first = std::min(into.size(), capacity_ - place);
  std::memcpy(into.data(), bytes_ + place, first);
  if (first < into.size()) std::memcpy(into.data() + first, bytes_, into.size() - first);
}

RingReader::Take RingReader::take(std::span<std::byte> into, std::size_t& size) {
  // Acquire: pairs with the release in put().
  const std::uint64_t length = length_at(position_).load(std::memory_order_acquire);
  if (length == 0) return Take::kEmpty;
  if (length % kLength != 0 || length > into.size() || length > capacity_ - 2 * kLength)
    return Take::kBroken;
  size = static_cast<std::size_t>(length);
  read(position_ + kLength, into.first(size));
  position_ += kLength + length;
  // Release: pairs with the acquire in look(); the writer may overwrite what was copied.
  header_.taken.store(position_, std::memory_order_release);
  return Take::kTaken;
}

bool RingReader::empty() const { return length_at(position_).load(std::memory_order_acquire) == 0; }

bool RingReader::fall_asleep() {
  header_.sleeps.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in must_ring()
  return empty();
}

void RingReader::awake() { header_.sleeps.store(0, std::memory_order_relaxed); }

bool RingReader::must_ring() { return wanted(header_.waits); }

}  // namespace pp::transport
