// Large memory: pages that are asked for at once, and those that were put aside.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <pp/large_memory.hpp>
#include <utility>

#include "guarded.hpp"

namespace pp::codec {

namespace {

constexpr std::size_t kMostAside = std::size_t{256} << 20;  // bytes that lie idle, for a second

struct Aside {
  Bytes bytes;
  std::chrono::steady_clock::time_point since;
};

// Of the process, like the heap that it stands in front of: who takes and who puts aside are
// different threads, and often different nodes.
struct Shelf {
  runtime::Guarded<std::vector<Aside>> all;  // the oldest first
  // Whether there is any. Relaxed: only spares the lock.
  std::atomic<bool> any{false};
};
Shelf& shelf() {
  // Never destroyed: a global of the program's may hold the last blob.
  static Shelf& shelf = *new Shelf;
  return shelf;
}

}  // namespace

void use_large_pages(void* begin, std::size_t size) noexcept {
  constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t first = (address + kPage - 1) / kPage * kPage;
  const std::uintptr_t last = (address + size) / kPage * kPage;
  if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

Bytes large_room(std::size_t size) {
  if (shelf().any.load(std::memory_order_relaxed)) {
    auto all = shelf().all.lock();
    // The smallest that is large enough, and not so large that most of it would lie idle.
    auto best = all->end();
    for (auto one = all->begin(); one != all->end(); ++one) {
      const std::size_t room = one->bytes.capacity();
      if (room >= size && room / 2 <= size && (best == all->end() || room < best->bytes.capacity()))
        best = one;
    }
    if (best != all->end()) {
      Bytes bytes = std::move(best->bytes);
      all->erase(best);
      return bytes;
    }
  }
  Bytes bytes;
  bytes.reserve(size);
  use_large_pages(bytes.data(), bytes.capacity());
  return bytes;
}

// The old bytes are copied by hand: reserve() would touch the new memory before we can ask.
void grow_large(Bytes& bytes, std::size_t size) {
  Bytes grown = large_room(bytes.size() + std::max(bytes.size(), size));
  grown.insert(grown.end(), bytes.begin(), bytes.end());
  bytes.swap(grown);
  put_aside(std::move(grown));
}

void put_aside(Bytes&& bytes) noexcept {
  Bytes mine = std::move(bytes);
  const std::size_t room = mine.capacity();
  if (room < kLarge || room > kMostAside) return;
  mine.clear();
  std::vector<Aside> too_much;  // ends after the lock: to unmap takes its time
  try {
    auto all = shelf().all.lock();
    all->push_back({std::move(mine), std::chrono::steady_clock::now()});
    std::size_t kept = 0;
    for (const Aside& one : *all) kept += one.bytes.capacity();
    auto end = all->begin();
    for (; kept > kMostAside; ++end) kept -= end->bytes.capacity();
    std::move(all->begin(), end, std::back_inserter(too_much));
    all->erase(all->begin(), end);
    shelf().any.store(true, std::memory_order_relaxed);
  } catch (...) {  // no memory to write down what we have: then we do not keep it
  }
}

void give_back_large(std::chrono::steady_clock::time_point now) noexcept {
  if (!shelf().any.load(std::memory_order_relaxed)) return;
  std::vector<Aside> old;
  try {
    auto all = shelf().all.lock();
    const auto end = std::find_if(all->begin(), all->end(),
                                  [now](const Aside& one) { return now - one.since < kPutAside; });
    std::move(all->begin(), end, std::back_inserter(old));
    all->erase(all->begin(), end);
    shelf().any.store(!all->empty(), std::memory_order_relaxed);
  } catch (...) {  // it is given back later
  }
}

}  // namespace pp::codec
