// Likenesses: whether something that looks like these bytes was there lately.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <pp/blob.hpp>
#include <pp/content_hash.hpp>

namespace pp::runtime {

// Large arguments are mostly different each time, and to hash all of one only in order to find that
// out takes a third of the time in which it is sent. So a few samples of it are hashed, in
// microseconds. What is new in this way is new; what is not may be the same. Not for proof: anybody
// can make two strings that look alike. A value; one thread at a time.
class Likenesses {
 public:
  // True: bytes of as many, with the same samples, were among the last. They are from now on.
  bool know(const LooseBytes& bytes) {
    const Sample sample{of(bytes), bytes.size()};
    if (std::find(last_.begin(), last_.end(), sample) != last_.end()) return true;
    last_.push_back(sample);
    if (last_.size() > kMost) last_.pop_front();
    return false;
  }

 private:
  static constexpr std::size_t kMost = 256;
  static constexpr std::size_t kSamples = 16;  // evenly from the beginning to the end
  static constexpr std::size_t kSampleBytes = 1024;
  using Sample = BlobId;  // of samples and not of the bytes: no name of anything

  static ContentHash of(const LooseBytes& bytes) {
    ContentHasher hasher;
    hasher.add(bytes.front.size() <= kSampleBytes ? std::span(bytes.front)
                                                  : std::span(bytes.front).first(kSampleBytes));
    const std::span<const std::byte> body =
        bytes.rest.empty() ? std::span<const std::byte>(bytes.front) : bytes.rest;
    const std::size_t size = std::min(kSampleBytes, body.size());
    for (std::size_t i = 0; i < kSamples; ++i)
      hasher.add(body.subspan((body.size() - size) / (kSamples - 1) * i, size));
    hasher.add(body.last(size));
    return hasher.finish();
  }

  std::deque<Sample> last_;
};

}  // namespace pp::runtime
