// Courier: links, which outlive sessions, and what becomes of jobs when one is over.
#include <algorithm>
#include <csignal>
#include <utility>

#include "courier.hpp"
#include "particulars.hpp"
#include "rules.hpp"

namespace pp::runtime {

namespace {

// What has been applied is acknowledged by whatever is said next; when nothing is, after so long,
// or when so much has come.
constexpr std::chrono::milliseconds kAcknowledgeWithin{50};
constexpr std::size_t kMostMessagesOwed = 64;
constexpr std::size_t kMostBytesOwed = 256 * 1024;
// A link with something open and without a session is dialled for this often.
constexpr std::chrono::milliseconds kDialEvery{250};
// How often it is looked up, at most, which borrowed jobs have begun.
constexpr std::chrono::milliseconds kCountEvery{10};
// So long a node goes on with the running jobs of an owner that is silent (protocol.md rule 21).
constexpr std::chrono::seconds kOwnerGrace{60};

}  // namespace

// ---- speaking

// A message of this session only.
void Courier::say(SessionId to, messages::Encoded message,
                  std::shared_ptr<const transport::Enclosure> enclosed) {
  const PeerRecord* record = peer(to);
  if (record == nullptr) return;
  LinkRecord& link = *record->link;
  const bool attached = link.attached && link.session == to;
  messages::set_header(message, {0, attached ? link.link.acknowledge() : 0});
  if (attached) link.acknowledge = Clock::time_point::max();
  sent_ = true;
  // (A session that is gone tells so by on_down.)
  if (enclosed == nullptr) {
    transport_->send(to, message);
  } else {
    transport_->send_enclosing(to, message, std::move(enclosed));
  }
}

// A message of the link: it arrives, once, or the link is over.
void Courier::deliver(LinkRecord& link, messages::Encoded message, bool result) {
  if (link.gone) return;
  Link::Kept& kept = link.link.keep(std::move(message), result);
  if (link.attached) return transmit(link, kept.message, kept.sequence);
  note_link_due(now_);
}

void Courier::transmit(LinkRecord& link, messages::Encoded& message, std::uint64_t sequence) {
  messages::set_header(message, {sequence, link.link.acknowledge()});
  link.acknowledge = Clock::time_point::max();
  sent_ = true;
  transport_->send(*link.session, message);
}

void Courier::acknowledge(LinkRecord& link) {
  if (link.attached) say(*link.session, messages::encode_acknowledgement());
}

// ---- a link and its sessions

Courier::LinkRecord* Courier::find_link(const NodeId& node) {
  const auto entry = links_.find(node);
  return entry == links_.end() ? nullptr : &entry->second;
}

Courier::LinkRecord& Courier::link_with(const transport::Peer& peer) {
  const NodeId& node = peer.introduction.node;
  if (LinkRecord* link = find_link(node)) return *link;
  LinkRecord record{.node = node,
                    .name = peer.introduction.name,
                    .addresses = peer.introduction.addresses,
                    .link = Link(next_link_++)};
  return links_.emplace(node, std::move(record)).first->second;
}

bool Courier::anything_open(const LinkRecord& link) const {
  return link.borrowed > 0 || !link.link.kept().empty() || !link.held.empty() ||
         ledger_.open(link.node) > 0;
}

// The first message on a session, or after a link was over on it.
void Courier::attach(LinkRecord& link) {
  link.attached = false;
  if (holds(Rule::kBlobsAskedAgain)) fetcher_.lost(link.node);
  link.apart = now_;
  link.acknowledge = Clock::time_point::max();  // the Attach does
  note_link_due(now_ + options_.dead);
  say(*link.session, messages::encode(link.link.attach()));
}

void Courier::detach(LinkRecord& link) {
  if (holds(Rule::kBlobsAskedAgain)) fetcher_.lost(link.node);
  link.session.reset();
  link.attached = false;
  link.apart = now_;
  link.dial = now_;
  link.acknowledge = Clock::time_point::max();
  note_link_due(now_);
}

void Courier::on(const messages::Attach& theirs) {
  LinkRecord& link = *peer(speaker_)->link;
  if (link.session != speaker_) return;  // of a session that another has replaced
  if (!reads_answers()) return;
  Link::Heard heard = link.link.hear(theirs);
  if (heard == Link::Heard::kOver) {
    if (!holds(Rule::kBothEndTheLink)) return;
    end_link(link, {.how = link.name + " had given up the link with this node"});
    heard = link.link.hear(theirs);  // the next one
  }
  if (link.link.attach_due()) say(speaker_, messages::encode(link.link.attach()));
  if (heard != Link::Heard::kGoesOn) return;
  const bool again = link.attached;
  link.attached = true;
  fetcher_.reachable(link.node);
  link.silent.reset();
  placed_due_.store(true, std::memory_order_relaxed);
  if (again) return;
  if (!holds(Rule::kKeptUntilApplied)) return;
  // A grant among them voids a request of ours that was made on this session before.
  if (!link.link.kept().empty()) thief_.lent(speaker_);
  for (Link::Kept& kept : link.link.kept()) transmit(link, kept.message, kept.sequence);
}

// The next one between the two; what was kept for the old one is void, but for results.
void Courier::begin_next(LinkRecord& link) {
  std::vector<Link::Kept> results;
  if (!link.gone) {
    for (Link::Kept& kept : link.link.kept())
      if (kept.result) results.push_back(std::move(kept));
  }
  link.link = Link(next_link_++);
  std::map<std::uint64_t, std::uint64_t> renumbered;
  for (Link::Kept& result : results)
    renumbered[result.sequence] = link.link.keep(std::move(result.message), true).sequence;
  hold_on(link, renumbered);
  link.acknowledge = Clock::time_point::max();
  if (!link.session) return;
  PeerRecord* record = peer(*link.session);
  // A grant that was to answer our request may be void with the link: it is asked for anew.
  if (record != nullptr) record->asked.reset();
  thief_.link_over(*link.session);
  attach(link);
  // So is a goodbye that nobody has understood yet.
  if (record != nullptr && !record->understood && std::exchange(record->told, false))
    say_leave(*record);
}

void Courier::end_link(LinkRecord& link, Ledger::End end) {
  std::vector<Ledger::Verdict> verdicts = ledger_.link_over(link.node, end);
  if (traces()) trace_lost(link.node);
  const auto lost = static_cast<std::size_t>(
      std::count_if(verdicts.begin(), verdicts.end(),
                    [](const Ledger::Verdict& verdict) { return verdict.lost; }));
  const std::size_t loans = verdicts.size();
  if (!holds(Rule::kLinkOverRequeues)) verdicts.clear();
  dispose(verdicts, link.node, end.how);
  if (end.gone) ledger_.forget_late(link.node);
  void_borrowed(link, end.gone);
  link.gone |= end.gone;  // now: what is borrowed from one that is gone ends with its record
  begin_next(link);
  give_up_results(link.node, [](const Arriving&) { return true; });
  if (end.gone) {
    fetcher_.gone(link.node);
    spread_.gone(link.node);
  }
  placed_due_.store(true, std::memory_order_relaxed);
  if (loans > 0) {
    parts_.log.warn("the link with " + link.name + " is over: " + end.how + "; " +
                    std::to_string(loans) + " jobs lent to it begin again");
    parts_.log.report("requeued " + link.node.short_name() + ' ' + std::to_string(loans));
  }
  board_.lock()->lost += lost;
}

// What the other has lent us: not begun, it is dropped, since its owner runs it again. What runs is
// told to stop when nobody is there to take the result; otherwise it goes on, and its result is
// offered on the next link.
void Courier::void_borrowed(LinkRecord& link, bool gone) {
  if (holds(Rule::kVoidWithLink)) {
    for (Job* job : drop_borrowed([&](const BorrowedJob& job) { return job.owner == link.node; })) {
      forget_borrowed(static_cast<BorrowedJob&>(*job));
      job->release();
    }
  }
  if (!gone) {
    if (!link.silent && (link.borrowed > 0 || !link.link.kept().empty() || !link.held.empty()))
      link.silent = now_;
    return;
  }
  let_go_all(link);
  for (BorrowedJob* job : borrowed_open_) {
    if (job->owner != link.node || job->orphan) continue;
    job->orphan = true;
    workforce_->tell_to_stop_soon(*job);
  }
}

// The member is none any more, and what it takes to end the link with it depends on why.
void Courier::lose_link(const discovery::Member& member, const std::string& how) {
  LinkRecord* link = find_link(member.node);
  if (link == nullptr) return;
  // Who has left still says what it owes; its link ends with the session, or with its time.
  if (member.state == MemberState::kLeft) return;
  Ledger::End end{.how = member.name + " was lost: " + how,
                  .died = member.state == MemberState::kGone || hears_others_than(member.node),
                  .gone = member.state == MemberState::kGone};
  if (end.gone) look_into_black_box(member.node, end);
  const bool gone = end.gone;
  end_link(*link, std::move(end));
  if (gone) forget_link(*link);
}

// What a process of this launch was running when it died. (One that is only silent may go on.)
void Courier::look_into_black_box(const NodeId& node, Ledger::End& end) const {
  if (parts_.black_box == nullptr) return;
  const auto running = parts_.black_box->running(node);
  if (!running || !running->complete) return;
  auto& loans = end.running.emplace();
  for (const BlackBox::Entry& entry : running->jobs)
    if (entry.owner == transport_->self().node) loans.emplace(entry.loan, entry.innermost);
}

namespace {

// A process that ended of its own doing: what it ran is to blame, not somebody outside.
bool ended_by_itself(const Fate& fate) {
  if (fate.kind == Fate::Kind::kExited) return fate.number != 0;
  if (fate.kind != Fate::Kind::kSignal) return false;
  constexpr int kOwn[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
  return std::find(std::begin(kOwn), std::end(kOwn), fate.number) != std::end(kOwn);
}

}  // namespace

// With no other node left to try it on: whether its owner had better not run it either.
bool Courier::likely_to_kill(const Suspect& suspect) const {
  const Particulars& its = *find_particulars(*suspect.job);
  if (its.blame() > 1) return true;
  return its.blamed == 1 && parts_.black_box != nullptr &&
         ended_by_itself(parts_.black_box->fate(suspect.last));
}

// A node that hears nobody cannot tell whether the others are dead or it is cut off itself: then
// nobody is blamed.
bool Courier::hears_others_than(const NodeId& node) const {
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& peer) {
    const PeerRecord& record = peer.second;
    return record.link->node != node && now_ - record.heard <= options_.suspect;
  });
}

