// RawFabric: a libfabric endpoint with nothing of ours around it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "pin.hpp"

namespace pp::bench {

// tcp;ofi_rxm on the loopback. REQUIRES: one thread at a time.
class RawFabric {
 public:
  // Throws pp::Error naming the step that failed.
  explicit RawFabric(Waiting waiting = Waiting::kAsleep);
  ~RawFabric();
  RawFabric(const RawFabric&) = delete;
  RawFabric& operator=(const RawFabric&) = delete;

  std::string address() const;
  // Whom everything is sent to.
  void connect(const std::string& address);

  // The bytes belong to libfabric until the completion.
  void post_receive(std::span<std::byte> bytes);
  void post_send(std::span<const std::byte> bytes);

  // Until so many have completed in all since it was opened, or `stop`. False: it was stopped.
  bool await_receives(std::uint64_t count, const std::atomic<bool>& stop);
  bool await_sends(std::uint64_t count, const std::atomic<bool>& stop);

 private:
  struct Objects;
  void poll();
  bool await(const std::uint64_t& done, std::uint64_t count, const std::atomic<bool>& stop);

  std::unique_ptr<Objects> objects_;
  const Waiting waiting_;
  std::uint64_t received_ = 0, sent_ = 0;
};

// Two of them in one process, the second one with its thread on the second core, which sends back
// every message, or the first 8 bytes of it.
class FabricEcho {
 public:
  enum class Answer { kAll, kFew };

  FabricEcho(std::size_t bytes, Answer answer, Waiting waiting = Waiting::kAsleep);
  ~FabricEcho();
  FabricEcho(const FabricEcho&) = delete;
  FabricEcho& operator=(const FabricEcho&) = delete;

  // There and back.
  void ping();

 private:
  void echo(Answer answer);

  std::vector<std::byte> message_, answer_, arriving_;
  RawFabric here_, there_;
  std::uint64_t pings_ = 0;
  std::atomic<bool> stop_{false};  // publishes nothing else: seq_cst as it comes
  std::thread other_;
};

}  // namespace pp::bench
