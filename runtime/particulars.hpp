// Particulars: what only some jobs have: options, a stop token, a history of losses.
#pragma once

#include <atomic>
#include <chrono>
#include <pp/blob.hpp>
#include <pp/job.hpp>
#include <pp/job_options.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace pp::runtime {

struct Particulars {
  JobOptions options;  // set before the job is submitted
  // The courier's alone: how earlier attempts ended, if any did; how many nodes died while it may
  // have been running there; and of these, how many with it as the only one that can have killed
  // them. Of the others: how many it has seen die in all, and its part of the blame for them.
  std::string losses;
  unsigned suspected = 0;
  unsigned blamed = 0;
  unsigned deaths_seen = 0;
  unsigned shared_blame = 0;  // in thousandths of a death

  // A share counts for half of what is certain: it falls on those who were only there, too.
  unsigned blame() const { return blamed + shared_blame / 2000; }
  // What belongs to the arguments while they are lent, and to the result once it has come. The
  // courier's, until the job is done; then for who decodes.
  std::vector<Luggage::Item> blobs;
  // Of the arguments what is lent under a name of the loan (Courier::offer). The courier's.
  std::vector<std::pair<Luggage::Place, BlobId>> offers;

  // Made when the job first asks for its token; under the lock in stop.cpp.
  std::stop_source stop{std::nostopstate};

  // Whoever turns it to true stores the outcome. Relaxed: the outcome itself is published by
  // Job::mark_done().
  std::atomic<bool> settled{false};

  // Deadlines' own, under its lock: when the time is over, or how much was left when the clock was
  // stopped.
  std::chrono::steady_clock::time_point deadline{};
  std::chrono::nanoseconds left{0};
};

// The job's; made when there are none yet. Any thread that holds a reference.
Particulars& particulars_of(Job& job);

// Null if there are none.
inline Particulars* find_particulars(const Job& job) {
  // Acquire: pairs with the release in particulars_of(); publishes the content.
  return job.particulars.load(std::memory_order_acquire);
}

inline bool has_time_limit(const Job& job) {
  const Particulars* particulars = find_particulars(job);
  return particulars != nullptr && particulars->options.timeout.count() > 0;
}

// "render", or "render (frame 7)".
std::string title_of(const Job& job);

// How a job fails that never ran because it was cancelled.
Failure cancelled(const Job& job);
// Of a job that was not begun any more when the program was asked to end.
Failure turned_away();

// Tells an execution to stop: sets the flag, and the token if the job has one. The callbacks that
// the job has registered run here, on this thread. REQUIRES: the caller holds a reference.
void tell_to_stop(Job& job);

// The token of a running job.
std::stop_token stop_token_of(Job& job);

}  // namespace pp::runtime
