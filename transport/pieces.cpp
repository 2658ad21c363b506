// Outbox's cutting and Assembly's putting together.
#include "pieces.hpp"

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

namespace pp::transport {
namespace {

constexpr std::size_t kKeep = std::size_t{1} << 20;  // memory kept for the next burst

std::size_t round_up(std::size_t size) { return (size + 7) / 8 * 8; }

}  // namespace

void Outbox::push(std::span<const std::byte> message) {
  assert(message.size() % 8 == 0 && message.size() <= kMaxMessage);
  const Entry entry{static_cast<std::uint32_t>(message.size()), 0};
  const auto* const begin = reinterpret_cast<const std::byte*>(&entry);
  bytes_.insert(bytes_.end(), begin, begin + sizeof entry);
  bytes_.insert(bytes_.end(), message.begin(), message.end());
}

void Outbox::push(std::span<const std::byte> head, std::shared_ptr<const Enclosure> enclosed) {
  assert(round_up(head.size() + enclosed->bytes.size()) <= kMaxEnclosing);
  const Entry entry{static_cast<std::uint32_t>(head.size()),
                    static_cast<std::uint32_t>(enclosed->bytes.size())};
  const auto* const begin = reinterpret_cast<const std::byte*>(&entry);
  bytes_.insert(bytes_.end(), begin, begin + sizeof entry);
  bytes_.insert(bytes_.end(), head.begin(), head.end());
  bytes_.resize(round_up(bytes_.size()));
  enclosed_bytes_ += entry.enclosed;
  enclosures_.push_back(std::move(enclosed));
}

std::size_t Outbox::fill(std::span<std::byte> payload, std::uint32_t mark) {
  std::size_t filled = 0;
  while (!empty()) {
    Entry entry;
    std::memcpy(&entry, bytes_.data() + head_, sizeof entry);
    const std::size_t size = round_up(std::size_t{entry.here} + entry.enclosed);
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
    piece.kind |= mark;
    std::memcpy(payload.data() + filled, &piece, sizeof piece);
    copy(entry, payload.subspan(filled + sizeof piece, piece.length));
    filled += sizeof piece + piece.length;
    done_ += piece.length;
    if (!fits) break;
    drop_first(entry);
    ++moved_;
  }
  tidy();
  return filled;
}

// What comes next of the first message.
void Outbox::copy(const Entry& entry, std::span<std::byte> to) const {
  std::size_t from = done_;
  const auto part = [&](const std::byte* bytes, std::size_t begin, std::size_t size) {
    if (from >= begin + size || to.empty()) return;
    const std::size_t some = std::min(begin + size - from, to.size());
    std::memcpy(to.data(), bytes + (from - begin), some);
    from += some;
    to = to.subspan(some);
  };
  part(bytes_.data() + head_ + sizeof entry, 0, entry.here);
  if (entry.enclosed != 0) part(enclosures_.front()->bytes.data(), entry.here, entry.enclosed);
  std::fill(to.begin(), to.end(), std::byte{0});
}

void Outbox::drop_first(const Entry& entry) {
  head_ += sizeof entry + round_up(entry.here);
  done_ = 0;
  if (entry.enclosed == 0) return;
  enclosed_bytes_ -= entry.enclosed;
  enclosures_.pop_front();
}

void Outbox::clear() {
  head_ = bytes_.size();
  done_ = 0;
  enclosures_.clear();
  enclosed_bytes_ = 0;
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
