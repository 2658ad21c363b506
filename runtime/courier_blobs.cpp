// Courier: blobs, and the jobs and results that wait for them.
#include <algorithm>
#include <utility>

#include "courier.hpp"
#include "particulars.hpp"
#include "rules.hpp"

namespace pp::runtime {

namespace {

// Of pieces so much is given to the transport at a time; what is more waits here, so that a small
// message waits for no more than this.
constexpr std::size_t kPiecesAhead = 512 * 1024;
// The most that one peer may want at once; each is a piece at most so long.
constexpr std::size_t kMostWants = 1024;
constexpr std::size_t kLongestPiece = std::size_t{4} << 20;
// Who leaves waits so long for the next question about a blob that somebody is reading.
constexpr std::chrono::seconds kReadersLimit{1};

}  // namespace

// ---- of jobs that this node lends

// What is large leaves the arguments. False: all of it is too large to travel.
bool Courier::pack(Job& job, Luggage& luggage, codec::Bytes& arguments, std::string& why) {
  std::size_t size = arguments.size();
  for (const Luggage::Item& item : luggage.packed())
    if (item.place != Luggage::kMentioned) size += item.blob->id().size;
  for (const Luggage::Loose& loose : luggage.loose()) size += loose.bytes.size();
  if (size > kMostEncoded) {
    why = "they take " + std::to_string(size) + " bytes encoded, at most " +
          std::to_string(kMostEncoded) + " can travel; a large object that is constant can be " +
          "shared (pp::share)";
    return false;
  }
  if (arguments.size() > parts_.eager_together) {
    if (arguments.size() >= luggage.loose_from()) {
      luggage.pack({Luggage::kWhole, {std::move(arguments), {}, nullptr}});
    } else {
      luggage.pack(Luggage::kWhole, Blob::make(std::move(arguments)));
    }
    arguments.clear();
  }
  unpack(job);  // of an earlier attempt
  for (Luggage::Loose& loose : luggage.loose()) {
    // What may be there already is worth a name by which that can be told.
    if (likenesses_.know(loose.bytes)) {
      luggage.pack(loose.place, Blob::make(std::move(loose.bytes).whole()));
    } else {
      loose_.push_back(std::move(loose));
    }
  }
  if (luggage.packed().empty()) return true;
  std::vector<Luggage::Item> items = luggage.take_packed();
  for (Luggage::Item& item : items) item.blob = store_.put(std::move(item.blob));
  particulars_of(job).blobs = std::move(items);
  return true;
}

// It is lent to this node, with what was left loose of its arguments.
void Courier::offer(Job& job, std::uint64_t number, const NodeId& borrower) {
  Particulars& particulars = particulars_of(job);
  for (Luggage::Loose& loose : loose_) {
    const BlobId id = argument_name(transport_->self().node, borrower, number, loose.place,
                                    loose.bytes.size(), parts_.result_secret);
    particulars.offers.emplace_back(loose.place, id);
    job.retain();
    offers_.emplace(id, Offer{&job, std::move(loose.bytes)});
  }
  loose_.clear();
}

void Courier::take_back_offers(Job& job) {
  Particulars* particulars = find_particulars(job);
  if (particulars == nullptr) return;
  for (const auto& [place, id] : std::exchange(particulars->offers, {})) {
    Offer& offer = offers_.at(id);
    for (const std::weak_ptr<Enclosed>& leaving : offer.leaving) {
      const std::shared_ptr<Enclosed> part = leaving.lock();
      if (part == nullptr) continue;
      part->copy.assign(part->bytes.begin(), part->bytes.end());
      part->bytes = part->copy;
    }
    codec::put_aside(std::move(offer.bytes.front));
    offers_.erase(id);
    job.release();  // the caller has one, too
  }
}

// What belonged to its arguments is not lent any more.
void Courier::unpack(Job& job) {
  take_back_offers(job);
  Particulars* particulars = find_particulars(job);
  if (particulars == nullptr || particulars->blobs.empty()) return;
  std::vector<BlobId> ids;
  for (const Luggage::Item& item : particulars->blobs) ids.push_back(item.blob->id());
  particulars->blobs.clear();
  for (const BlobId& id : ids) store_.drop(id);
}

// ---- of jobs that it has borrowed

// True: the job waits, and is begun when all has come. Takes over the reference then.
bool Courier::await_blobs(BorrowedJob& job, const std::vector<messages::NamedBlob>& named) {
  BorrowedJob::Blobs& blobs = job.make_blobs();
  for (const auto& [id, place] : named) {
    const bool for_one =
        is_argument_name(id, job.owner, transport_->self().node, job.number, place);
    if (BlobPtr blob = for_one ? nullptr : store_.find(id)) {
      blobs.arrived.push_back({place, std::move(blob)});
      reused_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    const bool known = std::any_of(blobs.missing.begin(), blobs.missing.end(),
                                   [&](const auto& missing) { return missing.second == id; });
    blobs.missing.emplace_back(place, id);
    if (known) continue;
    Awaiting& awaiting = wanted_blobs_[id];
    if (awaiting.empty()) {
      awaiting.since = now_;
      awaiting.giver = job.owner;
    }
    awaiting.jobs.push_back(&job);
    awaiting.for_one |= for_one;
    fetcher_.need(id, job.owner, for_one ? BlobFetcher::Proof::kSender : BlobFetcher::Proof::kName);
  }
  if (blobs.missing.empty()) return false;
  waiting_.push_back(&job);
  return true;
}

void Courier::stop_waiting(BorrowedJob& job) {
  for (const auto& [place, id] : job.blobs->missing) {
    const auto awaiting = wanted_blobs_.find(id);
    if (awaiting == wanted_blobs_.end()) continue;
    std::vector<BorrowedJob*>& jobs = awaiting->second.jobs;
    jobs.erase(std::remove(jobs.begin(), jobs.end(), &job), jobs.end());
    if (!awaiting->second.empty()) continue;
    wanted_blobs_.erase(awaiting);
    fetcher_.forget(id);
  }
}

// Queue::drop_borrowed(), and of those that wait likewise.
std::vector<Job*> Courier::drop_borrowed(const std::function<bool(const BorrowedJob&)>& void_now) {
  std::vector<Job*> dropped = parts_.queue.drop_borrowed(
      [&](const Job& job) { return void_now(static_cast<const BorrowedJob&>(job)); });
  std::erase_if(waiting_, [&](BorrowedJob* job) {
    if (!void_now(*job) || !job->claim(Job::kRunning)) return false;
    stop_waiting(*job);
    dropped.push_back(job);
    return true;
  });
  return dropped;
}

// The result names what belongs to it, and that is kept until its owner has it.
void Courier::hold(BorrowedJob& job, LinkRecord& link, messages::Result& result) {
  if (link.gone) return;
  Held& held = link.held[job.number];
  for (Luggage::Item& item : job.blobs->result) {
    result.blobs.push_back({item.blob->id(), item.place});
    if (item.place != Luggage::kMentioned) held.bytes += item.blob->id().size;
    held.blobs.push_back(store_.put(std::move(item.blob)));
  }
  job.blobs->result.clear();
  link.held_bytes += held.bytes;
}

void Courier::let_go(LinkRecord& link, std::uint64_t number) {
  const auto entry = link.held.find(number);
  if (entry == link.held.end()) return;
  Held held = std::move(entry->second);
  link.held.erase(entry);
  link.held_bytes -= held.bytes;
  std::vector<BlobId> ids;
  for (const BlobPtr& blob : held.blobs) ids.push_back(blob->id());
  held.blobs.clear();
  for (const BlobId& id : ids) store_.drop(id);
}

// The link is over. What its owner had heard of it has given up, like the loan; what is said again
// on the next link, under another number, is held on to.
void Courier::hold_on(LinkRecord& link, const std::map<std::uint64_t, std::uint64_t>& renumbered) {
  for (auto next = link.held.begin(); next != link.held.end();) {
    const auto held = next++;
    const auto said_again = renumbered.find(held->second.sequence);
    if (said_again == renumbered.end()) {
      let_go(link, held->first);
    } else {
      held->second.sequence = said_again->second;
    }
  }
}

void Courier::let_go_all(LinkRecord& link) {
  while (!link.held.empty()) let_go(link, link.held.begin()->first);
}

bool Courier::anything_held() const {
  return std::any_of(links_.begin(), links_.end(),
                     [](const auto& link) { return !link.second.held.empty(); });
}

void Courier::on_taken(std::span<const std::uint64_t> numbers) {
  LinkRecord& link = *peer(speaker_)->link;
  const bool was_full = is_full(link);
  for (const std::uint64_t number : numbers) let_go(link, number);
  if (was_full) no_longer_full(link);
}

// ---- results that have come to this node

void Courier::await_result(const messages::Result& result, const NodeId& borrower) {
  const bool twice = std::any_of(arriving_.begin(), arriving_.end(), [&](const Arriving& one) {
    return one.number == result.number && one.borrower == borrower;
  });
  if (twice) return;
  const auto* value = std::get_if<0>(&result.outcome);
  arriving_.push_back(
      {.borrower = borrower,
       .number = result.number,
       .value = value == nullptr ? codec::Bytes() : codec::Bytes(value->begin(), value->end()),
       .blobs = result.blobs,
       .here = {}});
  const ArrivingAt at = std::prev(arriving_.end());
  // Nobody waits for it: it need not be fetched.
  if (!ledger_.expects(result.number, borrower)) {
    if (!ledger_.has_lent(result.number))
      misbehaved(who(speaker_) + " sends results of jobs that this node has never lent");
    return result_is_here(at);
  }
  ledger_.has_ended(result.number, borrower);
  for (const auto& [id, place] : result.blobs) {
    const bool is_its_own = place == Luggage::kWhole &&
                            is_result_name(id, borrower, transport_->self().node, result.number);
    BlobPtr blob = is_its_own ? nullptr : store_.find(id);
    if (blob != nullptr && place == Luggage::kWhole) {
      at->value.assign(blob->bytes().begin(), blob->bytes().end());
    } else if (blob != nullptr) {
      at->here.push_back({place, std::move(blob)});
    } else {
      Awaiting& awaiting = wanted_blobs_[id];
      if (awaiting.empty()) {
        awaiting.since = now_;
        awaiting.giver = borrower;
      }
      awaiting.results.emplace_back(at, place);
      fetcher_.need(id, borrower,
                    is_its_own ? BlobFetcher::Proof::kSender : BlobFetcher::Proof::kName);
      ++at->missing;
    }
  }
  if (at->missing == 0) result_is_here(at);
}

void Courier::result_is_here(ArrivingAt at) {
  Arriving parcel = std::move(*at);
  arriving_.erase(at);
  messages::Result result;
  result.number = parcel.number;
  result.outcome = std::span<const std::byte>(parcel.value);
  if (!take_result(result, parcel.borrower, &parcel)) ++board_.lock()->late;
  LinkRecord* link = find_link(parcel.borrower);
  if (link != nullptr && holds(Rule::kResultsTaken))
    deliver(*link, messages::encode_taken(std::vector{parcel.number}));
}

// They will not be waited for any more; says which loans they were of.
std::vector<std::uint64_t> Courier::give_up_results(
    const NodeId& borrower, const std::function<bool(const Arriving&)>& which) {
  std::vector<std::uint64_t> numbers;
  for (auto next = arriving_.begin(); next != arriving_.end();) {
    const ArrivingAt at = next++;
    if (at->borrower != borrower || !which(*at)) continue;
    for (const auto& [id, place] : at->blobs) {
      const auto awaiting = wanted_blobs_.find(id);
      if (awaiting == wanted_blobs_.end()) continue;
      std::erase_if(awaiting->second.results, [&](const auto& one) { return one.first == at; });
      if (!awaiting->second.empty()) continue;
      wanted_blobs_.erase(awaiting);
      fetcher_.forget(id);
    }
    numbers.push_back(at->number);
    arriving_.erase(at);
  }
  return numbers;
}

// ---- fetching

void Courier::fetch_blobs(Clock::time_point now) {
  codec::give_back_large(now);
  for (const BlobFetcher::Assayed& one : fetcher_.take_assayed()) {
    const LinkRecord* link = find_link(one.from);
    took(one.took, one.id, link == nullptr ? one.from.short_name() : link->name);
  }
  for (const BlobId& id : fetcher_.take_failed()) blob_failed(id);
  if (fetcher_.open() == 0) return;
  std::map<NodeId, std::vector<messages::Want>> wants;
  for (const BlobFetcher::Want& want : fetcher_.poll(now))
    wants[want.to].push_back({want.id, want.at, want.length, want.insist});
  for (const auto& [node, wanted] : wants) {
    LinkRecord* link = find_link(node);
    PeerRecord* record = link == nullptr || !link->session ? nullptr : peer(*link->session);
    if (record == nullptr) {
      fetcher_.lost(node);
      continue;
    }
    record->used = now;
    say(*link->session, messages::encode(wanted));
  }
  for (const NodeId& node : fetcher_.take_strangers()) neighbourhood_.connect(node, now);
}

void Courier::on(const messages::Piece& piece) {
  PeerRecord& record = *peer(speaker_);
  record.used = now_;
  const BlobFetcher::Took what =
      fetcher_.take_piece(record.link->node, piece.id, piece.at, piece.bytes, now_);
  if (what != BlobFetcher::Took::kMore) took(what, piece.id, who(speaker_));
}

void Courier::took(BlobFetcher::Took what, const BlobId& id, const std::string& from) {
  switch (what) {
    case BlobFetcher::Took::kMore:
    case BlobFetcher::Took::kNotNow:
    case BlobFetcher::Took::kAssayed:
      return;
    case BlobFetcher::Took::kWhole:
      return blob_is_here(id);
    case BlobFetcher::Took::kWrong:
      return misbehaved(from + " sent a blob that is not what its name says");
    case BlobFetcher::Took::kMixed:
      return misbehaved("a blob that came from several nodes, the last of them " + from +
                        ", is not what its name says; it is fetched again from one");
    case BlobFetcher::Took::kNoRoom:
      return parts_.log.warn("no memory for a blob of " + std::to_string(id.size) +
                             " bytes that a job needs: the job goes back to its owner");
  }
}

void Courier::on_not_here(const BlobId& id) { fetcher_.not_here(peer(speaker_)->link->node, id); }

void Courier::on(const messages::Instead& instead) {
  const NodeId& self = transport_->self().node;
  if (instead.node == self) {  // as if nobody had it there
    fetcher_.ask_instead(peer(speaker_)->link->node, instead.id, instead.node, now_);
    return fetcher_.not_here(self, instead.id);
  }
  fetcher_.ask_instead(peer(speaker_)->link->node, instead.id, instead.node, now_);
}

void Courier::blob_is_here(const BlobId& id) {
  codec::Bytes bytes = fetcher_.take(id);
  fetched_.fetch_add(1, std::memory_order_relaxed);
  fetched_bytes_.fetch_add(id.size, std::memory_order_relaxed);
  moved(1);
  const auto entry = wanted_blobs_.find(id);
  if (entry == wanted_blobs_.end()) return;
  const Awaiting awaiting = std::move(entry->second);
  wanted_blobs_.erase(entry);
  if (traces()) trace_transfer(id, awaiting.since, awaiting.giver);
  // A result is moved to its job if nobody else is to see it.
  const bool is_result = awaiting.jobs.empty() && awaiting.results.size() == 1 &&
                         awaiting.results.front().second == Luggage::kWhole;
  BlobPtr blob;
  if (is_result) {
    awaiting.results.front().first->value = std::move(bytes);
  } else {
    blob = std::make_shared<const Blob>(id, std::move(bytes));
    if (!awaiting.for_one) blob = store_.put(std::move(blob));
  }
  for (const auto& [at, place] : awaiting.results) {
    if (!is_result && place == Luggage::kWhole) {
      at->value.assign(blob->bytes().begin(), blob->bytes().end());
    } else if (!is_result) {
      at->here.push_back({place, blob});
    }
    if (--at->missing == 0) result_is_here(at);
  }
  for (BorrowedJob* job : awaiting.jobs) {
    std::erase_if(job->blobs->missing, [&](const auto& missing) {
      if (missing.second != id) return false;
      job->blobs->arrived.push_back({missing.first, blob});
      return true;
    });
  }
  std::vector<Job*> ready;
  std::erase_if(waiting_, [&](BorrowedJob* job) {
    if (!job->blobs->missing.empty()) return false;
    ready.push_back(job);
    return true;
  });
  parts_.queue.push_borrowed(ready);
  for (std::size_t i = std::min<std::size_t>(ready.size(), workforce_->workers()); i > 0; --i)
    workforce_->announce();
}

// Nobody who was named can give it.
void Courier::blob_failed(const BlobId& id) {
  const auto entry = wanted_blobs_.find(id);
  if (entry == wanted_blobs_.end()) return;
  const Awaiting awaiting = std::move(entry->second);
  wanted_blobs_.erase(entry);
  const auto needs_it = [&](const BorrowedJob& job) {
    return std::find(awaiting.jobs.begin(), awaiting.jobs.end(), &job) != awaiting.jobs.end();
  };
  if (!awaiting.jobs.empty()) return_borrowed(drop_borrowed(needs_it), messages::Reason::kMissing);
  // A result that cannot be had is a loan that came back begun.
  for (const auto& [at, place] : awaiting.results) {
    const NodeId borrower = at->borrower;
    const std::uint64_t number = at->number;
    LinkRecord* link = find_link(borrower);
    const std::string how =
        (link == nullptr ? borrower.short_name() : link->name) + " has lost its result";
    const std::vector<std::uint64_t> numbers =
        give_up_results(borrower, [&](const Arriving& one) { return &one == &*at; });
    if (link != nullptr) deliver(*link, messages::encode_taken(numbers));
    std::vector<Ledger::Verdict> verdicts{ledger_.give_back(number, borrower, true, how)};
    dispose(verdicts, borrower, how);
  }
}

// ---- giving

void Courier::on(std::span<const messages::Want> wants) {
  PeerRecord& record = *peer(speaker_);
  if (record.wants.size() + wants.size() > kMostWants)
    throw Error("it wants more than " + std::to_string(kMostWants) + " pieces of blobs at once");
  for (const messages::Want& want : wants) {
    if (want.length > kLongestPiece) throw Error("it wants a blob in one piece");
    record.wants.push_back(want);
  }
  record.used = now_;
  askers_.insert(speaker_);
}

void Courier::serve_blobs() {
  for (auto next = askers_.begin(); next != askers_.end();) {
    const SessionId session = *next;
    PeerRecord* record = peer(session);
    if (record == nullptr || record->link->session != session) {
      if (record != nullptr) record->wants.clear();
      next = askers_.erase(next);
      continue;
    }
    std::deque<messages::Want>& wants = record->wants;
    for (std::size_t i = 0; i < wants.size();) {
      if (transport_->backlog(session) >= kPiecesAhead) break;
      const messages::Want want = wants[i];
      if (!serve_blob(*record, session, want)) {
        ++i;
      } else if (i < wants.size() && wants[i].id == want.id && wants[i].at == want.at) {
        wants.erase(wants.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    next = wants.empty() ? askers_.erase(next) : std::next(next);
  }
}

// False: it is not here yet.
bool Courier::serve_blob(PeerRecord& record, SessionId session, const messages::Want& want) {
  const auto dismiss = [&] {
    std::erase_if(record.wants, [&](const messages::Want& one) { return one.id == want.id; });
    return true;
  };
  const auto at = static_cast<std::size_t>(want.at);
  auto part = std::make_shared<Enclosed>();
  std::span<const std::byte> front;  // goes with the head
  if (BlobPtr blob = store_.find(want.id)) {
    if (!want.insist) {
      const std::optional<NodeId> other = spread_.instead(want.id, record.link->node);
      const discovery::Member* member = other ? neighbourhood_.find(*other) : nullptr;
      if (member != nullptr && is_present(member->state)) {
        say(session, messages::encode(messages::Instead{want.id, *other}));
        return dismiss();
      }
    }
    const auto parts = blob->part(at, want.length);
    front = parts[0];
    part->bytes = parts[1];
    part->blob = std::move(blob);
  } else if (const auto offer = offers_.find(want.id); offer != offers_.end()) {
    const auto parts = offer->second.bytes.part(at, want.length);
    front = parts[0];
    part->bytes = parts[1];
    std::vector<std::weak_ptr<Enclosed>>& leaving = offer->second.leaving;
    std::erase_if(leaving, [](const auto& one) { return one.expired(); });
    leaving.push_back(part);
  } else if (fetcher_.needs(want.id)) {
    const std::span<const std::byte> here = fetcher_.so_far(want.id);
    if (at + want.length > here.size()) return false;
    part->copy.assign(here.begin() + static_cast<std::ptrdiff_t>(at),
                      here.begin() + static_cast<std::ptrdiff_t>(at + want.length));
    part->bytes = part->copy;
  } else {
    say(session, messages::encode_not_here(want.id));
    return dismiss();
  }
  messages::Encoded head =
      messages::encode_head(messages::Piece{want.id, want.at, part->bytes}, front);
  say(session, std::move(head), std::move(part));
  record.used = now_;
  given_bytes_.fetch_add(want.length, std::memory_order_relaxed);
  if (stage_ == Stage::kGoodbye) stage_ends_ = std::max(stage_ends_, now_ + kReadersLimit);
  return true;
}

}  // namespace pp::runtime
