// ProgramCache: the programs that launches have sent, in a folder, by content hash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <pp/content_hash.hpp>
#include <span>
#include <string>
#include <vector>

#include "cache_index.hpp"
#include "descriptor.hpp"

namespace pp::tools::daemon {

// A program lies under its hash, and only what has this hash lies there: it is written under
// another name, checked and renamed. Each time it is about to be run it is
// checked again. Several daemons may share a folder. One thread.
class ProgramCache {
 public:
  using Hash = runtime::ContentHash;

  // Makes the folder, for its owner alone; removes what writers that have died left unfinished.
  // Throws pp::Error if the folder is not fit for programs: not ours, or others may write there.
  ProgramCache(std::filesystem::path folder, std::uint64_t limit);

  // Where a whole program of this hash lies, held on to; nothing if it does not.
  std::optional<std::filesystem::path> hold(const Hash& hash, std::uint64_t bytes);
  void let_go(const Hash& hash);
  void set_limit(std::uint64_t bytes);

  // One that comes, a piece at a time. What is unfinished at its end is removed.
  class Arrival {
   public:
    Arrival(ProgramCache& cache, const Hash& hash, std::uint64_t bytes);
    ~Arrival();
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;

    // Why it could not be written.
    std::optional<std::string> add(std::span<const std::byte> bytes);
    // Checked and in its place; hold() finds it.
    std::optional<std::string> finish();

   private:
    ProgramCache& cache_;
    const Hash hash_;
    const std::uint64_t bytes_;
    std::filesystem::path file_;
    Descriptor descriptor_;  // with a lock: this file is being written
    std::string why_not_;    // it could not be opened
    runtime::ContentHasher hasher_;
  };
  // There is room for it now, or a sentence why there is none.
  std::optional<std::string> make_room(const Hash& hash, std::uint64_t bytes);

  const CacheIndex& index() const { return index_; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path place(const Hash& hash) const { return folder_ / to_string(hash); }
  void remove(const std::vector<Hash>& hashes);
  void look();

  std::filesystem::path folder_;
  CacheIndex index_;
};

// Of a file's content; nothing if it cannot be read. `bytes`: how many there were.
std::optional<runtime::ContentHash> hash_of(int descriptor, std::uint64_t& bytes);

}  // namespace pp::tools::daemon