// Where another process listened before, this one does now: so that one is gone.
void Courier::end_links_of_predecessors(const transport::Introduction& successor) {
  if (successor.addresses.empty()) return;
  std::vector<NodeId> gone;
  for (const auto& [node, link] : links_) {
    if (node != successor.node && !link.session && !link.gone && !link.addresses.empty() &&
        link.addresses.front() == successor.addresses.front())
      gone.push_back(node);
  }
  for (const NodeId& node : gone)
    end_link_of_process(links_.at(node), "another process listens at its address");
}

void Courier::end_link_of_process(LinkRecord& link, const std::string& how) {
  Ledger::End end{.how = link.name + " was lost: " + how, .died = true, .gone = true};
  look_into_black_box(link.node, end);
  end_link(link, std::move(end));
  forget_link(link);
}

// Of a node that is gone, once no session with it is left.
void Courier::forget_link(LinkRecord& link) {
  const bool used = std::any_of(peers_.begin(), peers_.end(),
                                [&](const auto& peer) { return peer.second.link == &link; });
  if (used || link.session || link.borrowed > 0) return;
  links_.erase(NodeId(link.node));
}

void Courier::owe_acknowledgement(LinkRecord& link) {
  if (!holds(Rule::kAcknowledged)) return;
  if (link.link.owed_messages() >= kMostMessagesOwed || link.link.owed_bytes() >= kMostBytesOwed)
    return acknowledge(link);
  if (link.acknowledge != Clock::time_point::max()) return;
  link.acknowledge = now_ + kAcknowledgeWithin;
  note_link_due(link.acknowledge);
}

