// Poller: waits for descriptors, a time and a wake-up at once, by epoll.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <pp/transport.hpp>
#include <span>

namespace pp::transport {

// One thread adds, removes and waits; wake() may be called by any.
class Poller {
 public:
  struct Event {
    std::uint64_t tag = 0;
    bool readable = false;  // or hung up, or in error: reading tells
    bool writable = false;
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // The tag comes back with each event. Tags from kReserved on are ours.
  static constexpr std::uint64_t kReserved = ~std::uint64_t{0} - 15;
  void add(int fd, std::uint64_t tag, bool read, bool write);
  void change(int fd, std::uint64_t tag, bool read, bool write);
  void remove(int fd);

  // What is ready now; no blocking. Valid until the next call.
  std::span<const Event> ready();
  // Blocks until something is ready, `deadline` has come or wake() was called since the last wait()
  // began.
  std::span<const Event> wait(Time deadline);

  // For who spins instead of waiting: whether wake() was called since then. Answers as wait() does.
  bool take_wake() {
    return woken_.load(std::memory_order_relaxed) &&
           woken_.exchange(false, std::memory_order_seq_cst);
  }

  // Costs a few nanoseconds unless somebody sleeps in wait().
  void wake() noexcept;

 private:
  std::span<const Event> collect(Time deadline, bool block);

  int epoll_ = -1;
  int bell_ = -1;  // eventfd

  // woken_: somebody called wake() and no wait() has returned since. sleeping_: wait() has
  // announced that it is about to block. Each side writes its own word and then reads the other's,
  // all four sequentially consistent, so at least one of them sees what the other wrote (Dekker):
  // either wait() sees woken_ and does not block, or wake() sees sleeping_ and rings. What was
  // written before wake() is seen after wait(): the exchange there reads from an exchange in wake()
  // (each is part of the other's release sequence). So it is after take_wake().
  alignas(64) std::atomic<bool> woken_{false};
  std::atomic<bool> sleeping_{false};

  std::array<Event, 64> events_;
};

}  // namespace pp::transport
