// SealedStream: the most that a provider could carry of sealed bytes: copied into frames, sealed,
// sent in large messages, opened and copied out, all of it at the same time on two cores.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "channel.hpp"
#include "raw_fabric.hpp"

namespace pp::bench {

// Two libfabric endpoints of this process, the second one with its thread on the second core.
class SealedStream {
 public:
  // For messages of so many bytes.
  explicit SealedStream(std::size_t bytes);
  ~SealedStream();
  SealedStream(const SealedStream&) = delete;
  SealedStream& operator=(const SealedStream&) = delete;

  // Returns when the other end has opened all of it and has said so. REQUIRES: as many bytes as
  // were announced.
  void send(std::span<const std::byte> bytes);

 private:
  // Two buffers of frames: one is on its way while the other is filled or emptied.
  using Buffers = std::array<std::vector<std::byte>, 2>;

  void receive();

  const std::size_t bytes_, pieces_;
  transport::SealedChannel sealing_, opening_;
  Buffers out_, in_;
  std::vector<std::byte> answer_;
  RawFabric here_, there_;
  std::uint64_t sends_ = 0, answers_ = 0;
  std::atomic<bool> stop_{false};  // publishes nothing else: seq_cst as it comes
  std::thread other_;
};

}  // namespace pp::bench
