// Victim: a share of the surplus.
#include "victim.hpp"

#include <algorithm>
#include <utility>

namespace pp::runtime {

namespace {

// In 64 bits: what a thief says of its workers may be anything.
std::size_t half(std::size_t surplus, const Victim::Stock& stock, const Victim::Thief& thief) {
  const std::size_t part =
      surplus * thief.workers / (thief.workers + std::max<std::uint64_t>(stock.workers, 1));
  return std::clamp<std::size_t>(part, surplus > 0 ? 1 : 0, surplus);
}

std::size_t share(std::size_t surplus, const Victim::Stock& stock, const Victim::Thief& thief) {
  const std::size_t most = half(surplus, stock, thief);
  if (stock.everybody == 0) return most;
  const std::size_t fair = surplus * thief.workers / stock.everybody / 2;
  return std::min(most, std::max<std::size_t>({fair, thief.wants, 1}));
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
  const std::size_t spare = std::min(surplus, stock.borrowed);
  return {0, spare > stock.keep ? half(spare - stock.keep, stock, thief) : 0};
}

void Victim::park(const Thief& thief) {
  unpark(thief.session);
  parked_.emplace(thief.session, Entry{thief, clock_});
  order_.emplace(clock_++, thief.session);
}

void Victim::unpark(SessionId thief) {
  const auto entry = parked_.find(thief);
  if (entry == parked_.end()) return;
  order_.erase(entry->second.since);
  parked_.erase(entry);
}

void Victim::heard(SessionId thief, std::uint32_t workers, std::uint32_t idle) {
  const auto entry = parked_.find(thief);
  if (entry == parked_.end()) return;
  entry->second.thief.workers = workers;
  entry->second.thief.idle = idle;
}

bool Victim::send_on(SessionId thief) {
  const auto entry = parked_.find(thief);
  return entry == parked_.end() || !std::exchange(entry->second.sent_on, true);
}

std::uint32_t Victim::parked_workers() const {
  std::uint64_t sum = 0;
  for (const auto& [session, entry] : parked_) sum += entry.thief.workers;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, UINT32_MAX));
}

std::vector<Victim::Thief> Victim::parked() const {
  std::vector<Thief> thieves;
  thieves.reserve(order_.size());
  for (const auto& [since, session] : order_) thieves.push_back(parked_.at(session).thief);
  return thieves;
}

}  // namespace pp::runtime
