// BlobFetcher: windows, sources, and what to do when one of them fails.
#include "blob_fetcher.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace pp::runtime {

namespace {

// No machine has room for more; whoever announces it is wrong.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 38;

}  // namespace

void BlobFetcher::need(const BlobId& id, const NodeId& owner, Proof proof) {
  const auto [entry, is_new] = fetches_.try_emplace(id);
  Fetch& fetch = entry->second;
  if (is_new) fetch.proof = proof;
  if (!is_new && fetch.proof == Proof::kSender) return;
  if (std::find(fetch.owners.begin(), fetch.owners.end(), owner) == fetch.owners.end())
    fetch.owners.push_back(owner);
}

bool BlobFetcher::all_here(Fetches::const_iterator fetch) {
  return fetch->second.assaying && fetch->second.arrival->bytes.size() == fetch->first.size;
}

// What was asked for and has not come will not.
void BlobFetcher::ask_again(Fetch& fetch) {
  fetch.asked = fetch.arrival->bytes.size();
  fetch.under_way = 0;
}

void BlobFetcher::back_to_owner(Fetch& fetch) {
  fetch.instead.reset();
  fetch.insist = true;
  ask_again(fetch);
}

void BlobFetcher::begin_anew(Fetch& fetch) {
  fetch.arrival = std::make_shared<Arrival>();
  fetch.assaying = false;
  fetch.sender.reset();
  fetch.mixed = false;
  back_to_owner(fetch);
}

// The one that was asked has failed. False: there is no other; the fetch is over.
bool BlobFetcher::next_owner(Fetches::iterator fetch) {
  fetch->second.owners.pop_front();
  if (!fetch->second.owners.empty()) {
    begin_anew(fetch->second);
    return true;
  }
  failed_.push_back(fetch->first);
  fetches_.erase(fetch);
  return false;
}

void BlobFetcher::lost(const NodeId& node) {
  reachable_.erase(node);
  for (auto& [id, fetch] : fetches_) {
    if (source(fetch) != node) continue;
    fetch.instead ? back_to_owner(fetch) : ask_again(fetch);
  }
}

void BlobFetcher::gone(const NodeId& node) {
  lost(node);
  for (auto next = fetches_.begin(); next != fetches_.end();) {
    const auto fetch = next++;
    std::deque<NodeId>& owners = fetch->second.owners;
    // All of it is here: nobody needs to be asked, unless it is wrong.
    if (all_here(fetch)) continue;
    if (owners.front() == node) {
      next_owner(fetch);
    } else {
      owners.erase(std::remove(owners.begin(), owners.end(), node), owners.end());
    }
  }
}

std::vector<BlobFetcher::Want> BlobFetcher::poll(Time now) {
  due_ = Time::max();
  std::vector<Want> wants;
  if (fetches_.empty()) return wants;
  struct UnderWay {
    std::size_t bytes = 0, pieces = 0;
  };
  std::map<NodeId, UnderWay> under_way;
  for (auto& [id, fetch] : fetches_) {
    if (fetch.instead) {
      if (now >= fetch.progress + limits_.patience) {
        back_to_owner(fetch);
      } else {
        due_ = std::min(due_, fetch.progress + limits_.patience);
      }
    }
    // Of several owners one that can be asked.
    if (!fetch.instead && !reachable_.contains(fetch.owners.front())) {
      const auto other =
          std::find_if(fetch.owners.begin(), fetch.owners.end(),
                       [&](const NodeId& owner) { return reachable_.contains(owner); });
      if (other != fetch.owners.end()) {
        std::iter_swap(fetch.owners.begin(), other);
        ask_again(fetch);
      }
    }
    UnderWay& there = under_way[source(fetch)];
    there.bytes += static_cast<std::size_t>(fetch.asked) - fetch.arrival->bytes.size();
    there.pieces += fetch.under_way;
  }
  // One piece of each in turn, beginning behind the one that had the last turn.
  auto fetch = fetches_.upper_bound(last_asked_);
  for (std::size_t passed = 0; passed < fetches_.size(); ++fetch) {
    if (fetch == fetches_.end()) fetch = fetches_.begin();
    const BlobId& id = fetch->first;
    Fetch& one = fetch->second;
    const NodeId& to = source(one);
    UnderWay& there = under_way[to];
    const bool whole = one.asked == id.size && (id.size > 0 || one.under_way > 0);
    if (whole || !reachable_.contains(to) || there.bytes >= limits_.window ||
        there.pieces >= limits_.pieces) {
      ++passed;
      continue;
    }
    passed = 0;
    const auto length = std::min<std::uint64_t>(limits_.piece, id.size - one.asked);
    wants.push_back({to, id, one.asked, static_cast<std::uint32_t>(length), one.insist});
    one.asked += length;
    ++one.under_way;
    there.bytes += static_cast<std::size_t>(length);
    ++there.pieces;
    last_asked_ = id;
  }
  return wants;
}

