// MemoryLane: frames of one session through shared memory, with a bell for a peer that sleeps.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "frame.hpp"
#include "ring.hpp"
#include "shared_memory.hpp"
#include "socket.hpp"

namespace pp::transport {

// The bell is a packet on the Unix socket over which the memory was handed over. (An eventfd would
// be the obvious bell, but both ends share its flags and its counter: a peer can make it block, or
// full, under our hands. A socket's end is its own; what is sent and read with MSG_DONTWAIT never
// blocks, and a full one has rung already.) The end of the socket rings by itself: a peer that dies
// between its promise to ring and the bell wakes us all the same.
//
// REQUIRES: one thread.
class MemoryLane {
 public:
  MemoryLane(std::unique_ptr<SharedMemory> memory, Descriptor socket);

  enum class Sent {
    kSent,   // copied; the peer sees it
    kAgain,  // no room: the peer rings when it has made some
    kBroken,
  };
  Sent send(std::span<const std::byte> frame);
  // After some send(): rings if the peer sleeps. For nothing sent nobody is woken.
  void flush();
  // Whether a frame that was answered with kAgain should be tried again.
  bool has_room_again() { return refused_ != 0 && out_.has_room(refused_); }

  enum class Taken { kFrame, kEmpty, kBroken };
  // The next frame, in memory of our own, valid until the next call.
  Taken take(std::span<std::byte>& frame);
  // After some take(): rings if the peer waits for room.
  void give_back();

  // Whether there is something to take, or room that was waited for.
  bool stirs();

  // Before sleeping until bell_fd() is readable. False: there is something to do; do not.
  bool fall_asleep();
  void awake();

  int bell_fd() const { return socket_.get(); }
  // Empties the bell. False: the peer's end is closed.
  bool hear_bell();

 private:
  void ring();

  std::unique_ptr<SharedMemory> memory_;
  Descriptor socket_;
  RingWriter out_;
  RingReader in_;
  std::size_t refused_ = 0;  // size of the frame that found no room; 0: none
  bool unheard_ = false;     // something was sent since the peer was looked at
  alignas(8) std::array<std::byte, kMaxFrame> frame_;
};

}  // namespace pp::transport
