// Courier: jobs lent and borrowed.
#include <algorithm>
#include <utility>

#include "courier.hpp"

namespace pp::runtime {

namespace {

constexpr std::size_t kGrantBytes =
    64 * 1024;  // of arguments in one grant, about; one job may be larger
constexpr std::size_t kBacklog =
    1024 * 1024;  // bytes: a peer that does not take what it was sent is given no more
constexpr std::size_t kMostJobs = 1024;  // in one grant

}  // namespace

Victim::Stock Courier::stock() const {
  return {parts_.queue.own(), parts_.queue.borrowed(), crew_->workers(), crew_->idle()};
}

void Courier::serve_thieves() {
  if (!victim_.anybody_parked()) return;
  serve_parked();
  if (!victim_.anybody_parked()) return;
  // Say that they wait, then look once more: who pushes from now on wakes us (Crew::announce).
  crew_->set_waiting_thieves(true);
  serve_parked();
}

void Courier::serve_parked() {
  for (const Victim::Thief& thief : victim_.parked()) serve(thief);
}

// True when the thief got something (a job, or an owner to turn to).
bool Courier::serve(const Victim::Thief& thief) {
  if (transport_->backlog(thief.session) > kBacklog) return false;
  const Victim::Gift gift = Victim::decide(stock(), thief, thief_.asks(thief.session));
  if (gift.lend > 0) return lend(thief, gift.lend);
  if (gift.give_back > 0) return give_back(thief, gift.give_back);
  return false;
}

bool Courier::lend(const Victim::Thief& thief, std::size_t most) {
  const std::vector<Job*> jobs = parts_.queue.lend(std::min(most, kMostJobs));
  crew_->announce();  // jobs that cannot travel were out of sight for a moment
  if (jobs.empty()) return false;
  messages::Grant grant;
  std::vector<codec::Bytes> arguments(jobs.size());
  std::vector<Job*> stay;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Job& job = *jobs[i];
    if (bytes >= kGrantBytes || !encode(job, arguments[i])) {
      stay.push_back(&job);
      continue;
    }
    bytes += arguments[i].size();
    const std::uint64_t number = ledger_.lend(job, thief.session);
    grant.jobs.push_back({number, job.attempt, job.function->id, arguments[i]});
  }
  // The newest first, so that the oldest lies in front again.
  for (auto job = stay.rbegin(); job != stay.rend(); ++job) {
    (*job)->unclaim();
    parts_.queue.push_outside_oldest(*job);
  }
  if (!stay.empty()) crew_->announce();
  if (grant.jobs.empty()) return false;
  victim_.unpark(thief.session);
  board_.lock()->lent += grant.jobs.size();
  grant.queued = load().queued;
  send(thief.session, messages::encode(grant));
  return true;
}

// False: it cannot travel after all, and will be run here.
bool Courier::encode(Job& job, codec::Bytes& arguments) {
  std::string why;
  try {
    job.kind->encode_arguments(job, arguments);
    if (arguments.size() <= transport::kMaxMessage / 2) return true;
    why = "they take " + std::to_string(arguments.size()) + " bytes encoded, at most " +
          std::to_string(transport::kMaxMessage / 2) + " can travel";
  } catch (...) {  // the user's own serialize, or a value nested too deeply
    why = describe_current_exception().message;
  }
  job.stays = true;
  parts_.log.warn("a job " + std::string(job.function->name) +
                  " stays on this node, its arguments cannot travel: " + why);
  return false;
}

bool Courier::give_back(const Victim::Thief& thief, std::size_t most) {
  const std::vector<Job*> jobs = parts_.queue.unborrow(std::min(most, kMostJobs));
  if (jobs.empty()) return false;
  borrowed_open_ -= jobs.size();
  std::map<SessionId, std::vector<messages::Returned>> back;
  for (Job* job : jobs) {
    const auto& borrowed = static_cast<const BorrowedJob&>(*job);
    back[borrowed.lender].push_back({borrowed.number, false, messages::Reason::kWanted});
    job->release();
  }
  const SessionId* owner = nullptr;
  for (const auto& [lender, returned] : back) {
    send(lender, messages::encode(returned));
    // A thief that owns them itself needs no directions: they come home to it.
    if (owner == nullptr || returned.size() > back[*owner].size()) owner = &lender;
  }
  const PeerRecord* record = peer(*owner);
  victim_.unpark(thief.session);
  if (record == nullptr) {
    send(thief.session, messages::encode(messages::None{load().queued}));
    victim_.park(thief);
  } else {
    send(thief.session,
         messages::encode(messages::Redirect{record->peer.introduction.node, load().queued}));
  }
  return true;
}

// Somebody is idle and nothing lies here for them; or what lies here is borrowed and will not last
// until more could come.
bool Courier::hungry_soon() const {
  if (parts_.queue.own() > 0) return false;
  const std::size_t borrowed = parts_.queue.borrowed();
  if (borrowed == 0 && crew_->idle() > 0) return true;
  return borrowed_open_ > 0 && borrowed < low_water_.load(std::memory_order_relaxed);
}

