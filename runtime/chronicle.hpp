// Chronicle: what happened in the cluster lately, for those who watch.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "guarded.hpp"

namespace pp::runtime {

// The last few, as this node saw them. Any thread; quick.
class Chronicle {
 public:
  enum class Kind : std::uint8_t {
    kJoined,
    kLeft,       // said goodbye
    kDied,       // its process ended without a goodbye
    kSilent,     // nothing was heard of it for too long
    kSuspected,  // nothing was heard of it for long
    kObjected,   // a suspect is alive
    kRefused,    // somebody without the key, of another build, ...
    kMisbehaved,
    kFailed,  // a job
  };
  struct Happening {
    std::uint64_t number = 0;  // from 1 on
    std::chrono::system_clock::time_point when{};
    Kind kind{};
    std::string text;
  };

  void note(Kind kind, std::string text) {
    if (text.size() > kLongest) text.resize(kLongest);
    auto book = book_.lock();
    // An event after the other of the same words would drive out the rest.
    if (!book->last.empty() && book->last.back().kind == kind && book->last.back().text == text) {
      book->last.back().when = std::chrono::system_clock::now();
      book->last.back().number = ++book->count;
      return;
    }
    book->last.push_back({++book->count, std::chrono::system_clock::now(), kind, std::move(text)});
    if (book->last.size() > kMost) book->last.pop_front();
  }

  // Of jobs that fail, one now and then: a program may have millions. `text` makes the sentence.
  template <class Text>
  void note_failure(Text text) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    auto next = next_failure_.load(std::memory_order_relaxed);
    if (now < next || !next_failure_.compare_exchange_strong(next, now + kBetweenFailures.count(),
                                                             std::memory_order_relaxed))
      return;
    note(Kind::kFailed, text());
  }

  // The oldest first.
  std::vector<Happening> recent() const {
    auto book = book_.lock();
    return {book->last.begin(), book->last.end()};
  }

  static constexpr std::size_t kMost = 200;      // a few screens
  static constexpr std::size_t kLongest = 1024;  // bytes: a sentence

 private:
  struct Book {
    std::deque<Happening> last;
    std::uint64_t count = 0;
  };
  static constexpr std::chrono::steady_clock::duration kBetweenFailures =
      std::chrono::milliseconds(100);

  mutable Guarded<Book> book_;
  // Relaxed: only how often something is noted.
  std::atomic<std::chrono::steady_clock::rep> next_failure_{0};
};

constexpr std::string_view to_string(Chronicle::Kind kind) {
  switch (kind) {
    case Chronicle::Kind::kJoined:
      return "joined";
    case Chronicle::Kind::kLeft:
      return "left";
    case Chronicle::Kind::kDied:
      return "died";
    case Chronicle::Kind::kSilent:
      return "silent";
    case Chronicle::Kind::kSuspected:
      return "suspected";
    case Chronicle::Kind::kObjected:
      return "alive";
    case Chronicle::Kind::kRefused:
      return "refused";
    case Chronicle::Kind::kMisbehaved:
      return "misbehaved";
    case Chronicle::Kind::kFailed:
      return "failed";
  }
  return "";
}

}  // namespace pp::runtime
