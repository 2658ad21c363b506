// Trace: what a node's workers write down of their work while somebody observes it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "queue.hpp"
#include "trace_record.hpp"

namespace pp::runtime {

// The records of one worker on their way to whoever collects them: a ring with one writer and one
// reader, without a lock. What finds it full is dropped and counted.
//
// Jobs of the same function and owner that follow on each other and are shorter than `grain` are
// one record until that is as long: what the smallest jobs cost is a few words written, and neither
// the ring nor the network has to hold a million of them a second. The record that still grows lies
// beside the ring, where the reader finds it too, at the end.
class TraceTrack {
 public:
  static constexpr std::size_t kRecords = 4096;  // 192 KiB: less than half a second of the busiest

  // ---- the worker's own

  // False: nothing needs to be collected yet. True, once: half of the ring is full.
  bool add(const TraceRecord& record, std::int64_t grain, unsigned below);
  // Whether this job, should it be short, would go into the record that grows.
  bool may_grow_by(const TraceRecord& job, std::int64_t grain) const {
    return job.what == open_.what && job.other == open_.other && job.attempt == open_.attempt &&
           open_.kind == TraceRecord::Kind::kJob && open_.end - open_.begin < grain;
  }
  // When the last job ended here; 0: none has.
  std::int64_t last_end() const { return last_end_; }
  void ended(std::int64_t at) { last_end_ = at; }

  // Of jobs that run on top of one that waits for them: those that are far too short to be seen are
  // looked at now and then only, since a look at the clock costs as much as they do. While one is
  // passed over, so is what runs on top of it.
  bool passes_over();
  void took(std::int64_t nanoseconds) {
    if (nanoseconds >= kTooShort) {
      pass_ = passed_ = 0;
    } else {
      passed_ = pass_ = pass_ * 2 + 1 > kMostPassed ? kMostPassed : pass_ * 2 + 1;
    }
  }
  // Between these two nothing is looked at.
  void pass() { ++under_passed_; }
  void go_on() { --under_passed_; }
  bool passing() const { return under_passed_ > 0; }
  unsigned depth = 0;  // of the jobs that run there now, those looked at

  // ---- the reader: one thread at a time

  // Hands over what has been written, up to the moment of the call. `growing`: also the record that
  // may still grow; to be asked for once, in the end.
  template <class Take>
  void take(Take take, bool growing);
  // What has been dropped since this was asked for.
  std::uint64_t take_dropped() {
    const std::uint64_t dropped = dropped_.load(std::memory_order_relaxed);
    return dropped - std::exchange(told_, dropped);
  }

 private:
  static constexpr std::int64_t kTooShort = 1000;  // nanoseconds
  static constexpr unsigned kMostPassed = 63;

  bool push(const TraceRecord& record);
  void show_growing();

  // The writer's.
  TraceRecord open_{};  // kNone: none grows
  unsigned open_depth_ = 0;
  std::int64_t last_end_ = 0;
  std::uint64_t seen_tail_ = 0;
  unsigned pass_ = 0, passed_ = 0;
  unsigned under_passed_ = 0;
  // The reader's.
  std::uint64_t told_ = 0;
  // Release by the writer: publishes the slots below it. Partner: the acquire in take().
  std::atomic<std::uint64_t> head_{0};
  // Release by the reader: it has copied the slots below. Partner: the acquire in push().
  std::atomic<std::uint64_t> tail_{0};
  // Relaxed: a statistic; one writer.
  std::atomic<std::uint64_t> dropped_{0};
  // The record that grows, behind a sequence lock (Boehm, "Can seqlocks get along with programming
  // language memory models?", 2012): odd while it is written. The words are relaxed, fences order
  // them.
  std::atomic<std::uint32_t> version_{0};
  std::array<std::atomic<std::uint64_t>, sizeof(TraceRecord) / 8> growing_{};
  std::array<TraceRecord, kRecords> records_;
};

// All tracks of a node.
class Trace {
 public:
  using Clock = std::chrono::steady_clock;

  Trace() = default;
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  // ---- whoever collects

  // From now on, or with another grain. Any thread.
  void begin(std::chrono::nanoseconds grain) {
    grain_.store(grain.count(), std::memory_order_relaxed);
    on_.store(true, std::memory_order_relaxed);
  }
  void end() { on_.store(false, std::memory_order_relaxed); }
  // Called by a worker that has written half a ring since it was last collected. REQUIRES: set
  // before there are workers; it must not block.
  void call_when_due(std::function<void()> due) { due_ = std::move(due); }
  // Of all workers; see TraceTrack::take(). One thread at a time.
  template <class Take>
  void take(Take take, bool growing) {
    for (std::size_t place = 0; place < tracks_.size(); ++place) {
      // Acquire: pairs with the release in track(); publishes the track.
      if (TraceTrack* track = tracks_[place].load(std::memory_order_acquire))
        track->take(take, growing);
    }
  }
  std::uint64_t take_dropped() {
    std::uint64_t dropped = 0;
    for (const auto& place : tracks_) {
      if (TraceTrack* track = place.load(std::memory_order_acquire))
        dropped += track->take_dropped();
    }
    return dropped;
  }

  // ---- whoever writes

  // Relaxed: it only says from when on something is written down.
  bool on() const { return on_.load(std::memory_order_relaxed); }
  std::int64_t grain() const { return grain_.load(std::memory_order_relaxed); }
  static std::int64_t nanoseconds(Clock::time_point time) {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
  }
  // The one of the worker at this place. REQUIRES: called by its occupant.
  TraceTrack& track(std::size_t place) {
    TraceTrack* track = tracks_[place].load(std::memory_order_relaxed);
    return track != nullptr ? *track : make_track(place);
  }
  // `depth`: how many jobs of that worker wait below it.
  void write(TraceTrack& track, const TraceRecord& record, unsigned depth) {
    if (track.add(record, grain(), depth) && due_) due_();
  }

 private:
  TraceTrack& make_track(std::size_t place);

  // Relaxed: from when on something is written down; what is written orders itself (TraceTrack).
  std::atomic<bool> on_{false};
  // Relaxed: a setting that may change at any time.
  std::atomic<std::int64_t> grain_{0};
  // Each written once, by the occupant of the place, and owned. Release in make_track(): publishes
  // the track; acquire: in take() and take_dropped().
  std::array<std::atomic<TraceTrack*>, Queue::kMostWorkers> tracks_{};
  std::function<void()> due_;
};

template <class Take>
void TraceTrack::take(Take take, bool growing) {
  // Before the head is read: when the record has gone into the ring meanwhile, it is found there,
  // and the copy of it is not taken.
  std::optional<TraceRecord> last;
  if (growing) {
    for (;;) {
      const std::uint32_t before = version_.load(std::memory_order_acquire);
      std::array<std::uint64_t, sizeof(TraceRecord) / 8> words;
      for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = growing_[i].load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (before % 2 != 0 || version_.load(std::memory_order_relaxed) != before) continue;
      const auto record = std::bit_cast<TraceRecord>(words);
      if (record.kind != TraceRecord::Kind::kNone) last = record;
      break;
    }
  }
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::uint64_t head = head_.load(std::memory_order_acquire);
  for (; tail != head; ++tail) {
    const TraceRecord& record = records_[tail % kRecords];
    if (last && record.begin == last->begin && record.job == last->job) last.reset();
    take(record);
  }
  tail_.store(tail, std::memory_order_release);
  if (last) take(*last);
}

}  // namespace pp::runtime
