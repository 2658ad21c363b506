// Bulk log: what a bulk takes from the job log when it starts, and what it adds as it goes.
#include "bulk_log.hpp"

#include <algorithm>
#include <new>

namespace pp::runtime {

// Takes its place in the log; the seed that its elements are to have. Throws pp::Error if the log
// has another batch there.
std::uint64_t Bulk::enter(JobLog& log, std::uint64_t seed, std::size_t most_per_piece) {
  job_log::Batch batch;
  batch.function = function_.id;
  batch.signature = function_.signature;
  batch.name = function_.name;
  batch.elements = size_;
  batch.seed = seed;
  try {
    job_log::Hasher input;
    codec::Bytes bytes;
    for (std::size_t first = 0, last = 0; first < size_; first = last) {
      last = first + std::min(most_per_piece, size_ - first);
      bytes.clear();
      encode_elements(first, last, bytes);
      input.add(bytes);
    }
    bytes.clear();
    encode_shared(bytes);
    input.add(bytes);
    batch.input = input.digest();
  } catch (...) {  // a user's own function: such elements run here, and are not held against others
  }
  log.begin(batch);
  recorded_ = std::make_unique<Recorded>(Recorded{log, std::move(batch)});
  return recorded_->batch.seed;
}

// What the log has of it is done; what it has not.
std::vector<Bulk::Range> Bulk::take_recorded() {
  JobLog& log = recorded_->log;
  std::vector<Range> taken;
  codec::Bytes bytes;
  for (const JobLog::Part& part : log.parts(recorded_->batch.number)) {
    try {
      const job_log::Elements elements = log.values(part, bytes);
      keep(part.first, part.last, elements.values);
      std::size_t reached = part.first;
      for (const auto& [first, last] : elements.holes) {
        taken.push_back({reached, first});
        reached = last;
      }
      taken.push_back({reached, part.last});
    } catch (...) {
      log.unreadable(recorded_->batch, part, describe_current_exception().message);
    }
  }
  std::sort(taken.begin(), taken.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  std::vector<Range> missing;
  std::size_t reached = 0;
  std::size_t count = 0;
  for (const Range& part : taken) {
    const std::size_t first = std::max(part.first, reached);
    if (first >= part.last) continue;
    if (reached < first) missing.push_back({reached, first});
    complete(first, part.last);
    count += part.last - first;
    reached = part.last;
  }
  if (reached < size_) missing.push_back({reached, size_});
  if (count > 0) log.taken(recorded_->batch, count);
  return missing;
}

// What a worker of this node has run.
void Bulk::record(std::size_t first, std::size_t last) noexcept {
  try {
    codec::Bytes values;
    encode_values(first, last, values);
    record(first, last, values, true);
  } catch (...) {
    recorded_->log.skipped(last - first, describe_current_exception().message);
  }
}

void Bulk::record(std::size_t first, std::size_t last, std::span<const std::byte> values,
                  bool may_wait) noexcept {
  try {
    job_log::Elements elements{recorded_->batch.number, first, last, failed_among(first, last),
                               values};
    std::size_t failed = 0;
    for (const auto& [begin, end] : elements.holes) failed += end - begin;
    if (failed < last - first) recorded_->log.add(elements, may_wait);
  } catch (const std::bad_alloc& error) {
    recorded_->log.skipped(last - first, error.what());
  }
}

}  // namespace pp::runtime
