// Particulars: made once, whoever comes first, and the order of flag and token that loses no stop.
#include "particulars.hpp"

#include <mutex>

namespace pp::runtime {

namespace {

// Few jobs are ever told to stop: one lock for all. No user code runs under it.
std::mutex stopping;

}  // namespace

Particulars& particulars_of(Job& job) {
  if (Particulars* there = find_particulars(job)) return *there;
  auto* made = new Particulars;
  Particulars* there = nullptr;
  // Release: publishes what we made; acquire: what another one made meanwhile.
  if (job.particulars.compare_exchange_strong(there, made, std::memory_order_acq_rel,
                                              std::memory_order_acquire)) {
    return *made;
  }
  delete made;
  return *there;
}

bool Job::settle_timed() noexcept {
  return !has_time_limit(*this) ||
         !find_particulars(*this)->settled.exchange(true, std::memory_order_relaxed);
}

void Job::drop_particulars() noexcept { delete particulars.load(std::memory_order_relaxed); }

std::string title_of(const Job& job) {
  std::string title(job.function->name);
  const Particulars* particulars = find_particulars(job);
  if (particulars != nullptr && !particulars->options.label.empty())
    title += " (" + particulars->options.label + ")";
  return title;
}

Failure cancelled(const Job& job) {
  return Failure::of(Failure::Kind::kCancelled,
                     "pp: the job " + title_of(job) + " was cancelled before it began");
}

Failure turned_away() {
  return Failure::of(Failure::Kind::kClosed,
                     "pp: the program was asked to end before this job was begun");
}

void tell_to_stop(Job& job) {
  // Before the lock: who makes the token later sees the flag, who made it before is seen by us.
  job.state.fetch_or(Job::kStop, std::memory_order_relaxed);
  std::stop_source source(std::nostopstate);
  {
    const std::lock_guard lock(stopping);
    if (const Particulars* particulars = find_particulars(job)) source = particulars->stop;
  }
  source.request_stop();
}

std::stop_token stop_token_of(Job& job) {
  Particulars& particulars = particulars_of(job);
  std::stop_source source(std::nostopstate);
  {
    const std::lock_guard lock(stopping);
    if (!particulars.stop.stop_possible()) particulars.stop = std::stop_source();
    source = particulars.stop;
  }
  if (job.told_to_stop()) source.request_stop();
  return source.get_token();
}

}  // namespace pp::runtime
