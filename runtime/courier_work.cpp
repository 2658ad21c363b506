// Courier: jobs lent and borrowed.
#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "courier.hpp"
#include "particulars.hpp"
#include "rules.hpp"

namespace pp::runtime {

namespace {

constexpr std::size_t kGrantBytes =
    64 * 1024;  // of arguments in one grant, about; one job may be larger
constexpr std::size_t kBacklog =
    1024 * 1024;  // bytes: a peer that does not take what it was sent is given no more
constexpr std::size_t kMostJobs = 1024;  // in one grant
// How long jobs may wait for a node that was never here before the log says so.
constexpr std::chrono::milliseconds kPatience{900};
// How long nothing is lent unasked to a borrower that is full: less than it takes to send what it
// may keep.
// Twice as long each time that it still was, and a second at most; until it asks for work.
constexpr std::chrono::milliseconds kRefusesFor{10};
constexpr std::chrono::seconds kRefusesForAtMost{1};
// Loans that a node may have when it is lent more unasked: half of what it takes.
constexpr std::size_t kMostUnasked = std::size_t{1} << 15;
// Bytes of refusals that a node has not acknowledged while it lends on and on.
constexpr std::size_t kMostUnheard = std::size_t{16} << 20;

}  // namespace

Victim::Stock Courier::stock() const {
  const Queue& queue = parts_.queue;
  return {.own = queue.own(),
          .borrowed = queue.borrowed(),
          .pinned = queue.pinned(),
          .elsewhere = queue.elsewhere(),
          .workers = workforce_->workers(),
          .idle = workforce_->idle(),
          .everybody = others_workers_ + workforce_->workers(),
          .keep = prefetch_.low_water(workforce_->workers(), now_)};
}

void Courier::serve_thieves() {
  if (!victim_.anybody_parked() || !holds(Rule::kLifelineServed)) return;
  serve_parked();
  if (!victim_.anybody_parked()) return;
  // Say that they wait, then look once more: who pushes from now on wakes us (Crew::announce).
  workforce_->set_waiting_thieves(true);
  serve_parked();
}

void Courier::serve_parked() {
  const Queue& queue = parts_.queue;
  for (const Victim::Thief& thief : victim_.parked()) {
    const Victim::Stock stock = this->stock();
    const bool spare =
        stock.elsewhere > 0 || stock.own + stock.borrowed + stock.pinned > stock.idle;
    if (!spare && (stock.own > 0 || !where_more())) return;
    if (!(spare && serve(thief, false)) && queue.own() == 0) send_on(thief);
  }
}

// Where there is probably more than here: where what lies here came from, or where we were sent.
std::optional<NodeId> Courier::where_more() const {
  const std::optional<SessionId> giver = thief_.giver();
  if (giver && (thief_.giver_has_more() || parts_.queue.borrowed() > 0))
    return peers_.at(*giver).link->node;
  return pointed_to_;
}

// Tells a parked thief of that node, once. False if there is none that it could be told of.
bool Courier::send_on(const Victim::Thief& thief) {
  const std::optional<NodeId> node = where_more();
  const PeerRecord* record = peer(thief.session);
  if (!node || record == nullptr || *node == record->link->node) return false;
  if (victim_.send_on(thief.session)) {
    std::erase(refused_, thief.session);
    say(thief.session, messages::encode(messages::Redirect{*node, queued(), true}));
  }
  return true;
}

// True when the thief got something (a job, or an owner that got some back). Borrowed jobs go back
// if their owner asks, who has thieves of its own to serve; for another thief that asks now, unless
// there is more where they came from; for one whose request lies here already they do not: it is
// sent on to where they came from, and that node takes back what it needs.
bool Courier::serve(const Victim::Thief& thief, bool asks_now) {
  const PeerRecord* record = peer(thief.session);
  // Over a link that does not stand yet nothing is lent: it would be lost if that one never did.
  if (record == nullptr || !record->link->attached || record->link->session != thief.session)
    return false;
  if (transport_->backlog(thief.session) > kBacklog) return false;
  const Victim::Gift gift = Victim::decide(stock(), thief, thief_.asks(thief.session));
  if (gift.lend > 0) return lend(thief, gift.lend);
  const bool may_go_back = record->link->borrowed > 0 || (asks_now && !thief_.giver_has_more());
  return gift.give_back > 0 && may_go_back && give_back(thief, gift.give_back);
}

bool Courier::lend(const Victim::Thief& thief, std::size_t most) {
  std::vector<Job*> jobs = parts_.queue.lend(std::min(most, kMostJobs));
  // Jobs that cannot travel were out of sight for a moment.
  if (!parts_.queue.empty()) workforce_->announce();
  const bool any = grant(thief.session, jobs, false);
  put_back(jobs);
  if (any) answered(thief.session);
  return any;
}

// Sends as many of `jobs`, which are claimed, as fit into one message, and leaves the rest there.
// False if there was nothing to send: those that are not wanted any more, and those that cannot
// travel after all, are dealt with otherwise.
bool Courier::grant(SessionId to, std::vector<Job*>& jobs, bool unasked, bool alone) {
  LinkRecord& link = *peer(to)->link;
  messages::Grant grant;
  grant.unasked = unasked;
  grant.jobs.reserve(std::min(jobs.size(), kMostJobs));
  codec::Bytes arguments;  // of all, one after the other
  std::vector<std::size_t> ends;
  ends.reserve(grant.jobs.capacity());
  std::size_t done = 0;
  for (; done < jobs.size() && arguments.size() < kGrantBytes && grant.jobs.size() < kMostJobs;
       ++done) {
    Job& job = *jobs[done];
    if (job.told_to_stop()) {
      fail(job, cancelled(job));
      continue;
    }
    if (parts_.queue.turns_away(job)) {
      fail(job, turned_away());
      continue;
    }
    if (!encode(job, arguments)) continue;
    ends.push_back(arguments.size());
    const std::uint64_t number = ledger_.lend(job, link.node, alone, now_);
    if (traces()) [[unlikely]]
      trace_lent(number, job, link.node);
    if (!loose_.empty()) offer(job, number, link.node);
    grant.jobs.push_back(describe(job, number));
    if (alone) grant.jobs.back().placed = true;
  }
  for (std::size_t i = 0, begin = 0; i < ends.size(); begin = ends[i++])
    grant.jobs[i].arguments = std::span(arguments).subspan(begin, ends[i] - begin);
  jobs.erase(jobs.begin(), jobs.begin() + static_cast<std::ptrdiff_t>(done));
  if (grant.jobs.empty()) return false;
  if (!unasked) thief_.lent(to);
  recalled_all_ = false;
  board_.lock()->lent += grant.jobs.size();
  lent_.fetch_add(grant.jobs.size(), std::memory_order_relaxed);
  moved(grant.jobs.size());
  grant.queued = queued();
  deliver(link, messages::encode(grant));
  return true;
}

// Claimed jobs lie in the queue again, in the same order.
void Courier::put_back(const std::vector<Job*>& jobs) {
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) put_back(**job);
}

