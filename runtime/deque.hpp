// Deque: one worker's jobs: the worker pushes and pops the newest, thieves take the oldest.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pp/job.hpp>
#include <vector>

namespace pp::runtime {

// The work-stealing deque of Chase and Lev (SPAA 2005) with the orders of Le, Pop, Cohen and Zappa
// Nardelli (PPoPP 2013), fences replaced by sequentially consistent operations, which
// ThreadSanitizer understands. push() and pop() belong to one thread at a time; steal() and size()
// to everybody. An entry is a reference to a job, moved in and out; the job behind it may have been
// claimed by somebody else already.
class Deque {
 public:
  Deque() : ring_(new Ring(kFirstCapacity)) {
    rings_.emplace_back(ring_.load(std::memory_order_relaxed));
  }
  Deque(const Deque&) = delete;
  Deque& operator=(const Deque&) = delete;

  void push(Job* job) {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    // Acquire: pairs with the exchange in steal(); a slot is written again only after its thief has
    // read it.
    const std::int64_t top = top_.load(std::memory_order_acquire);
    Ring* ring = ring_.load(std::memory_order_relaxed);
    if (bottom - top >= ring->capacity) ring = grow(ring, top, bottom);
    ring->slot(bottom).store(job, std::memory_order_relaxed);
    // Sequentially consistent: publishes the slot and the job to steal(), and is ordered before the
    // owner's look at who is hungry (Crew::announce), whose partner is the hungry one's last look
    // at the queue.
    bottom_.store(bottom + 1, std::memory_order_seq_cst);
  }

  // The newest entry, or null.
  Job* pop() {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    Ring* ring = ring_.load(std::memory_order_relaxed);
    // A quick look first: an empty deque costs no barrier. Only we add entries, so empty stays
    // empty.
    if (top_.load(std::memory_order_relaxed) > bottom) return nullptr;
    // Sequentially consistent: this store comes before the load of top_, in steal() the load of
    // top_ before that of bottom_, so one of the two sees the other when a single entry is left.
    bottom_.store(bottom, std::memory_order_seq_cst);
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    if (top > bottom) {
      bottom_.store(bottom + 1, std::memory_order_relaxed);
      return nullptr;
    }
    Job* job = ring->slot(bottom).load(std::memory_order_relaxed);
    if (top == bottom) {  // the last one: thieves may be after it too
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst)) job = nullptr;
      bottom_.store(bottom + 1, std::memory_order_relaxed);
    }
    return job;
  }

  enum class Stolen {
    kTaken,
    kEmpty,
    kLost,  // somebody else was faster; there may be more
  };
  Stolen steal(Job*& job) {
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    // Sequentially consistent (so also acquire): pairs with the stores in push() and pop().
    const std::int64_t bottom = bottom_.load(std::memory_order_seq_cst);
    if (top >= bottom) return Stolen::kEmpty;
    // Acquire: pairs with the release in grow(); publishes the copied slots.
    Ring* ring = ring_.load(std::memory_order_acquire);
    Job* seen = ring->slot(top).load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst))
      return Stolen::kLost;
    job = seen;
    return Stolen::kTaken;
  }

  // Entries now; for other threads a moment ago.
  std::int64_t size() const {
    const std::int64_t n =
        bottom_.load(std::memory_order_seq_cst) - top_.load(std::memory_order_seq_cst);
    return n > 0 ? n : 0;
  }

  // For the owner: where the next entry goes; entries below it are older.
  std::int64_t bottom() const { return bottom_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::int64_t kFirstCapacity = 256;  // a power of two

  struct Ring {
    explicit Ring(std::int64_t capacity_)
        : capacity(capacity_), slots(new std::atomic<Job*>[static_cast<std::size_t>(capacity_)]) {}
    std::atomic<Job*>& slot(std::int64_t index) {
      return slots[static_cast<std::size_t>(index & (capacity - 1))];
    }
    const std::int64_t capacity;
    std::unique_ptr<std::atomic<Job*>[]> slots;
  };

  Ring* grow(Ring* old, std::int64_t top, std::int64_t bottom) {
    rings_.push_back(std::make_unique<Ring>(old->capacity * 2));
    Ring* ring = rings_.back().get();
    for (std::int64_t i = top; i < bottom; ++i) {
      ring->slot(i).store(old->slot(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    ring_.store(ring, std::memory_order_release);  // partner: the acquire in steal()
    return ring;
  }

  // On lines of their own: thieves write top_, the owner writes bottom_.
  alignas(64) std::atomic<std::int64_t> top_{0};
  alignas(64) std::atomic<std::int64_t> bottom_{0};
  std::atomic<Ring*> ring_;
  std::vector<std::unique_ptr<Ring>>
      rings_;  // owner only; outgrown ones stay, a slow thief may still read one
};

}  // namespace pp::runtime