void Courier::look_after_links(Clock::time_point now) {
  if (now < links_due_) return;
  links_due_ = Clock::time_point::max();
  // Some may be for one that is not full any more. Relaxed: this thread reads it.
  placed_due_.store(true, std::memory_order_relaxed);
  std::vector<NodeId> over;
  for (auto& [node, link] : links_) {
    if (now >= link.acknowledge) acknowledge(link);
    note_link_due(link.acknowledge);
    if (link.refuses_until > now) note_link_due(link.refuses_until);
    if (link.silent) {
      if (now >= *link.silent + kOwnerGrace) {
        link.silent.reset();
        void_borrowed(link, true);
        link.link = Link(next_link_++);  // nobody has come for the results
        if (link.session) attach(link);
      } else {
        note_link_due(*link.silent + kOwnerGrace);
      }
    }
    if (link.attached || link.gone || !anything_open(link)) continue;
    const Clock::time_point limit = link.apart + options_.dead;
    // (Over once, the link keeps only results for an owner that may come back.)
    if (now >= limit && !(link.silent && !link.session) && holds(Rule::kApartEndsLink)) {
      over.push_back(node);
      continue;
    }
    if (now < limit) note_link_due(limit);
    if (link.session) continue;                 // it waits for the other's Attach
    if (stage_ >= Stage::kHangingUp) continue;  // nobody is waited for any more
    if (now >= link.dial) {
      link.dial = now + kDialEvery;
      neighbourhood_.connect(node, now);
    }
    note_link_due(link.dial);
  }
  for (const NodeId& node : over) {
    LinkRecord& link = links_.at(node);
    link.apart = now;
    // Whoever others still hear of is only cut off from here; otherwise it is taken for dead.
    const discovery::Member* member = neighbourhood_.find(node);
    const bool died =
        (member == nullptr || member->state != MemberState::kAlive) && hears_others_than(node);
    end_link(link, {.how = link.name + " could not be reached for " +
                           std::to_string(options_.dead.count()) + " ms",
                    .died = died});
  }
}

