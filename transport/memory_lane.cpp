// MemoryLane: two rings and a socket.
#include "memory_lane.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace pp::transport {
namespace {

constexpr int kMostBells = 16;  // that are read at a time: a peer may ring for ever

}  // namespace

MemoryLane::MemoryLane(std::unique_ptr<SharedMemory> memory, Descriptor socket)
    : memory_(std::move(memory)),
      socket_(std::move(socket)),
      out_(memory_->outgoing()),
      in_(memory_->incoming()) {}

MemoryLane::Sent MemoryLane::send(std::span<const std::byte> frame) {
  constexpr int kTries = 2;  // room that comes and goes between them is a peer's game
  for (int tries = 0; tries < kTries; ++tries) {
    switch (out_.put(frame)) {
      case RingWriter::Put::kPut:
        refused_ = 0;
        unheard_ = true;
        return Sent::kSent;
      case RingWriter::Put::kBroken:
        return Sent::kBroken;
      case RingWriter::Put::kFull:
        refused_ = frame.size();
        if (out_.wait_for_room(refused_)) return Sent::kAgain;
        break;  // it was made meanwhile
    }
  }
  return Sent::kAgain;
}

void MemoryLane::flush() {
  if (std::exchange(unheard_, false) && out_.must_ring()) ring();
}

bool MemoryLane::stirs() { return !in_.empty() || has_room_again(); }

MemoryLane::Taken MemoryLane::take(std::span<std::byte>& frame) {
  std::size_t size = 0;
  switch (in_.take(frame_, size)) {
    case RingReader::Take::kTaken:
      frame = std::span(frame_).first(size);
      return Taken::kFrame;
    case RingReader::Take::kEmpty:
      return Taken::kEmpty;
    case RingReader::Take::kBroken:
      break;
  }
  return Taken::kBroken;
}

void MemoryLane::give_back() {
  if (in_.must_ring()) ring();
}

bool MemoryLane::fall_asleep() {
  if (refused_ != 0 && !out_.wait_for_room(refused_)) return false;
  return in_.fall_asleep();
}

void MemoryLane::awake() { in_.awake(); }

// What it says does not matter. If the socket is full, or its other end closed, the peer is awake
// or gone.
void MemoryLane::ring() {
  const char bell = 0;
  ::send(socket_.get(), &bell, sizeof bell, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool MemoryLane::hear_bell() {
  for (int bells = 0; bells < kMostBells; ++bells) {
    char bell = 0;
    // Descriptors that came with it are dropped by the kernel: there is no room for them.
    const ssize_t got = ::recv(socket_.get(), &bell, sizeof bell, MSG_DONTWAIT);
    if (got > 0) continue;
    return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
  return true;
}

}  // namespace pp::transport
