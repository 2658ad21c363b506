// CacheIndex: least recently used goes.
#include "cache_index.hpp"

#include <algorithm>

namespace pp::tools::daemon {

void CacheIndex::found(const Hash& hash, std::uint64_t bytes, std::int64_t used) {
  coming_.erase(hash);
  entries_[hash] = {bytes, used};
}

void CacheIndex::used(const Hash& hash, std::int64_t when) {
  if (const auto entry = entries_.find(hash); entry != entries_.end()) entry->second.used = when;
}

void CacheIndex::let_go(const Hash& hash) {
  const auto held = held_.find(hash);
  if (held != held_.end() && --held->second == 0) held_.erase(held);
}

std::uint64_t CacheIndex::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [hash, entry] : entries_) sum += entry.bytes;
  for (const auto& [hash, bytes] : coming_) sum += bytes;
  return sum;
}

std::optional<CacheIndex::Hash> CacheIndex::oldest() const {
  const std::pair<const Hash, Entry>* oldest = nullptr;
  for (const auto& entry : entries_) {
    if (held_.contains(entry.first)) continue;
    if (oldest == nullptr || entry.second.used < oldest->second.used) oldest = &entry;
  }
  if (oldest == nullptr) return std::nullopt;
  return oldest->first;
}

CacheIndex::Room CacheIndex::make_room(const Hash& hash, std::uint64_t bytes) {
  std::uint64_t stays = 0;
  for (const auto& [other, entry] : entries_) stays += held_.contains(other) ? entry.bytes : 0;
  for (const auto& [other, coming] : coming_) stays += coming;
  Room room;
  if (bytes > limit_ || stays > limit_ - bytes) {
    room.why_not = "the program has " + std::to_string(bytes) + " bytes and the cache " +
                   std::to_string(limit_) + " (cache-size)" +
                   (stays > 0 ? ", of which " + std::to_string(stays) + " are in use" : "");
    return room;
  }
  coming_[hash] = bytes;
  room.goes = trim();
  return room;
}

std::vector<CacheIndex::Hash> CacheIndex::trim() {
  std::vector<Hash> goes;
  while (bytes() > limit_) {
    const std::optional<Hash> next = oldest();
    if (!next) break;
    entries_.erase(*next);
    goes.push_back(*next);
  }
  return goes;
}

std::string to_string(const runtime::ContentHash& hash) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : hash.bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::optional<runtime::ContentHash> parse_hash(const std::string& text) {
  runtime::ContentHash hash;
  if (text.size() != 2 * hash.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digit = std::string("0123456789abcdef").find(text[i]);
    if (digit == std::string::npos) return std::nullopt;
    hash.bytes[i / 2] = static_cast<std::uint8_t>(hash.bytes[i / 2] << 4 | digit);
  }
  return hash;
}

}  // namespace pp::tools::daemon
