// Courier: jobs lent and borrowed.
#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "courier.hpp"
#include "particulars.hpp"

namespace pp::runtime {

namespace {

constexpr std::size_t kGrantBytes =
    64 * 1024;  // of arguments in one grant, about; one job may be larger
constexpr std::size_t kBacklog =
    1024 * 1024;  // bytes: a peer that does not take what it was sent is given no more
constexpr std::size_t kMostJobs = 1024;  // in one grant
// How long jobs may wait for a node that was never here before the log says so.
constexpr std::chrono::milliseconds kPatience{900};

}  // namespace

Victim::Stock Courier::stock() const {
  const Queue& queue = parts_.queue;
  return {.own = queue.own(),
          .borrowed = queue.borrowed(),
          .pinned = queue.pinned(),
          .elsewhere = queue.elsewhere(),
          .workers = crew_->workers(),
          .idle = crew_->idle()};
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
  std::vector<Job*> jobs = parts_.queue.lend(std::min(most, kMostJobs));
  crew_->announce();  // jobs that cannot travel were out of sight for a moment
  const bool any = grant(thief.session, jobs, false);
  put_back(jobs);
  if (any) victim_.unpark(thief.session);
  return any;
}

// Sends as many of `jobs`, which are claimed, as fit into one message, and leaves the rest there.
// False if there was nothing to send: those that are not wanted any more, and those that cannot
// travel after all, are dealt with otherwise.
bool Courier::grant(SessionId to, std::vector<Job*>& jobs, bool unasked) {
  messages::Grant grant;
  grant.unasked = unasked;
  std::vector<codec::Bytes> arguments;
  arguments.reserve(std::min(jobs.size(), kMostJobs));  // the grant refers to them
  std::size_t bytes = 0;
  std::size_t done = 0;
  for (; done < jobs.size() && bytes < kGrantBytes && grant.jobs.size() < kMostJobs; ++done) {
    Job& job = *jobs[done];
    if (job.told_to_stop()) {
      fail(job, cancelled(job));
      continue;
    }
    codec::Bytes& encoded = arguments.emplace_back();
    if (!encode(job, encoded)) {
      arguments.pop_back();
      continue;
    }
    bytes += encoded.size();
    const std::uint64_t number = ledger_.lend(job, to);
    grant.jobs.push_back(describe(job, number, encoded));
  }
  jobs.erase(jobs.begin(), jobs.begin() + static_cast<std::ptrdiff_t>(done));
  if (grant.jobs.empty()) return false;
  board_.lock()->lent += grant.jobs.size();
  grant.queued = queued();
  send(to, messages::encode(grant));
  return true;
}

// Claimed jobs lie in the queue again, in the same order.
void Courier::put_back(const std::vector<Job*>& jobs) {
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) put_back(**job);
}

void Courier::put_back(Job& job) {
  job.retain();  // once its claim is given back, somebody may run and release it
  release_claim(job);
  parts_.queue.push_oldest(&job);
  if (job.runs_here()) crew_->announce();
  job.release();
}

std::optional<SessionId> Courier::session_of(const NodeId& node) const {
  const std::optional<SessionId> session = neighbourhood_.session_of(node);
  if (!session) return std::nullopt;
  const auto entry = peers_.find(*session);
  const bool talks = entry != peers_.end() && !entry->second.left && !entry->second.told;
  return talks ? session : std::nullopt;
}

// Jobs for one node each: sent as soon as it is here, failed when it has gone, kept otherwise.
void Courier::grant_placed() {
  // Acquire: pairs with the release in placed().
  if (!placed_due_.exchange(false, std::memory_order_acquire)) return;
  std::map<SessionId, std::vector<Job*>> present;
  std::vector<Job*> taken;
  std::set<NodeId> never_met;
  const auto may_go = [&](Job& job) {
    const NodeId& target = find_particulars(job)->options.where.target();
    const std::optional<SessionId> session = session_of(target);
    if (!session && job.queued() && !job.told_to_stop() && !leaving()) {
      const discovery::Member* member = neighbourhood_.find(target);
      if (member == nullptr) {
        never_met.insert(target);
        return false;
      }
      if (is_present(member->state)) {
        neighbourhood_.connect(target, Clock::now());
        return false;
      }
    }
    if (session && job.claim(Job::kLent)) {
      present[*session].push_back(&job);
    } else {
      taken.push_back(&job);
    }
    return true;
  };
  parts_.queue.take_placed(may_go);
  for (auto& [session, jobs] : present) {
    while (!jobs.empty() && transport_->backlog(session) <= kBacklog) grant(session, jobs, true);
    if (jobs.empty()) continue;
    put_back(jobs);
    placed_due_.store(true, std::memory_order_relaxed);
  }
  for (Job* job : taken) give_up(*job);
  ask_for(never_met);
}

