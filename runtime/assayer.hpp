// Assayer: a thread that hashes what arrives, while the rest is still on its way.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <pp/blob.hpp>
#include <pp/content_hash.hpp>
#include <span>
#include <thread>

#include "guarded.hpp"

namespace pp::runtime {

// Something that arrives in parts, in memory that never moves.
struct Arrival {
  codec::Bytes bytes;
  ContentHasher hasher;  // whoever hashes: the Assayer, once it has been handed a part
  ContentHash hash;      // of all of it, when `assayed`
  // Release: by the assayer, behind the last part; publishes `hash`, and that nobody reads `bytes`
  // there any more. Acquire: by who looks whether it is done.
  std::atomic<bool> assayed{false};
};

// To hash what has come takes a third of the time in which it comes, which the courier's thread has
// better uses for. What has been handed over is kept until it is hashed, whether somebody waits for
// it or not. The thread is begun when there is something to hash.
class Assayer {
 public:
  // `finished` is called after each arrival that was hashed to its end, on the assayer's thread.
  explicit Assayer(std::function<void()> finished) : finished_(std::move(finished)) {}
  ~Assayer();
  Assayer(const Assayer&) = delete;
  Assayer& operator=(const Assayer&) = delete;

  // Part of `arrival`, the one behind that of the last call. `last`: there is no other. False:
  // there is no thread to be had, and nothing has been taken.
  bool take(const std::shared_ptr<Arrival>& arrival, std::span<const std::byte> part, bool last);

 private:
  struct Sample {
    std::shared_ptr<Arrival> arrival;
    std::span<const std::byte> part;
    bool last;
  };
  struct Bench {
    std::deque<Sample> samples;
    bool closed = false;
  };

  void run();

  const std::function<void()> finished_;
  Guarded<Bench> bench_;
  std::condition_variable changed_;
  std::thread thread_;  // begun by the first take()
};

}  // namespace pp::runtime