// So much of its results waits for this owner that no more are begun for it, until half of that is
// taken: otherwise each result that is would be room for one more grant, most of which goes back.
bool Courier::is_full(LinkRecord& link) const {
  const std::size_t waits = link.link.kept_bytes() + link.unsent_bytes + link.held_bytes;
  const std::size_t most = parts_.most_results_kept;
  link.full = waits > (link.full ? most / 2 : most) && holds(Rule::kResultsBounded);
  return link.full;
}

// So many of its jobs wait here that no more are taken until half of them have begun: otherwise
// there would be room for one more with each that does, and most of a grant would go back. (Those
// who lend what they are asked for never come near it: it is for jobs placed here, for large
// arguments, and for who lends without end.) What has begun does not count: it may be waiting for
// one that is yet to come. How many have is looked up now and then, and only where it matters.
bool Courier::is_laden(LinkRecord& link) const {
  const auto reaches = [&](std::size_t now, std::size_t most) {
    return now >= std::max<std::size_t>(link.laden ? most / 2 : most, 1);
  };
  const auto is_laden = [&] {
    const std::size_t jobs = link.borrowed - std::min(link.begun, link.borrowed);
    const std::size_t bytes = link.borrowed_bytes - std::min(link.begun_bytes, link.borrowed_bytes);
    return reaches(jobs, parts_.most_borrowed) ||
           (reaches(bytes, parts_.most_borrowed_bytes) &&
            jobs >= std::size_t{2} * std::max(1U, workforce_->workers()));
  };
  bool laden = is_laden();
  if (laden && now_ >= link.counted + kCountEvery) {
    link.counted = now_;
    link.begun = link.begun_bytes = 0;
    for (const BorrowedJob* job : borrowed_open_) {
      if (job->owners_record != &link || job->queued()) continue;
      ++link.begun;
      link.begun_bytes += job->bytes;
    }
    laden = is_laden();
  }
  return link.laden = laden && holds(Rule::kLoansBounded);
}

// It has taken some: it may be asked for work again.
void Courier::no_longer_full(LinkRecord& link) {
  if (link.session && !is_full(link)) thief_.heard(*link.session, 1);
}

// An owner that does not take its results gets no more of them (protocol.md rule 25).
void Courier::return_excess() {
  if (borrowed_open_.empty() || !holds(Rule::kResultsBounded)) return;
  for (auto& [node, link] : links_) {
    if (link.borrowed == 0 || !is_full(link)) continue;
    return_borrowed(drop_borrowed([&](const BorrowedJob& job) { return job.owner == link.node; }),
                    messages::Reason::kFull);
  }
}

// Once a second: loans that have been running for longer than that are named to their owners.
void Courier::tell_begun() {
  if (borrowed_open_.empty()) return;
  std::map<NodeId, std::vector<std::uint64_t>> begun;
  for (BorrowedJob* job : borrowed_open_) {
    const bool runs = !job->queued();
    if (runs && job->seen_running && !job->orphan) begun[job->owner].push_back(job->number);
    job->seen_running = runs;
  }
  for (auto& [node, link] : links_) {
    if (!link.attached) continue;
    const auto named = begun.find(node);
    if (named == begun.end() && !std::exchange(link.told_begun, false)) continue;
    if (named != begun.end()) link.told_begun = true;
    say(*link.session, messages::encode_begun(named == begun.end() ? std::vector<std::uint64_t>()
                                                                   : named->second));
  }
}

