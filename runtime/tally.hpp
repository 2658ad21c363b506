// Tally: how often the functions of a node ran, how long, and how often they failed.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <pp/function_table.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pp::runtime {

// Executions of one function, however many nodes they are summed over. Those that ran inside of a
// waiting job of the same node are a part of that one, as in its time.
struct FunctionFigures {
  // counts[i] took 2^i nanoseconds or more and less than twice that; the last: or longer.
  static constexpr std::size_t kBuckets = 40;

  std::uint64_t function = 0;  // its id; 0: it does not travel
  std::uint64_t failed = 0;
  std::uint64_t nanoseconds = 0;
  std::uint32_t running = 0;  // at this moment
  std::array<std::uint64_t, kBuckets> counts{};

  std::uint64_t runs() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts) sum += count;
    return sum;
  }

  void add(const FunctionFigures& other) {
    failed += other.failed;
    nanoseconds += other.nanoseconds;
    running += other.running;
    for (std::size_t i = 0; i < kBuckets; ++i) counts[i] += other.counts[i];
  }

  // So long took the execution that `share` of them (0 to 1) were no longer than, in nanoseconds;
  // within a bucket they are taken for spread evenly. 0 without executions.
  double quantile(double share) const {
    const auto wanted = share * static_cast<double>(runs());
    double seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      const auto here = static_cast<double>(counts[i]);
      if (here > 0 && seen + here >= wanted) {
        const auto low = static_cast<double>(std::uint64_t{1} << i);
        return low + low * (wanted - seen) / here;
      }
      seen += here;
    }
    return 0;
  }

  friend bool operator==(const FunctionFigures&, const FunctionFigures&) = default;
};

// One worker's. count() belongs to the worker; each() to anybody, at any time.
class Tally {
 public:
  void count(const Function* function, std::chrono::nanoseconds took, bool failed) noexcept {
    if (function == nullptr) return;  // the runtime's own
    Cell* const cell = function == last_function_ ? last_cell_ : find(*function);
    if (cell == nullptr) return;  // too many functions, or no memory
    const auto nanoseconds = static_cast<std::uint64_t>(took.count() > 0 ? took.count() : 0);
    const auto bucket = static_cast<std::size_t>(std::bit_width(nanoseconds | 1)) - 1;
    add(cell->counts[std::min(bucket, FunctionFigures::kBuckets - 1)], 1);
    add(cell->nanoseconds, nanoseconds);
    if (failed) add(cell->failed, 1);
  }

  // Of an execution that was or will be counted.
  void count_failure(const Function* function) noexcept {
    if (function == nullptr) return;
    if (Cell* const cell = find(*function)) add(cell->failed, 1);
  }

  // act(function, figures) for each function that ran here.
  template <class Act>
  void each(Act act) const {
    for (const std::atomic<Cell*>& place : places_) {
      // Acquire: pairs with the release in find(); the cell is complete.
      const Cell* cell = place.load(std::memory_order_acquire);
      if (cell == nullptr) continue;
      FunctionFigures figures;
      figures.function = cell->function->travels ? cell->function->id : 0;
      figures.failed = cell->failed.load(std::memory_order_relaxed);
      figures.nanoseconds = cell->nanoseconds.load(std::memory_order_relaxed);
      for (std::size_t i = 0; i < FunctionFigures::kBuckets; ++i)
        figures.counts[i] = cell->counts[i].load(std::memory_order_relaxed);
      act(*cell->function, figures);
    }
  }

  ~Tally() {
    for (std::atomic<Cell*>& place : places_) delete place.load(std::memory_order_relaxed);
  }
  Tally() = default;
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

 private:
  static constexpr std::size_t kPlaces = 256;  // a power of two: functions that one worker ran

  // Relaxed: statistics, each by itself; one worker at a time writes, and the places of workers are
  // handed on under a lock.
  struct Cell {
    const Function* function;
    std::atomic<std::uint64_t> failed{0}, nanoseconds{0};
    std::array<std::atomic<std::uint64_t>, FunctionFigures::kBuckets> counts{};
  };

  // Single writer: no read-modify-write needed.
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  Cell* find(const Function& function) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(&function);
    for (std::size_t i = 0; i < kPlaces; ++i) {
      std::atomic<Cell*>& place = places_[(address / 16 + i) % kPlaces];
      Cell* cell = place.load(std::memory_order_relaxed);
      if (cell == nullptr) {
        cell = new (std::nothrow) Cell{.function = &function};
        // Release: publishes the cell to each().
        place.store(cell, std::memory_order_release);
      }
      if (cell == nullptr || cell->function == &function) {
        last_function_ = &function;
        return last_cell_ = cell;
      }
    }
    return nullptr;
  }

  const Function* last_function_ = nullptr;
  Cell* last_cell_ = nullptr;
  std::array<std::atomic<Cell*>, kPlaces> places_{};
};

}  // namespace pp::runtime