// A placed job that cannot be sent. Takes over the entry's reference.
void Courier::give_up(Job& job) {
  if (!job.claim(Job::kLent)) return job.release();  // cancelled while it waited
  if (job.told_to_stop()) return fail(job, cancelled(job));
  const discovery::Member* member =
      neighbourhood_.find(find_particulars(job)->options.where.target());
  fail(job, Failure::of(Failure::Kind::kNodeLost,
                        "pp: the job " + title_of(job) + " was to run on the node " +
                            (member == nullptr ? "that was named" : member->name) +
                            " only, which is gone"));
}

// Says once for each node that jobs wait for it, when they have for a while.
void Courier::ask_for(const std::set<NodeId>& nodes) {
  const Clock::time_point now = Clock::now();
  for (const NodeId& node : nodes) {
    const auto [entry, is_new] = awaited_.try_emplace(node, now);
    if (is_new || now - entry->second < kPatience) continue;
    entry->second = Clock::time_point::max();
    parts_.log.warn("jobs wait for the node " + node.short_name() +
                    ", where they are to run (JobOptions::where) and which has not been here yet");
  }
}

// What the borrower is told of a job.
messages::LentJob Courier::describe(const Job& job, std::uint64_t number,
                                    std::span<const std::byte> arguments) const {
  messages::LentJob lent;
  lent.number = number;
  lent.attempt = job.attempt;
  lent.function = job.function->id;
  lent.arguments = arguments;
  lent.id = job.id;
  lent.priority = static_cast<std::uint8_t>(job.priority);
  lent.placed = job.place == Where::Kind::kNode;
  lent.once = options_.retries == 0;
  if (const Particulars* particulars = find_particulars(job)) {
    lent.timeout_nanoseconds = static_cast<std::uint64_t>(particulars->options.timeout.count());
    lent.once = particulars->options.retries.value_or(options_.retries) == 0;
    lent.label = particulars->options.label;
  }
  return lent;
}

// False: it cannot travel after all, and was put back to be run here, or has failed.
bool Courier::encode(Job& job, codec::Bytes& arguments) {
  std::string why;
  try {
    job.kind->encode_arguments(job, arguments);
    if (arguments.size() <= kMostEncoded) return true;
    why = "they take " + std::to_string(arguments.size()) + " bytes encoded, at most " +
          std::to_string(kMostEncoded) + " can travel";
  } catch (...) {  // the user's own serialize, or a value nested too deeply
    why = describe_current_exception().message;
  }
  if (!job.runs_here()) {
    fail(job,
         Failure::of(Failure::Kind::kUndecodable,
                     "pp: the job " + title_of(job) +
                         " is to run on another node, but its arguments cannot travel: " + why));
    return false;
  }
  job.stays = true;
  parts_.log.warn("a job " + title_of(job) +
                  " stays on this node, its arguments cannot travel: " + why);
  put_back(job);
  return false;
}

// Claimed borrowed jobs go home, not begun; says how many to whom.
std::map<SessionId, std::size_t> Courier::return_borrowed(const std::vector<Job*>& jobs,
                                                          messages::Reason reason) {
  std::map<SessionId, std::vector<messages::Returned>> back;
  for (Job* job : jobs) {
    auto& borrowed = static_cast<BorrowedJob&>(*job);
    back[borrowed.lender].push_back({borrowed.number, false, reason});
    forget_borrowed(borrowed);
    job->release();
  }
  std::map<SessionId, std::size_t> counts;
  for (const auto& [lender, returned] : back) {
    send(lender, messages::encode(returned));
    counts.emplace(lender, returned.size());
  }
  return counts;
}

