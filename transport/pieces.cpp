// Outbox's cutting and Assembly's putting together.
#include "pieces.hpp"

#include <algorithm>
#include <cassert>
#include <new>

namespace pp::transport {
namespace {

constexpr std::size_t kKeep = std::size_t{1} << 20;  // memory kept for the next burst

}  // namespace

void Outbox::push(std::span<const std::byte> message) {
  assert(message.size() % 8 == 0 && message.size() <= kMaxMessage);
  const std::uint64_t size = message.size();
  const auto* length = reinterpret_cast<const std::byte*>(&size);
  bytes_.insert(bytes_.end(), length, length + sizeof size);
  bytes_.insert(bytes_.end(), message.begin(), message.end());
}

std::size_t Outbox::fill(std::span<std::byte> payload) {
  std::size_t filled = 0;
  while (!empty()) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes_.data() + head_, sizeof size);
    const std::size_t left = size - done_;
    const std::size_t room = payload.size() - filled;
    const bool fits = sizeof(PieceHeader) + left <= room;
    const bool ever_fits = sizeof(PieceHeader) + size <= payload.size();
    // A message that some frame can hold waits for one; a larger one fills what room there is.
    if (!fits && (ever_fits || room < 2 * sizeof(PieceHeader))) break;
    PieceHeader piece;
    piece.length = static_cast<std::uint32_t>(fits ? left : room - sizeof piece);
    piece.kind = ever_fits    ? PieceHeader::kWhole
                 : done_ == 0 ? PieceHeader::kFirst
                 : fits       ? PieceHeader::kLast
                              : PieceHeader::kMiddle;
    std::memcpy(payload.data() + filled, &piece, sizeof piece);
    if (piece.length != 0) {
      std::memcpy(payload.data() + filled + sizeof piece,
                  bytes_.data() + head_ + sizeof size + done_, piece.length);
    }
    filled += sizeof piece + piece.length;
    done_ += piece.length;
    if (!fits) break;
    head_ += sizeof size + size;
    done_ = 0;
    ++moved_;
  }
  tidy();
  return filled;
}

void Outbox::clear() {
  head_ = bytes_.size();
  done_ = 0;
  tidy();
}

// Gives room back: all of it when nothing waits, the front half when that is what has been moved
// (so that each byte is moved at most once more on the average).
void Outbox::tidy() {
  if (empty()) {
    bytes_.clear();
    head_ = 0;
    if (bytes_.capacity() > kKeep) bytes_.shrink_to_fit();
  } else if (head_ > kKeep && head_ > bytes_.size() / 2) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

Assembly::Step Assembly::take(std::uint32_t kind, std::span<const std::byte> piece) {
  const bool first = kind == PieceHeader::kFirst;
  if (first == open_ || (first ? 0 : size_) + piece.size() > limit_) {
    return Step::kMalformed;
  }
  if (first) {
    size_ = 0;
    if (room_ > kKeep) {
      bytes_.reset();
      room_ = 0;
    }
  }
  if (!make_room(size_ + piece.size())) throw std::bad_alloc();
  if (!piece.empty()) std::memcpy(bytes_.get() + size_, piece.data(), piece.size());
  size_ += piece.size();
  open_ = kind != PieceHeader::kLast;
  return open_ ? Step::kIncomplete : Step::kComplete;
}

bool Assembly::make_room(std::size_t size) {
  if (size <= room_) return true;
  const std::size_t room = std::max(size, 2 * room_);
  void* const grown = std::realloc(bytes_.get(), room);
  if (grown == nullptr) return false;
  static_cast<void>(bytes_.release());  // realloc() has taken it
  bytes_.reset(static_cast<std::byte*>(grown));
  room_ = room;
  return true;
}

}  // namespace pp::transport