void Courier::put_back(Job& job) {
  take_back_offers(job);  // it may run here now
  job.retain();           // once its claim is given back, somebody may run and release it
  release_claim(job);
  parts_.queue.push_oldest(&job);
  if (job.runs_here()) workforce_->announce();
  job.release();
}

std::optional<SessionId> Courier::session_of(const NodeId& node) const {
  const std::optional<SessionId> session = neighbourhood_.session_of(node);
  if (!session) return std::nullopt;
  const auto entry = peers_.find(*session);
  const bool talks = entry != peers_.end() && !entry->second.left && !closing() &&
                     !entry->second.resting && entry->second.link->attached &&
                     entry->second.link->session == *session;
  return talks ? session : std::nullopt;
}

// It has more results for this node than it may keep. It is not asked before a while has passed.
bool Courier::refuses(SessionId session) {
  const Clock::time_point until = peer(session)->link->refuses_until;
  if (until <= now_) return false;
  note_link_due(until);
  return true;
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
    if (session && refuses(*session)) return false;
    if (session) {
      const auto going = present.find(*session);
      const std::size_t loans =
          ledger_.open(target) + (going == present.end() ? 0 : going->second.size());
      placed_wait_ |= loans >= kMostUnasked;
      if (loans >= kMostUnasked) return false;
    }
    if (!session && job.queued() && !job.told_to_stop() && !closing()) {
      const discovery::Member* member = neighbourhood_.find(target);
      if (member == nullptr && !leaving()) {
        never_met.insert(target);
        return false;
      }
      // A node that leaves dials nobody any more.
      const bool comes = member != nullptr && is_present(member->state) &&
                         (!leaving() || neighbourhood_.session_of(target).has_value());
      if (comes) {
        neighbourhood_.connect(target, now_);
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
  // (Who leaves dials nobody; who has said goodbye takes nothing.)
  const auto gone = [](const auto& peer) { return peer.second.left; };
  if (closing() || (leaving() && std::all_of(peers_.begin(), peers_.end(), gone)))
    give_up_elsewhere();
}

// This node leaves. The end of the runtime is the reason, whoever notices first; a drain leaves it
// running.
Failure::Kind Courier::why_nobody_runs_it() const {
  return ending_.load(std::memory_order_relaxed) ? Failure::Kind::kClosed
                                                 : Failure::Kind::kNodeLost;
}

// This node leaves, and nobody is left who could run what may not run here.
void Courier::give_up_elsewhere() {
  std::vector<Job*> jobs = parts_.queue.lend(parts_.queue.elsewhere());
  std::vector<Job*> others;
  for (Job* job : jobs) {
    if (job->runs_here()) {
      others.push_back(job);
    } else if (job->told_to_stop()) {
      fail(*job, cancelled(*job));
    } else {
      fail(*job, Failure::of(why_nobody_runs_it(),
                             "pp: the job " + title_of(*job) +
                                 " was to run on another node, and this one is leaving and has no "
                                 "connection with any that stays"));
    }
  }
  put_back(others);
}

// A placed job that cannot be sent. Takes over the entry's reference.
void Courier::give_up(Job& job) {
  if (!job.claim(Job::kLent)) return job.release();  // cancelled while it waited
  if (job.told_to_stop()) return fail(job, cancelled(job));
  const discovery::Member* member =
      neighbourhood_.find(find_particulars(job)->options.where.target());
  fail(job, Failure::of(leaving() ? why_nobody_runs_it() : Failure::Kind::kNodeLost,
                        "pp: the job " + title_of(job) + " was to run on the node " +
                            (member == nullptr ? "that was named" : member->name) + " only, " +
                            (leaving() ? "with which this one, which is leaving, has no connection"
                                       : "which is gone")));
}

// Says once for each node that jobs wait for it, when they have for a while.
void Courier::ask_for(const std::set<NodeId>& nodes) {
  const Clock::time_point now = now_;
  for (const NodeId& node : nodes) {
    const auto [entry, is_new] = awaited_.try_emplace(node, now);
    if (is_new || now - entry->second < kPatience) continue;
    entry->second = Clock::time_point::max();
    parts_.log.warn("jobs wait for the node " + node.short_name() +
                    ", where they are to run (JobOptions::where) and which has not been here yet");
  }
}

// What the borrower is told of a job, but for its arguments.
messages::LentJob Courier::describe(const Job& job, std::uint64_t number) const {
  messages::LentJob lent;
  lent.number = number;
  lent.attempt = job.attempt;
  lent.function = job.function->id;
  lent.id = job.id;
  lent.priority = static_cast<std::uint8_t>(job.priority);
  lent.placed = job.place == Where::Kind::kNode;
  lent.once = options_.retries == 0;
  if (const Particulars* particulars = find_particulars(job)) {
    lent.timeout_nanoseconds = static_cast<std::uint64_t>(particulars->options.timeout.count());
    lent.once = particulars->options.retries.value_or(options_.retries) == 0;
    lent.label = particulars->options.label;
    for (const Luggage::Item& item : particulars->blobs)
      lent.blobs.push_back({item.blob->id(), item.place});
    for (const auto& [place, id] : particulars->offers) lent.blobs.push_back({id, place});
  }
  return lent;
}

// Appends them. False: it cannot travel after all, and was put back to be run here, or has failed.
bool Courier::encode(Job& job, codec::Bytes& arguments) {
  std::string why;
  const std::size_t before = arguments.size();
  loose_.clear();
  try {
    if (job.function->plain) {
      job.kind->encode_arguments(job, arguments);
      if (arguments.size() - before <= parts_.eager_together) return true;
      arguments.resize(before);  // too many: they become a blob
    }
    encoded_.clear();
    Luggage luggage(parts_.eager);
    luggage.leave_loose(parts_.loose_from);
    {
      const Luggage::Scope scope(&luggage);
      job.kind->encode_arguments(job, encoded_);
    }
    if (pack(job, luggage, encoded_, why)) {
      arguments.insert(arguments.end(), encoded_.begin(), encoded_.end());
      return true;
    }
  } catch (...) {  // the user's own serialize, or a value nested too deeply
    why = describe_current_exception().message;
  }
  arguments.resize(before);
  loose_.clear();
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
std::map<NodeId, std::size_t> Courier::return_borrowed(const std::vector<Job*>& jobs,
                                                       messages::Reason reason) {
  std::map<NodeId, std::vector<messages::Returned>> back;
  for (Job* job : jobs) {
    auto& borrowed = static_cast<BorrowedJob&>(*job);
    back[borrowed.owner].push_back({borrowed.number, false, reason});
    forget_borrowed(borrowed);
    job->release();
  }
  std::map<NodeId, std::size_t> counts;
  for (const auto& [owner, returned] : back) {
    if (LinkRecord* link = find_link(owner); link != nullptr && holds(Rule::kNothingInSilence))
      deliver(*link, messages::encode(returned));
    counts.emplace(owner, returned.size());
  }
  return counts;
}

// A node without workers keeps nothing that others could run.
void Courier::return_unwanted() {
  if (workforce_->workers() > 0 || parts_.queue.borrowed() == 0) return;
  return_borrowed(parts_.queue.unborrow(SIZE_MAX), messages::Reason::kWanted);
}

bool Courier::give_back(const Victim::Thief& thief, std::size_t most) {
  most = std::min(most, kMostJobs);
  const LinkRecord* asker = peer(thief.session)->link;
  std::vector<Job*> jobs;
  if (asker->borrowed > 0) {  // an owner takes back its own
    jobs = parts_.queue.drop_borrowed([&, left = most](const Job& job) mutable {
      const auto& borrowed = static_cast<const BorrowedJob&>(job);
      return borrowed.owner == asker->node && !borrowed.placed && left > 0 && left-- > 0;
    });
  }
  if (jobs.empty()) jobs = parts_.queue.unborrow(most);
  const std::map<NodeId, std::size_t> back = return_borrowed(jobs, messages::Reason::kWanted);
  if (back.empty()) return false;
  // A thief that owns them itself needs no directions: they come home to it.
  const NodeId* owner = nullptr;
  std::size_t most_returned = 0;
  for (const auto& [node, returned] : back) {
    if (returned <= most_returned) continue;
    owner = &node;
    most_returned = returned;
  }
  const LinkRecord* link = find_link(*owner);
  answered(thief.session);
  if (link == nullptr || !link->attached) {
    say(thief.session, messages::encode(messages::None{queued()}));
    victim_.park(thief);
  } else {
    say(thief.session, messages::encode(messages::Redirect{*owner, queued(), false}));
  }
  return true;
}

// Somebody is idle and nothing lies here for them; or what lies here is borrowed and will not last
// until more could come.
bool Courier::hungry_soon() const {
  if (leaving()) return false;
  if (parts_.queue.own() > 0 || parts_.queue.pinned() > 0) return false;
  const std::size_t borrowed = parts_.queue.borrowed() + waiting_.size();
  if (borrowed == 0 && workforce_->idle() > 0) return true;
  return !borrowed_open_.empty() && borrowed < low_water_.load(std::memory_order_relaxed);
}

void Courier::steal() {
  const Workforce::Totals totals = workforce_->totals();
  prefetch_.ran(totals.outermost, totals.busy, now_);
  low_water_.store(prefetch_.low_water(workforce_->workers(), now_), std::memory_order_relaxed);
  if (dial_pointed_ && pointed_to_ && hungry_soon()) {
    neighbourhood_.connect(*pointed_to_, now_);
    dial_pointed_ = false;
  }
  const auto wants = static_cast<std::uint32_t>(2 * low_water_.load(std::memory_order_relaxed));
  answers_due_ = thief_.give_up_overdue(now_);
  while (hungry_soon()) {
    const std::optional<SessionId> victim = thief_.ask(now_);
    if (!victim) break;
    PeerRecord* record = peer(*victim);
    record->asked = record->used = now_;
    if (traces()) trace_asked(*record);
    say(*victim,
        messages::encode(messages::Steal{workforce_->workers(), workforce_->idle(), wants}));
  }
  recall_surplus();
  if (!hungry_soon()) answers_due_ = Clock::time_point::max();
  may_ask_.store(thief_.may_ask(), std::memory_order_relaxed);
}

// Thieves wait here and everything is lent: whoever has more of it than it runs is asked for it.
void Courier::recall_surplus() {
  if (recalled_all_ || leaving() || ledger_.open() == 0 || !victim_.anybody_parked()) return;
  if (parts_.queue.own() > 0 || parts_.queue.pinned() > 0) return;
  const messages::Encoded ask = messages::encode(messages::Steal{victim_.parked_workers(), 0, 0});
  for (auto& [session, record] : peers_) {
    if (ledger_.open(record.link->node) <= record.peer.introduction.workers) continue;
    if (session_of(record.link->node) != session || !thief_.ask(session, now_)) continue;
    record.asked = record.used = now_;
    say(session, ask);
  }
  recalled_all_ = true;
}

// A job for one node is not for any other: it waits for that one as long as it is a member.
void Courier::keep_to_its_place(Ledger::Verdict& verdict, const std::string& how) {
  if (verdict.then == Ledger::Verdict::Then::kFail || verdict.job->place != Where::Kind::kNode)
    return;
  const discovery::Member* member =
      neighbourhood_.find(find_particulars(*verdict.job)->options.where.target());
  if (member != nullptr && is_present(member->state)) return;
  verdict.then = Ledger::Verdict::Then::kFail;
  verdict.message = how;
}

// `parcel`: the result came with blobs.
void Courier::store(Job& job, const messages::Result& result, Arriving* parcel) {
  if (find_particulars(job) != nullptr) unpack(job);
  bool decoded = false;
  if (parcel != nullptr) {
    Luggage luggage(parts_.eager, parcel->here);
    const Luggage::Scope scope(&luggage);
    particulars_of(job).blobs = std::move(parcel->here);
    decoded = job.kind->store_encoded(job, parcel->value, &parcel->value);
  } else if (const auto* value = std::get_if<0>(&result.outcome)) {
    decoded = job.kind->store_encoded(job, *value, nullptr);
  } else {
    return job.kind->store_failure(job, Failure(*std::get<messages::Failed>(result.outcome)));
  }
  // Relaxed: published by mark_done().
  if (!decoded) job.state.fetch_or(Job::kEncoded, std::memory_order_relaxed);
}

// Takes over the reference of a lent job.
void Courier::settle(Job& job, const messages::Result& result, Arriving* parcel) {
  store(job, result, parcel);
  finish(job);
  job.release();
}

// Takes over the reference of a lent job.
void Courier::fail(Job& job, Failure failure) {
  unpack(job);
  job.kind->store_failure(job, std::move(failure));
  finish(job);
  job.release();
}

void Courier::on(const messages::Steal& steal) {
  const Victim::Thief thief{speaker_, steal.workers, steal.idle, steal.wants};
  victim_.unpark(speaker_);
  peer(speaker_)->used = now_;
  peer(speaker_)->link->refuses_until = {};  // who asks has room
  peer(speaker_)->link->refuses_for = {};
  // Who leaves still lends what its own jobs wait for, until its last word.
  if (closing()) return;
  if (!reads_answers() || serve(thief, true)) return;
  victim_.park(
      thief);  // the refused request is the lifeline; serve_thieves() looks again in the next turn
  if (parts_.queue.own() == 0 && send_on(thief)) return;
  if (std::find(refused_.begin(), refused_.end(), speaker_) == refused_.end()) {
    refused_.push_back(speaker_);
  } else {
    // It has asked twice in a row, which none of ours does: each request has an answer.
    say(speaker_, messages::encode(messages::None{queued()}));
  }
}

// In the turn after the request: what has come into the queue by then is a better answer, and what
// came together with the request is not kept waiting for the writing of a refusal. (Whether or not
// the request still lies here: a thief without an answer asks nobody else. History: it had been
// taken out because its sender had lent us something, and the two hung.)
void Courier::answer_refused() {
  for (const SessionId thief : refused_)
    if (peer(thief) != nullptr) say(thief, messages::encode(messages::None{queued()}));
  refused_.clear();
}

// By something better than a refusal.
void Courier::answered(SessionId thief) {
  victim_.unpark(thief);
  std::erase(refused_, thief);
}

// The request that the speaker has just answered took so long.
void Courier::note_answer() {
  PeerRecord* record = peer(speaker_);
  if (!record->asked)
    return;  // it was parked there: its answer came when there was work, not when the wire brought
             // it
  prefetch_.answered(now_ - *record->asked);
  record->asked.reset();
}

void Courier::on(const messages::Grant& grant) {
  if (!grant.unasked) {
    note_answer();
    if (traces()) trace_granted(*peer(speaker_), grant.jobs.size());
    thief_.granted(speaker_);
    victim_.unpark(speaker_);  // it has more than we
  }
  thief_.heard(speaker_, grant.queued);
  moved(grant.jobs.size());
  LinkRecord& link = *peer(speaker_)->link;
  if (!hears_refusals(link)) return;
  const bool leaving = this->leaving();
  bool full = is_full(link);
  std::vector<messages::Returned> back;
  bool unknown = false;
  std::vector<Job*> borrowed;
  borrowed.reserve(grant.jobs.size());
  const Function* function = nullptr;
  for (const messages::LentJob& lent : grant.jobs) {
    if (function == nullptr || function->id != lent.function)
      function = parts_.functions.find(lent.function);
    unknown = unknown || function == nullptr;
    full = full || is_laden(link);
    if (leaving || full || function == nullptr) {
      back.push_back({lent.number, false,
                      leaving ? messages::Reason::kLeaving
                      : full  ? messages::Reason::kFull
                              : messages::Reason::kUnknownFunction});
      continue;
    }
    auto* job =
        new BorrowedJob(link.node, lent.number, lent.attempt, *function, lent.arguments, *this);
    job->link = link.link.number();
    job->home = &parts_.home;
    job->id = lent.id;
    job->priority = static_cast<Priority>(lent.priority);  // checked when it was decoded
    job->borrowed = true;
    job->placed = lent.placed;
    job->bytes = bytes_of(lent);
    if (lent.placed) job->place = Where::Kind::kHere;
    if (lent.timeout_nanoseconds != 0 || !lent.label.empty() || lent.once) {
      JobOptions& options = particulars_of(*job).options;
      options.timeout = std::chrono::nanoseconds(lent.timeout_nanoseconds);
      options.label = lent.label;
      if (lent.once) options.retries = 0;
    }
    add_borrowed(*job, link);
    if (lent.blobs.empty() || !await_blobs(*job, lent.blobs)) borrowed.push_back(job);
  }
  // Until it has taken some, or says what it has, it is not asked again.
  if (full) thief_.refused(speaker_);
  parts_.queue.push_borrowed(borrowed);
  if (!borrowed.empty()) relief_.expect();  // a worker, which will have a result to send
  // Each calls one worker, and who finds more than one job there calls the next.
  for (std::size_t i = std::min<std::size_t>(borrowed.size(), workforce_->workers()); i > 0; --i)
    workforce_->announce();
  return_unwanted();
  if (!back.empty()) deliver(link, messages::encode(back));
  if (unknown) misbehaved(who(speaker_) + " lends jobs of functions that this program has not");
}

// What it takes here until it has run, about.
std::size_t Courier::bytes_of(const messages::LentJob& lent) const {
  std::size_t bytes = sizeof(BorrowedJob) + lent.arguments.size() + lent.label.size();
  for (const auto& [id, place] : lent.blobs) {
    bytes += sizeof(messages::NamedBlob);
    // (A hostile size is the fetcher's business.)
    if (wanted_blobs_.contains(id) || store_.has(id)) continue;
    bytes += static_cast<std::size_t>(std::min<std::uint64_t>(id.size, parts_.most_borrowed_bytes));
  }
  return bytes;
}

// What it lends and this node does not take goes back, and is kept until that is acknowledged. Who
// lends on without ever doing so would fill this node's memory with refusals: its link is over.
bool Courier::hears_refusals(LinkRecord& link) {
  if (link.link.kept_bytes_but_results() <= kMostUnheard) return true;
  misbehaved(link.name + " lends on and on and does not acknowledge what it is told");
  const SessionId session = speaker_;
  end_link(link, {.how = link.name + " acknowledges nothing"});
  transport_->hang_up(session, "you do not acknowledge what you are told");
  return false;
}

void Courier::on(const messages::Redirect& redirect) {
  const std::optional<SessionId> owner = session_of(redirect.owner);
  if (redirect.waits) note_answer();
  thief_.redirected(speaker_, owner, redirect.waits);
  if (owner || redirect.owner == transport_->self().node) return;
  pointed_to_ = redirect.owner;
  dial_pointed_ = true;
}

void Courier::on(const messages::None& none) {
  note_answer();
  // In this order: what is queued there is not for us, or not yet. The request waits for it there;
  // to ask again at once would be to ask for ever.
  thief_.heard(speaker_, none.queued);
  thief_.refused(speaker_);
}

void Courier::on(std::span<const messages::Returned> returned) {
  const NodeId borrower = peer(speaker_)->link->node;
  std::vector<Ledger::Verdict> verdicts;
  std::uint64_t late = 0;
  std::uint64_t lost = 0;
  bool invented = false;
  bool full = false;
  std::string how;
  for (const messages::Returned& one : returned) {
    full |= one.reason == messages::Reason::kFull;
    how = who(speaker_) + " returned it: " + std::string(messages::to_string(one.reason));
    verdicts.push_back(ledger_.give_back(one.number, borrower, one.begun, how));
    if (traces()) trace_returned(one.number);
    if (verdicts.back().job == nullptr) {
      ++late;
      invented = invented || !ledger_.has_lent(one.number);
    }
    if (verdicts.back().lost) ++lost;
  }
  if (LinkRecord& link = *peer(speaker_)->link; full && link.refuses_until <= now_) {
    link.refuses_for =
        std::clamp<Clock::duration>(2 * link.refuses_for, kRefusesFor, kRefusesForAtMost);
    link.refuses_until = now_ + link.refuses_for;
  }
  if (invented) misbehaved(who(speaker_) + " returns jobs that this node has never lent");
  if (!holds(Rule::kReturnedRequeues)) return;
  dispose(verdicts, borrower, how);
  auto board = board_.lock();
  board->late += late;
  board->lost += lost;
}

void Courier::on(std::span<const messages::Result> results) {
  const NodeId borrower = peer(speaker_)->link->node;
  std::uint64_t late = 0;
  bool invented = false;
  moved(results.size());
  // Who waits for one of them is told a moment later, when some more are done, too: a thread that
  // collects results would otherwise be woken for each, since it waits for the next one already.
  constexpr std::size_t kToldAtOnce = 64;
  std::vector<std::pair<Job*, std::uint32_t>> awaited;  // each with a reference
  const auto tell = [&awaited] {
    for (const auto& [job, waiting] : awaited) {
      tell_done(*job, waiting);
      job->release();
    }
    awaited.clear();
  };
  std::size_t untold = 0;
  for (const messages::Result& result : results) {
    if (untold += awaited.empty() ? 0 : 1; untold == kToldAtOnce) {
      tell();
      untold = 0;
    }
    if (!result.blobs.empty()) {
      await_result(result, borrower);
    } else if (Job* job = ledger_.settle(result.number, borrower)) {
      if (traces()) [[unlikely]]
        trace_settled(result.number);
      store(*job, result, nullptr);
      const std::uint32_t waiting = job->mark_done();
      if ((waiting & (Job::kAwaited | Job::kWatched)) != 0) {
        awaited.emplace_back(job, waiting);
      } else {
        job->release();
      }
    } else if (!take_late(result, borrower, nullptr)) {
      ++late;
      invented = invented || !ledger_.has_lent(result.number);
    }
  }
  tell();
  if (placed_wait_ && ledger_.open(borrower) < kMostUnasked / 2) {
    placed_wait_ = false;
    placed_due_.store(true, std::memory_order_relaxed);
  }
  if (invented) misbehaved(who(speaker_) + " sends results of jobs that this node has never lent");
  if (late > 0) board_.lock()->late += late;
}

// False: nobody waits for it.
bool Courier::take_result(const messages::Result& result, const NodeId& borrower,
                          Arriving* parcel) {
  Job* job = ledger_.settle(result.number, borrower);
  if (job == nullptr) return take_late(result, borrower, parcel);
  if (traces()) trace_settled(result.number);
  settle(*job, result, parcel);
  return true;
}

void Courier::on_cancel(std::span<const std::uint64_t> numbers) {
  const std::unordered_set<std::uint64_t> named(numbers.begin(), numbers.end());
  LinkRecord& link = *peer(speaker_)->link;
  const auto meant = [&](const BorrowedJob& job) {
    return job.owner == link.node && named.contains(job.number);
  };
  std::vector<messages::Returned> back;
  for (Job* job : drop_borrowed(meant)) {
    auto& borrowed = static_cast<BorrowedJob&>(*job);
    back.push_back({borrowed.number, false, messages::Reason::kCancelled});
    forget_borrowed(borrowed);
    job->release();
  }
  if (!back.empty()) deliver(link, messages::encode(back));
  // User code may hang on the token: not on this thread.
  for (BorrowedJob* job : borrowed_open_) {
    if (meant(*job)) workforce_->tell_to_stop_soon(*job);
  }
}

// Lent jobs that nobody wants any more.
void Courier::send_recalls() {
  std::vector<Job*> recalled;
  std::swap(recalled, *recalled_.lock());
  if (recalled.empty()) return;
  std::map<NodeId, std::vector<std::uint64_t>> numbers;
  for (const Ledger::Open& loan : ledger_.find({recalled.begin(), recalled.end()}))
    numbers[loan.borrower].push_back(loan.number);
  for (const auto& [borrower, named] : numbers) {
    LinkRecord* link = find_link(borrower);
    if (link != nullptr && holds(Rule::kCancelFollows))
      deliver(*link, messages::encode_cancel(named));
  }
  for (Job* job : recalled) job->release();
}

void Courier::add_borrowed(BorrowedJob& job, LinkRecord& link) {
  ++link.borrowed;
  link.borrowed_bytes += job.bytes;
  job.owners_record = &link;  // not erased while anything is borrowed over it
  job.place_in_list = borrowed_open_.size();
  borrowed_open_.push_back(&job);
}

void Courier::forget_borrowed(BorrowedJob& job) {
  BorrowedJob* last = borrowed_open_.back();
  borrowed_open_[job.place_in_list] = last;
  last->place_in_list = job.place_in_list;
  borrowed_open_.pop_back();
  LinkRecord* link = static_cast<LinkRecord*>(std::exchange(job.owners_record, nullptr));
  if (link == nullptr) return;
  --link->borrowed;
  link->borrowed_bytes -= job.bytes;
  // (Whether or not this one had: too few at most, until they are looked up again.)
  link->begun -= std::min<std::size_t>(link->begun, 1);
  link->begun_bytes -= std::min(link->begun_bytes, job.bytes);
  if (link->laden && link->session && !is_laden(*link)) thief_.heard(*link->session, 1);
  link->worked = now_;
  if (link->gone) forget_link(*link);
}

}  // namespace pp::runtime
