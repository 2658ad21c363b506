// CacheIndex: which programs a cache holds, and which of them goes when there is no room.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <pp/content_hash.hpp>
#include <string>
#include <vector>

namespace pp::tools::daemon {

// Least recently used goes; what a lease holds on to stays. It touches no file and reads no clock:
// times are numbers that grow (of seconds, say). One thread.
class CacheIndex {
 public:
  using Hash = runtime::ContentHash;

  explicit CacheIndex(std::uint64_t limit) : limit_(limit) {}

  void set_limit(std::uint64_t bytes) { limit_ = bytes; }
  void found(const Hash& hash, std::uint64_t bytes, std::int64_t used);
  void gone(const Hash& hash) { entries_.erase(hash); }
  bool has(const Hash& hash) const { return entries_.contains(hash); }
  void used(const Hash& hash, std::int64_t when);

  // For a lease; as often as it is let go.
  void hold(const Hash& hash) { ++held_[hash]; }
  void let_go(const Hash& hash);

  struct Room {
    std::vector<Hash> goes;  // remove these; already forgotten here
    std::string why_not;     // not empty: there is no room, and nothing goes
  };
  // For a program that comes; it counts until it is found() or given_up().
  Room make_room(const Hash& hash, std::uint64_t bytes);
  void given_up(const Hash& hash) { coming_.erase(hash); }
  // What must go after the limit has become smaller.
  std::vector<Hash> trim();

  std::uint64_t bytes() const;
  std::size_t programs() const { return entries_.size(); }
  std::uint64_t limit() const { return limit_; }

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    std::int64_t used = 0;
  };

  // Of those that may go.
  std::optional<Hash> oldest() const;

  std::uint64_t limit_;
  std::map<Hash, Entry> entries_;
  std::map<Hash, unsigned> held_;
  std::map<Hash, std::uint64_t> coming_;
};

// 64 hexadecimal digits, and back; nothing if it is not that.
std::string to_string(const runtime::ContentHash& hash);
std::optional<runtime::ContentHash> parse_hash(const std::string& text);

}  // namespace pp::tools::daemon
