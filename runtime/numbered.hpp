// Numbered: records under numbers that are given out one after the other, most of them short-lived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace pp::runtime {

// A map from 1, 2, 3, ... to T that asks the heap for nothing while records come and go in about
// the order of their numbers: the youngest numbers lie side by side in a ring, where a number is
// its own place. A record that stays while thousands come and go after it moves, once, to a map of
// its own, so that it does not hold the ring open. One thread. T: small, copies.
template <class T>
class Numbered {
 public:
  // The number that add() gives next.
  std::uint64_t next() const { return next_; }
  std::size_t size() const { return in_ring_ + old_.size(); }
  // For how many records the ring has room.
  std::size_t places() const { return ring_.size(); }

  std::uint64_t add(const T& record) {
    while (next_ - first_ == ring_.size()) make_room();
    place(next_) = {record, true};
    ++in_ring_;
    return next_++;
  }

  // Null: there is none. Good until the next add() or remove().
  T* find(std::uint64_t number) {
    if (number >= first_) {
      if (number >= next_ || !place(number).taken) return nullptr;
      return &place(number).record;
    }
    const auto entry = old_.find(number);
    return entry == old_.end() ? nullptr : &entry->second;
  }

  // REQUIRES: there is one.
  void remove(std::uint64_t number) {
    if (number < first_) {
      old_.erase(number);
      return;
    }
    place(number).taken = false;
    --in_ring_;
    while (first_ < next_ && !place(first_).taken) ++first_;
  }

  void clear() {
    old_.clear();
    for (; first_ < next_; ++first_) place(first_).taken = false;
    in_ring_ = 0;
  }

  // Calls act(number, record) for each, in the order of their numbers; no record is added or
  // removed meanwhile.
  template <class Act>
  void for_each(Act act) const {
    for (const auto& [number, record] : old_) act(number, record);
    for (std::uint64_t number = first_; number < next_; ++number) {
      const Place& one = ring_[number & (ring_.size() - 1)];
      if (one.taken) act(number, one.record);
    }
  }

 private:
  struct Place {
    T record{};
    bool taken = false;
  };
  static constexpr std::size_t kLeast = 64;  // places; a power of two, as their number always is

  Place& place(std::uint64_t number) { return ring_[number & (ring_.size() - 1)]; }

  // The ring is full of numbers, though perhaps not of records: the oldest leaves it if most have
  // gone, otherwise it grows. (The oldest number in the ring always has a record.)
  void make_room() {
    if (in_ring_ < ring_.size() / 4) {
      old_.emplace_hint(old_.end(), first_, place(first_).record);
      remove(first_);
      return;
    }
    std::vector<Place> larger(ring_.empty() ? kLeast : 2 * ring_.size());
    for (std::uint64_t number = first_; number < next_; ++number)
      larger[number & (larger.size() - 1)] = place(number);
    ring_.swap(larger);
  }

  std::vector<Place> ring_;  // of the numbers from first_ on
  std::uint64_t first_ = 1;
  std::uint64_t next_ = 1;
  std::size_t in_ring_ = 0;         // records
  std::map<std::uint64_t, T> old_;  // below first_
};

}  // namespace pp::runtime
