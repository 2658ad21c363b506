// Parcel: bytes that a job carries; few of them lie in the job itself.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <pp/codec.hpp>
#include <span>
#include <utility>

namespace pp::runtime {

// Stays where it is: what bytes() gives is good until other bytes are put in. One thread at a time.
class Parcel {
 public:
  // What most small jobs take and give; more lies on the heap.
  static constexpr std::size_t kFew = 96;

  explicit Parcel(std::span<const std::byte> bytes) { assign(bytes); }
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;

  // REQUIRES: not its own.
  void assign(std::span<const std::byte> bytes) {
    few_size_ = 0;
    many_.clear();
    if (bytes.size() > kFew) {
      many_.assign(bytes.begin(), bytes.end());
    } else {
      std::copy(bytes.begin(), bytes.end(), few_.begin());
      few_size_ = bytes.size();
    }
  }
  // Leaves the memory of few bytes with the caller.
  void take(codec::Bytes& bytes) {
    if (bytes.size() <= kFew) return assign(bytes);
    few_size_ = 0;
    many_ = std::move(bytes);
  }

  std::span<const std::byte> bytes() const {
    if (!many_.empty()) return many_;
    return std::span(few_).first(few_size_);
  }

 private:
  std::size_t few_size_ = 0;
  codec::Bytes many_;
  std::array<std::byte, kFew> few_;
};

}  // namespace pp::runtime