// A node without workers keeps nothing that others could run.
void Courier::return_unwanted() {
  if (crew_->workers() > 0 || parts_.queue.borrowed() == 0) return;
  return_borrowed(parts_.queue.unborrow(SIZE_MAX), messages::Reason::kWanted);
}

bool Courier::give_back(const Victim::Thief& thief, std::size_t most) {
  const std::map<SessionId, std::size_t> back =
      return_borrowed(parts_.queue.unborrow(std::min(most, kMostJobs)), messages::Reason::kWanted);
  if (back.empty()) return false;
  // A thief that owns them itself needs no directions: they come home to it.
  const SessionId* owner = nullptr;
  std::size_t most_returned = 0;
  for (const auto& [lender, returned] : back) {
    if (returned <= most_returned) continue;
    owner = &lender;
    most_returned = returned;
  }
  const PeerRecord* record = peer(*owner);
  victim_.unpark(thief.session);
  if (record == nullptr) {
    send(thief.session, messages::encode(messages::None{queued()}));
    victim_.park(thief);
  } else {
    send(thief.session,
         messages::encode(messages::Redirect{record->peer.introduction.node, queued()}));
  }
  return true;
}

// Somebody is idle and nothing lies here for them; or what lies here is borrowed and will not last
// until more could come.
bool Courier::hungry_soon() const {
  if (leaving()) return false;
  if (parts_.queue.own() > 0 || parts_.queue.pinned() > 0) return false;
  const std::size_t borrowed = parts_.queue.borrowed();
  if (borrowed == 0 && crew_->idle() > 0) return true;
  return !borrowed_open_.empty() && borrowed < low_water_.load(std::memory_order_relaxed);
}

void Courier::steal() {
  const Crew::Totals totals = crew_->totals();
  prefetch_.ran(totals.outermost, totals.busy);
  low_water_.store(prefetch_.low_water(crew_->workers()), std::memory_order_relaxed);
  while (hungry_soon()) {
    const std::optional<SessionId> victim = thief_.ask();
    if (!victim) break;
    PeerRecord* record = peer(*victim);
    record->asked = record->used = Clock::now();
    send(*victim, messages::encode(messages::Steal{crew_->workers(), crew_->idle()}));
  }
  may_ask_.store(thief_.may_ask(), std::memory_order_relaxed);
}

// A job for one node is not for any other: it waits for that one as long as it is a member.
void Courier::keep_to_its_place(Ledger::Verdict& verdict, const std::string& how) {
  if (verdict.job == nullptr || !verdict.again || verdict.job->place != Where::Kind::kNode) return;
  const discovery::Member* member =
      neighbourhood_.find(find_particulars(*verdict.job)->options.where.target());
  if (member != nullptr && is_present(member->state)) return;
  verdict.again = false;
  verdict.message = how;
}