BlobFetcher::Took BlobFetcher::take_piece(const NodeId& from, const BlobId& id, std::uint64_t at,
                                          std::span<const std::byte> bytes, Time now) {
  const auto found = fetches_.find(id);
  if (found == fetches_.end()) return Took::kNotNow;
  Fetch& fetch = found->second;
  // (From one that is asked no more it is welcome, if it fits.)
  if (at != fetch.arrival->bytes.size() || at >= fetch.asked + (id.size == 0 ? 1 : 0) ||
      bytes.size() > id.size - at || (bytes.empty() && id.size > 0))
    return Took::kNotNow;
  if (fetch.proof == Proof::kSender && from != source(fetch)) return Took::kNotNow;
  codec::Bytes& here = fetch.arrival->bytes;
  try {
    if (id.size > kMostBytes) throw std::bad_alloc();
    // Not filled with zeros first: memory that nothing was written to is none yet, so what an
    // announced size costs is bounded by what has arrived.
    if (id.size >= codec::kLarge && here.capacity() < id.size) {
      here = codec::large_room(static_cast<std::size_t>(id.size));
    } else {
      here.reserve(static_cast<std::size_t>(id.size));
    }
  } catch (const std::bad_alloc&) {
    failed_.push_back(id);
    fetches_.erase(found);
    return Took::kNoRoom;
  }
  fetch.mixed |= fetch.sender.has_value() && *fetch.sender != from;
  fetch.sender = from;
  here.insert(here.end(), bytes.begin(), bytes.end());
  const bool last = here.size() == id.size;
  if (fetch.proof == Proof::kName) {
    const auto part = std::span(here).subspan(static_cast<std::size_t>(at));
    fetch.assaying = assays(fetch, part, last);
    if (!fetch.assaying) fetch.arrival->hasher.add(part);
  }
  fetch.asked = std::max<std::uint64_t>(fetch.asked, here.size());
  if (fetch.under_way > 0) --fetch.under_way;
  fetch.progress = now;
  if (!last) return Took::kMore;
  if (fetch.proof == Proof::kSender) return Took::kWhole;
  if (fetch.assaying) return Took::kAssayed;
  return judge(found, fetch.arrival->hasher.finish());
}

// Whether this part is hashed by the assayer: from the first part to the last, or none.
bool BlobFetcher::assays(const Fetch& fetch, std::span<const std::byte> part, bool last) {
  const bool first = part.size() == fetch.arrival->bytes.size();
  if (assayer_ == nullptr || (!first && !fetch.assaying)) return false;
  if (first && (last || fetch.arrival->bytes.capacity() < codec::kLarge)) return false;
  return assayer_->take(fetch.arrival, part, last);
}

std::vector<BlobFetcher::Assayed> BlobFetcher::take_assayed() {
  std::vector<Assayed> all;
  for (auto next = fetches_.begin(); next != fetches_.end();) {
    const auto fetch = next++;
    const Arrival& arrival = *fetch->second.arrival;
    // Acquire: see Arrival.
    if (!fetch->second.assaying || !arrival.assayed.load(std::memory_order_acquire)) continue;
    const BlobId id = fetch->first;
    const NodeId from = *fetch->second.sender;
    const ContentHash hash = arrival.hash;
    all.push_back({id, judge(fetch, hash), from});
  }
  return all;
}

// All of it has come, and has this hash.
BlobFetcher::Took BlobFetcher::judge(Fetches::iterator found, const ContentHash& hash) {
  Fetch& fetch = found->second;
  if (hash == found->first.hash) return Took::kWhole;
  if (fetch.mixed || fetch.instead) {
    const bool mixed = fetch.mixed;
    begin_anew(fetch);
    return mixed ? Took::kMixed : Took::kWrong;
  }
  next_owner(found);
  return Took::kWrong;
}

codec::Bytes BlobFetcher::take(const BlobId& id) {
  const auto fetch = fetches_.find(id);
  codec::Bytes bytes = std::move(fetch->second.arrival->bytes);
  fetches_.erase(fetch);
  return bytes;
}

void BlobFetcher::not_here(const NodeId& from, const BlobId& id) {
  const auto fetch = fetches_.find(id);
  if (fetch == fetches_.end() || all_here(fetch) || source(fetch->second) != from) return;
  if (fetch->second.instead) return back_to_owner(fetch->second);
  next_owner(fetch);
}

void BlobFetcher::ask_instead(const NodeId& from, const BlobId& id, const NodeId& other, Time now) {
  const auto found = fetches_.find(id);
  if (found == fetches_.end()) return;
  Fetch& fetch = found->second;
  // Whoever was named does not name a third; and who was told to give it itself does.
  if (fetch.instead || fetch.owners.front() != from || fetch.insist || other == from) return;
  fetch.instead = other;
  fetch.progress = now;
  ask_again(fetch);
  if (!reachable_.contains(other)) strangers_.insert(other);
}

std::span<const std::byte> BlobFetcher::so_far(const BlobId& id) const {
  const auto fetch = fetches_.find(id);
  return fetch == fetches_.end() ? std::span<const std::byte>() : fetch->second.arrival->bytes;
}

}  // namespace pp::runtime
