// Deadlines: one thread, one ordered list.
#include "deadlines.hpp"

namespace pp::runtime {

namespace {

std::string in_seconds(std::chrono::nanoseconds time) {
  std::string text = std::to_string(std::chrono::duration<double>(time).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

}  // namespace

void Deadlines::stop() {
  {
    auto agenda = agenda_.lock();
    agenda->ending = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Deadlines::~Deadlines() {
  stop();
  auto agenda = agenda_.lock();
  for (const auto& [when, job] : agenda->due) job->release();
  for (Job* job : agenda->to_stop) job->release();
}

void Deadlines::begin(Job& job) { insert(job, find_particulars(job)->options.timeout); }

void Deadlines::pause(Job& job) {
  Particulars& particulars = *find_particulars(job);
  // What has expired meanwhile stays expired.
  particulars.left = erase(job) ? particulars.deadline - Clock::now() : std::chrono::nanoseconds{0};
}

void Deadlines::resume(Job& job) {
  const Particulars& particulars = *find_particulars(job);
  if (!particulars.settled.load(std::memory_order_relaxed)) insert(job, particulars.left);
}

void Deadlines::end(Job& job) { erase(job); }

void Deadlines::tell_to_stop_soon(Job& job) {
  auto agenda = agenda_.lock();
  job.retain();
  agenda->to_stop.push_back(&job);
  start(*agenda);
  changed_.notify_all();
}

void Deadlines::insert(Job& job, std::chrono::nanoseconds left) {
  auto agenda = agenda_.lock();
  const Clock::time_point now = Clock::now();
  const Clock::time_point when =
      left > Clock::time_point::max() - now ? Clock::time_point::max() : now + left;
  find_particulars(job)->deadline = when;
  job.retain();
  const auto entry = agenda->due.emplace(when, &job);
  start(*agenda);
  if (entry == agenda->due.begin()) changed_.notify_all();
}

// True: the clock was running.
bool Deadlines::erase(Job& job) {
  {
    auto agenda = agenda_.lock();
    const auto [first, last] = agenda->due.equal_range(find_particulars(job)->deadline);
    auto entry = first;
    while (entry != last && entry->second != &job) ++entry;
    if (entry == last) return false;
    agenda->due.erase(entry);
  }
  job.release();  // not the last: the caller's execution holds one
  return true;
}

void Deadlines::start(Agenda& agenda) {
  if (agenda.started || agenda.ending) return;
  agenda.started = true;
  thread_ = std::thread([this] { run(); });
}

void Deadlines::run() {
  for (;;) {
    Job* expired = nullptr;
    std::vector<Job*> to_stop;
    {
      auto agenda = agenda_.lock();
      const auto something = [&] {
        return agenda->ending || !agenda->to_stop.empty() ||
               (!agenda->due.empty() && agenda->due.begin()->first <= Clock::now());
      };
      // A wait until an instant that has moved wakes early and looks again.
      if (agenda->due.empty()) {
        agenda.wait(changed_, [&] { return something() || !agenda->due.empty(); });
      } else {
        const Clock::time_point next = agenda->due.begin()->first;
        agenda.wait_until(changed_, next, [&] {
          return something() || agenda->due.empty() || agenda->due.begin()->first != next;
        });
      }
      if (agenda->ending) return;
      to_stop.swap(agenda->to_stop);
      if (!agenda->due.empty() && agenda->due.begin()->first <= Clock::now()) {
        expired = agenda->due.begin()->second;
        agenda->due.erase(agenda->due.begin());
      }
    }
    for (Job* job : to_stop) {
      tell_to_stop(*job);
      job->release();
    }
    if (expired != nullptr) {
      expire(*expired);
      expired->release();
    }
  }
}

void Deadlines::expire(Job& job) {
  if (!job.settle()) return;  // its execution was faster
  const Particulars& particulars = *find_particulars(job);
  Failure failure = Failure::of(Failure::Kind::kTimeout,
                                "pp: the job " + title_of(job) + " took longer than its limit of " +
                                    in_seconds(particulars.options.timeout) + " on " + node_ +
                                    ": it is told to stop");
  failure.node = node_;
  job.kind->store_failure(job, std::move(failure));
  if (job.kind->deliver != nullptr) job.kind->deliver(job);
  finish(job);
  tell_to_stop(job);
}

}  // namespace pp::runtime
