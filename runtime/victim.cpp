// Victim: half of the surplus.
#include "victim.hpp"

#include <algorithm>

namespace pp::runtime {

namespace {

std::size_t share(std::size_t surplus, const Victim::Stock& stock, const Victim::Thief& thief) {
  // In 64 bits: what a thief says of its workers may be anything.
  const std::size_t part =
      surplus * thief.workers / (thief.workers + std::max<std::uint64_t>(stock.workers, 1));
  return std::clamp<std::size_t>(part, surplus > 0 ? 1 : 0, surplus);
}

}  // namespace

Victim::Gift Victim::decide(const Stock& stock, const Thief& thief, bool we_ask_it) {
  if (thief.workers == 0) return {};
  const std::size_t elsewhere = share(stock.elsewhere, stock, thief);
  const std::size_t total = stock.own + stock.borrowed + stock.pinned;
  const std::size_t surplus = total > stock.idle && !we_ask_it ? total - stock.idle : 0;
  const std::size_t lendable = std::min(surplus, stock.own);
  if (elsewhere + lendable > 0) {
    // What may not run here goes first: a share of the others follows only if it leaves none.
    return {elsewhere < stock.elsewhere ? elsewhere : elsewhere + share(lendable, stock, thief), 0};
  }
  return {0, share(std::min(surplus, stock.borrowed), stock, thief)};
}

void Victim::park(const Thief& thief) {
  parked_.insert_or_assign(thief.session, Entry{thief, clock_++});
}

void Victim::unpark(SessionId thief) { parked_.erase(thief); }

void Victim::heard(SessionId thief, std::uint32_t workers, std::uint32_t idle) {
  const auto entry = parked_.find(thief);
  if (entry == parked_.end()) return;
  entry->second.thief.workers = workers;
  entry->second.thief.idle = idle;
}

std::vector<Victim::Thief> Victim::parked() const {
  std::vector<Entry> entries;
  for (const auto& [session, entry] : parked_) entries.push_back(entry);
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.since < b.since; });
  std::vector<Thief> thieves;
  for (const Entry& entry : entries) thieves.push_back(entry.thief);
  return thieves;
}

}  // namespace pp::runtime