void Courier::steal() {
  const Crew::Totals totals = crew_->totals();
  prefetch_.ran(totals.outermost, totals.busy);
  low_water_.store(prefetch_.low_water(crew_->workers()), std::memory_order_relaxed);
  while (hungry_soon()) {
    const std::optional<SessionId> victim = thief_.ask();
    if (!victim) break;
    peer(*victim)->asked = Clock::now();
    send(*victim, messages::encode(messages::Steal{crew_->workers(), crew_->idle()}));
  }
  may_ask_.store(thief_.may_ask(), std::memory_order_relaxed);
}

void Courier::requeue(const std::vector<Ledger::Verdict>& verdicts) {
  // The newest first, so that the oldest lies in front again.
  for (auto verdict = verdicts.rbegin(); verdict != verdicts.rend(); ++verdict) {
    if (verdict->job == nullptr) continue;
    if (verdict->again) {
      verdict->job->retain();  // once its claim is given back, somebody may run and release it
      crew_->give_back(*verdict->job);
      parts_.queue.push_outside_oldest(verdict->job);
      crew_->announce();
      verdict->job->release();
    } else {
      fail(*verdict->job,
           Failure::of(Failure::Kind::kNodeLost,
                       "pp: the job " + std::string(verdict->job->function->name) +
                           " was lost with every node that ran it: " + verdict->message));
    }
  }
}

// Takes over the reference of a lent job.
void Courier::settle(Job& job, const messages::Result& result) {
  if (const auto* value = std::get_if<0>(&result.outcome)) {
    job.kind->store_encoded(job, codec::Bytes(value->begin(), value->end()));
    // Relaxed: published by finish().
    job.state.fetch_or(Job::kEncoded, std::memory_order_relaxed);
  } else {
    job.kind->store_failure(job, Failure(std::get<Failure>(result.outcome)));
  }
  crew_->finish(job);
  job.release();
}

// Takes over the reference of a lent job.
void Courier::fail(Job& job, Failure failure) {
  job.kind->store_failure(job, std::move(failure));
  crew_->finish(job);
  job.release();
}

void Courier::on(const messages::Steal& steal) {
  const Victim::Thief thief{speaker_, steal.workers, steal.idle};
  victim_.unpark(speaker_);
  if (serve(thief)) return;
  victim_.park(
      thief);  // the refused request is the lifeline; serve_thieves() looks again in the next turn
  send(speaker_, messages::encode(messages::None{load().queued}));
}

// The request that the speaker has just answered took so long.
void Courier::note_answer() {
  PeerRecord* record = peer(speaker_);
  if (!record->asked)
    return;  // it was parked there: its answer came when there was work, not when the wire brought
             // it
  prefetch_.answered(Clock::now() - *record->asked);
  record->asked.reset();
}

void Courier::on(const messages::Grant& grant) {
  note_answer();
  thief_.granted(speaker_);
  thief_.heard(speaker_, grant.queued);
  const bool leaving = stopping_.load(std::memory_order_relaxed);
  std::vector<messages::Returned> back;
  for (const messages::LentJob& lent : grant.jobs) {
    const Function* function = parts_.functions.find(lent.function);
    if (leaving || function == nullptr) {
      back.push_back({lent.number, false,
                      leaving ? messages::Reason::kLeaving : messages::Reason::kUnknownFunction});
      continue;
    }
    ++borrowed_open_;
    parts_.queue.push_borrowed(
        new BorrowedJob(speaker_, lent.number, lent.attempt, *function, lent.arguments, *this));
    crew_->announce();
  }
  if (!back.empty()) send(speaker_, messages::encode(back));
}

void Courier::on(const messages::Redirect& redirect) {
  std::optional<SessionId> owner;
  for (const auto& [session, record] : peers_) {
    if (record.peer.introduction.node == redirect.owner) owner = session;
  }
  thief_.redirected(speaker_, owner);
}

void Courier::on(const messages::None& none) {
  note_answer();
  thief_.refused(speaker_);
  thief_.heard(speaker_, none.queued);
}

void Courier::on(std::span<const messages::Returned> returned) {
  std::vector<Ledger::Verdict> verdicts;
  for (const messages::Returned& one : returned) {
    const std::string how =
        who(speaker_) + " returned it: " + std::string(messages::to_string(one.reason));
    verdicts.push_back(ledger_.give_back(one.number, speaker_, one.begun, how));
    if (verdicts.back().job == nullptr) ++board_.lock()->late;
  }
  requeue(verdicts);
}

void Courier::on(std::span<const messages::Result> results) {
  std::uint64_t late = 0;
  for (const messages::Result& result : results) {
    if (Job* job = ledger_.settle(result.number, speaker_)) {
      settle(*job, result);
    } else {
      ++late;
    }
  }
  if (late > 0) board_.lock()->late += late;
}

}  // namespace pp::runtime
