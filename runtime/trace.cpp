// Trace: the writers' side.
#include "trace.hpp"

#include <utility>

namespace pp::runtime {

namespace {

// One goes on where the other has ended, as far as people see.
bool follows(const TraceRecord& next, const TraceRecord& last, std::int64_t grain) {
  return next.kind == TraceRecord::Kind::kJob && last.kind == TraceRecord::Kind::kJob &&
         next.what == last.what && next.other == last.other && next.attempt == last.attempt &&
         next.begin >= last.end && next.begin - last.end < grain && next.end - next.begin < grain &&
         last.end - last.begin < grain;
}

}  // namespace

bool TraceTrack::add(const TraceRecord& record, std::int64_t grain, unsigned below) {
  if (open_depth_ == below && follows(record, open_, grain)) {
    open_.end = record.end;
    open_.count += record.count;
    show_growing();
    return false;
  }
  bool due = false;
  if (open_.kind != TraceRecord::Kind::kNone) due = push(open_);
  if (record.kind == TraceRecord::Kind::kJob && record.end - record.begin < grain) {
    open_ = record;
    open_depth_ = below;
    show_growing();
    return due;
  }
  if (open_.kind != TraceRecord::Kind::kNone) {
    open_ = {};
    show_growing();
  }
  const bool due_now = push(record);
  return due || due_now;
}

bool TraceTrack::push(const TraceRecord& record) {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  if (head - seen_tail_ == kRecords) {
    seen_tail_ = tail_.load(std::memory_order_acquire);
    if (head - seen_tail_ == kRecords) {
      dropped_.store(dropped_.load(std::memory_order_relaxed) + record.count,
                     std::memory_order_relaxed);
      return false;
    }
  }
  records_[head % kRecords] = record;
  head_.store(head + 1, std::memory_order_release);
  return (head + 1) % (kRecords / 2) == 0;
}

void TraceTrack::show_growing() {
  const auto words = std::bit_cast<std::array<std::uint64_t, sizeof(TraceRecord) / 8>>(open_);
  const std::uint32_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t i = 0; i < words.size(); ++i)
    growing_[i].store(words[i], std::memory_order_relaxed);
  version_.store(version + 2, std::memory_order_release);
}

bool TraceTrack::passes_over() {
  if (under_passed_ > 0) return true;
  if (passed_ == 0) return false;
  --passed_;
  return true;
}

Trace::~Trace() {
  for (const auto& place : tracks_) delete place.load(std::memory_order_relaxed);
}

// Apart: once for each place.
[[gnu::noinline]] TraceTrack& Trace::make_track(std::size_t place) {
  auto track = std::make_unique<TraceTrack>();
  tracks_[place].store(track.get(), std::memory_order_release);
  return *track.release();
}

}  // namespace pp::runtime