void Courier::on_begun(std::span<const std::uint64_t> numbers) {
  const PeerRecord& record = *peer(speaker_);
  if (!std::all_of(numbers.begin(), numbers.end(),
                   [this](std::uint64_t number) { return ledger_.has_lent(number); }))
    misbehaved(who(speaker_) + " runs jobs that this node has never lent");
  ledger_.named(record.link->node, {numbers.begin(), numbers.end()},
                record.peer.introduction.workers);
}

// ---- jobs whose loan ended without a result

void Courier::dispose(std::vector<Ledger::Verdict>& verdicts, const NodeId& borrower,
                      const std::string& how) {
  using Then = Ledger::Verdict::Then;
  // The newest first, so that the oldest lies in front again.
  for (auto verdict = verdicts.rbegin(); verdict != verdicts.rend(); ++verdict) {
    if (verdict->job == nullptr) continue;
    Job& job = *verdict->job;
    if (job.told_to_stop()) {
      fail(job, cancelled(job));
      continue;
    }
    keep_to_its_place(*verdict, how);
    if (verdict->then == Then::kAgain) {
      put_back(job);
    } else if (verdict->then == Then::kElsewhere && !holds(Rule::kNotOnItsOwner)) {
      put_back(job);
    } else if (verdict->then == Then::kElsewhere) {
      suspects_.push_front({&job, borrower, now_});
    } else {
      const bool placed = job.place == Where::Kind::kNode;
      const bool once =
          !placed && find_particulars(job)->options.retries.value_or(options_.retries) == 0;
      fail(job,
           Failure::of(Failure::Kind::kNodeLost,
                       "pp: the job " + title_of(job) +
                           (placed ? " was to run on one node only: "
                            : once ? " may run once only (retries = 0), and may have run, or be "
                                     "running still: "
                                   : " was lost with every node that ran it: ") +
                           verdict->message));
    }
  }
}

// A node where the suspect may be tried: nobody else of ours is on trial there. `others`: there is
// at least one that could be, now or later.
std::optional<SessionId> Courier::court_of(const Suspect& suspect, bool& others) {
  const Job& job = *suspect.job;
  const Particulars* particulars = find_particulars(job);
  std::optional<SessionId> best;
  for (const auto& [session, record] : peers_) {
    const NodeId& node = record.link->node;
    if (record.left || closing() || record.peer.introduction.workers == 0) continue;
    if (job.place == Where::Kind::kNode && particulars->options.where.target() != node) continue;
    others = true;
    if (record.resting || !record.link->attached || record.link->session != session) continue;
    const discovery::Member* member = neighbourhood_.find(node);
    if ((member != nullptr && member->state == MemberState::kSuspect)) continue;
    const Clock::time_point ends =
        std::max(ledger_.on_trial_until(node), record.link->refuses_until);
    if (ends > now_) {
      note_link_due(ends);
      continue;
    }
    if (!best || peer(*best)->link->node == suspect.last) best = session;
  }
  return best;
}

void Courier::try_suspects(Clock::time_point now) {
  if (suspects_.empty()) return;
  // How long a suspect waits, with nobody there to try it, for somebody to come.
  constexpr std::chrono::seconds kPatience{1};
  // (Who is only silent may come back, and this node may be the one that is cut off.)
  const bool may_return = fell_silent_ && now < *fell_silent_ + kOwnerGrace;
  const std::chrono::seconds patience_with_killers =
      may_return ? kOwnerGrace : std::chrono::seconds(10);
  std::deque<Suspect> waiting;
  std::swap(waiting, suspects_);
  for (const Suspect& suspect : waiting) {
    Job& job = *suspect.job;
    if (job.told_to_stop()) {
      fail(job, cancelled(job));
      continue;
    }
    if (job.place == Where::Kind::kNode) {
      const discovery::Member* target =
          neighbourhood_.find(find_particulars(job)->options.where.target());
      if (target == nullptr || !is_present(target->state) || leaving()) {
        fail(job, Failure::of(Failure::Kind::kNodeLost, "pp: the job " + title_of(job) +
                                                            " was to run on one node only: " +
                                                            find_particulars(job)->losses));
        continue;
      }
    }
    bool others = false;
    const std::optional<SessionId> court = court_of(suspect, others);
    if (court && transport_->backlog(*court) == 0) {
      std::vector<Job*> jobs{&job};
      const auto waited =
          std::chrono::duration_cast<std::chrono::milliseconds>(now - suspect.since);
      parts_.log.info("the job " + title_of(job) +
                      " was running when its node was lost: tried at " + who(*court) + " after " +
                      std::to_string(waited.count()) + " ms");
      grant(*court, jobs, true, true);
      continue;
    }
    const Particulars& particulars = *find_particulars(job);
    // What may not run here waits for another node, as any such job does; what is likely to kill
    // this one too waits for longer than the rest, and fails then.
    const bool kills = likely_to_kill(suspect);
    const Clock::time_point limit = suspect.since + (kills ? patience_with_killers : kPatience);
    const bool waits =
        job.place == Where::Kind::kNode || (!kills && !job.runs_here() && !leaving());
    if (others || waits || now < limit) {
      if (!others && now < limit) note_link_due(limit);
      suspects_.push_back(suspect);
    } else if (kills || !job.runs_here()) {
      fail(job, Failure::of(Failure::Kind::kNodeLost,
                            "pp: the job " + title_of(job) +
                                " was lost with every node that ran it, and no other node is left "
                                "to try it on: " +
                                particulars.losses));
    } else {
      parts_.log.warn(
          "the job " + title_of(job) +
          " was running when its node was lost; no other node is left, so it runs here: " +
          particulars.losses);
      put_back(job);
    }
  }
}