void Courier::requeue(const std::vector<Ledger::Verdict>& verdicts) {
  // The newest first, so that the oldest lies in front again.
  for (auto verdict = verdicts.rbegin(); verdict != verdicts.rend(); ++verdict) {
    if (verdict->job == nullptr) continue;
    if (verdict->job->told_to_stop()) {
      fail(*verdict->job, cancelled(*verdict->job));
    } else if (verdict->again) {
      put_back(*verdict->job);
    } else {
      const bool placed = verdict->job->place == Where::Kind::kNode;
      fail(*verdict->job, Failure::of(Failure::Kind::kNodeLost,
                                      "pp: the job " + title_of(*verdict->job) +
                                          (placed ? " was to run on one node only: "
                                                  : " was lost with every node that ran it: ") +
                                          verdict->message));
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
  finish(job);
  job.release();
}

// Takes over the reference of a lent job.
void Courier::fail(Job& job, Failure failure) {
  job.kind->store_failure(job, std::move(failure));
  finish(job);
  job.release();
}

void Courier::on(const messages::Steal& steal) {
  const Victim::Thief thief{speaker_, steal.workers, steal.idle};
  victim_.unpark(speaker_);
  peer(speaker_)->used = Clock::now();
  if (leaving()) return;  // it has been told
  if (serve(thief)) return;
  victim_.park(
      thief);  // the refused request is the lifeline; serve_thieves() looks again in the next turn
  send(speaker_, messages::encode(messages::None{queued()}));
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
  if (!grant.unasked) {
    note_answer();
    thief_.granted(speaker_);
  }
  thief_.heard(speaker_, grant.queued);
  const bool leaving = this->leaving();
  std::vector<messages::Returned> back;
  for (const messages::LentJob& lent : grant.jobs) {
    const Function* function = parts_.functions.find(lent.function);
    if (leaving || function == nullptr) {
      back.push_back({lent.number, false,
                      leaving ? messages::Reason::kLeaving : messages::Reason::kUnknownFunction});
      continue;
    }
    auto* job =
        new BorrowedJob(speaker_, lent.number, lent.attempt, *function, lent.arguments, *this);
    job->home = &parts_.home;
    job->id = lent.id;
    job->priority = static_cast<Priority>(lent.priority);  // checked when it was decoded
    job->borrowed = true;
    job->placed = lent.placed;
    if (lent.placed) job->place = Where::Kind::kHere;
    if (lent.timeout_nanoseconds != 0 || !lent.label.empty() || lent.once) {
      JobOptions& options = particulars_of(*job).options;
      options.timeout = std::chrono::nanoseconds(lent.timeout_nanoseconds);
      options.label = lent.label;
      if (lent.once) options.retries = 0;
    }
    add_borrowed(*job);
    parts_.queue.push(job);
    crew_->announce();
  }
  return_unwanted();
  if (!back.empty()) send(speaker_, messages::encode(back));
}

void Courier::on(const messages::Redirect& redirect) {
  const std::optional<SessionId> owner = session_of(redirect.owner);
  thief_.redirected(speaker_, owner);
  if (owner || redirect.owner == transport_->self().node) return;
  pointed_to_ = redirect.owner;
  neighbourhood_.connect(redirect.owner, Clock::now());
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
    keep_to_its_place(verdicts.back(), how);
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

void Courier::on_cancel(std::span<const std::uint64_t> numbers) {
  const std::unordered_set<std::uint64_t> named(numbers.begin(), numbers.end());
  const auto meant = [&](const BorrowedJob& job) {
    return job.lender == speaker_ && named.contains(job.number);
  };
  std::vector<messages::Returned> back;
  for (Job* job : parts_.queue.drop_borrowed(
           [&](const Job& job) { return meant(static_cast<const BorrowedJob&>(job)); })) {
    auto& borrowed = static_cast<BorrowedJob&>(*job);
    back.push_back({borrowed.number, false, messages::Reason::kCancelled});
    forget_borrowed(borrowed);
    job->release();
  }
  if (!back.empty()) send(speaker_, messages::encode(back));
  // User code may hang on the token: not on this thread.
  for (BorrowedJob* job : borrowed_open_) {
    if (meant(*job)) parts_.deadlines.tell_to_stop_soon(*job);
  }
}

// Lent jobs that nobody wants any more.
void Courier::send_recalls() {
  std::vector<Job*> recalled;
  std::swap(recalled, *recalled_.lock());
  if (recalled.empty()) return;
  std::map<SessionId, std::vector<std::uint64_t>> numbers;
  for (const Ledger::Open& loan : ledger_.find({recalled.begin(), recalled.end()}))
    numbers[loan.borrower].push_back(loan.number);
  for (const auto& [borrower, named] : numbers) send(borrower, messages::encode_cancel(named));
  for (Job* job : recalled) job->release();
}

void Courier::add_borrowed(BorrowedJob& job) {
  ++peer(job.lender)->borrowed;
  job.place_in_list = borrowed_open_.size();
  borrowed_open_.push_back(&job);
}

void Courier::forget_borrowed(BorrowedJob& job) {
  BorrowedJob* last = borrowed_open_.back();
  borrowed_open_[job.place_in_list] = last;
  last->place_in_list = job.place_in_list;
  borrowed_open_.pop_back();
  if (PeerRecord* record = peer(job.lender)) {
    --record->borrowed;
    record->used = Clock::now();
  }
}

}  // namespace pp::runtime