// ---- results of loans that were lost

// The owner had given the loan up; its result has come all the same. True: it was wanted.
bool Courier::take_late(const messages::Result& result, const NodeId& borrower, Arriving* parcel) {
  Job* job = ledger_.take_late(result.number, borrower);
  if (job == nullptr) return false;
  const auto held = std::find_if(suspects_.begin(), suspects_.end(),
                                 [&](const Suspect& suspect) { return suspect.job == job; });
  if (held != suspects_.end()) {
    suspects_.erase(held);
    settle(*job, result, parcel);
    job->release();
    return true;
  }
  if (const auto loans = ledger_.find({job}); !loans.empty()) {
    const Ledger::Open& loan = loans.front();
    settle(*ledger_.settle(loan.number, loan.borrower), result, parcel);
    if (LinkRecord* link = find_link(loan.borrower))
      deliver(*link, messages::encode_cancel(std::vector{loan.number}));
    job->release();
    return true;
  }
  if (job->claim(Job::kLent)) {
    settle(*job, result, parcel);  // takes our reference
    return true;
  }
  if (!holds(Rule::kLateResultDropped)) {
    settle(*job, result, parcel);
    return true;
  }
  job->release();  // it is done, or runs here
  return false;
}

// Once a second: nobody needs to go on with a lost loan whose job is done (protocol.md rule 8).
void Courier::recall_obsolete() {
  std::map<NodeId, std::vector<std::uint64_t>> numbers;
  for (const auto& [node, number] : ledger_.take_obsolete()) numbers[node].push_back(number);
  for (const auto& [node, named] : numbers) {
    LinkRecord* link = find_link(node);
    if (link != nullptr && link->attached) deliver(*link, messages::encode_cancel(named));
  }
}

bool Courier::stands(const BorrowedJob& job) const {
  const auto link = links_.find(job.owner);
  return link != links_.end() && link->second.link.number() == job.link;
}

std::optional<std::uint32_t> Courier::workers_of(const NodeId& node) const {
  for (const auto& [session, record] : peers_)
    if (record.peer.introduction.node == node && record.link->session == session)
      return record.peer.introduction.workers;
  return std::nullopt;
}

Courier::Holdings Courier::holdings() const {
  Holdings holdings;
  holdings.lent = ledger_.open();
  holdings.late = ledger_.late();
  holdings.suspects = suspects_.size();
  holdings.borrowed = borrowed_open_.size();
  holdings.links = links_.size();
  for (const auto& [node, link] : links_) {
    holdings.kept_messages += link.link.kept().size();
    holdings.kept_bytes += link.link.kept_bytes() + link.held_bytes;
    holdings.held += link.held.size();
    holdings.most_waiting = std::max(
        holdings.most_waiting,
        static_cast<std::size_t>(std::count_if(
            borrowed_open_.begin(), borrowed_open_.end(), [&record = link](const BorrowedJob* job) {
              return job->owners_record == &record && job->queued();
            })));
    if (!link.attached) continue;
    holdings.unacknowledged += link.link.kept().size();
    holdings.untaken += link.held.size();
  }
  holdings.waiting = waiting_.size();
  holdings.fetching = fetcher_.open();
  holdings.arriving = arriving_.size();
  holdings.parked = victim_.parked().size();
  holdings.sessions = peers_.size();
  return holdings;
}

}  // namespace pp::runtime
