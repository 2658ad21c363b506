// ProgramCache: files that appear whole or not at all.
#include "program_cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <pp/error.hpp>
#include <pp/node_id.hpp>

namespace pp::tools::daemon {
namespace {

constexpr char kUnfinished[] = "unfinished-";

std::int64_t seconds_now() { return static_cast<std::int64_t>(::time(nullptr)); }

std::string last_error() { return std::strerror(errno); }

// An unfinished file that nobody writes any more: its writer held a lock.
bool is_abandoned(const std::filesystem::path& file) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  return descriptor.open() && ::flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

std::optional<runtime::ContentHash> hash_of(int descriptor, std::uint64_t& bytes) {
  runtime::ContentHasher hasher;
  std::vector<std::byte> part(8 * runtime::ContentHasher::kLeafBytes);
  bytes = 0;
  for (;;) {
    std::size_t filled = 0;
    while (filled < part.size()) {
      const ssize_t got = ::read(descriptor, part.data() + filled, part.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::nullopt;
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    hasher.add(std::span(part).first(filled));
    bytes += filled;
    if (filled < part.size()) return hasher.finish();
  }
}

ProgramCache::ProgramCache(std::filesystem::path folder, std::uint64_t limit)
    // Absolute: a program is executed where its lease runs.
    : folder_(std::filesystem::absolute(std::move(folder))), index_(limit) {
  std::error_code failed;
  std::filesystem::create_directories(folder_.parent_path(), failed);
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
    throw Error("the cache folder " + folder_.string() + " cannot be made: " + last_error());
  struct stat about {};
  if (::stat(folder_.c_str(), &about) != 0 || !S_ISDIR(about.st_mode))
    throw Error("the cache folder " + folder_.string() + " is no folder");
  if (about.st_uid != ::geteuid() || (about.st_mode & 022) != 0) {
    throw Error("the cache folder " + folder_.string() +
                " can be written to by others, who could have their programs run: expected one of "
                "this user's own, mode 0700");
  }
  if (::access(folder_.c_str(), W_OK | X_OK) != 0)
    throw Error("the cache folder " + folder_.string() + " cannot be written to: " + last_error());
  look();
}

void ProgramCache::look() {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, failed)) {
    const std::string name = entry.path().filename();
    struct stat about {};
    if (::lstat(entry.path().c_str(), &about) != 0 || !S_ISREG(about.st_mode)) continue;
    if (name.starts_with(kUnfinished)) {
      if (is_abandoned(entry.path())) ::unlink(entry.path().c_str());
    } else if (const auto hash = parse_hash(name)) {
      index_.found(*hash, static_cast<std::uint64_t>(about.st_size), about.st_mtime);
    }
  }
  remove(index_.trim());
}

void ProgramCache::remove(const std::vector<Hash>& hashes) {
  for (const Hash& hash : hashes) ::unlink(place(hash).c_str());
}

void ProgramCache::set_limit(std::uint64_t bytes) {
  index_.set_limit(bytes);
  remove(index_.trim());
}

std::optional<std::filesystem::path> ProgramCache::hold(const Hash& hash, std::uint64_t bytes) {
  const std::filesystem::path file = place(hash);
  // Not waiting for somebody to write, should it be a pipe.
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!descriptor.open()) {
    index_.gone(hash);
    return std::nullopt;
  }
  struct stat about {};
  std::uint64_t size = 0;
  const bool whole = ::fstat(descriptor.get(), &about) == 0 && S_ISREG(about.st_mode) &&
                     hash_of(descriptor.get(), size) == hash;
  if (whole && size != bytes) return std::nullopt;  // who asks is mistaken
  if (!whole) {
    ::unlink(file.c_str());  // it was damaged; the launch sends it again
    index_.gone(hash);
    return std::nullopt;
  }
  ::futimens(descriptor.get(), nullptr);  // used now, also for those who look after a restart
  index_.found(hash, bytes, seconds_now());
  index_.hold(hash);
  return file;
}

void ProgramCache::let_go(const Hash& hash) {
  index_.let_go(hash);
  remove(index_.trim());
}

std::optional<std::string> ProgramCache::make_room(const Hash& hash, std::uint64_t bytes) {
  const CacheIndex::Room room = index_.make_room(hash, bytes);
  if (!room.why_not.empty()) return room.why_not;
  remove(room.goes);
  return std::nullopt;
}

ProgramCache::Arrival::Arrival(ProgramCache& cache, const Hash& hash, std::uint64_t bytes)
    : cache_(cache), hash_(hash), bytes_(bytes) {
  file_ = cache_.folder_ / (kUnfinished + NodeId::random().to_string());
  descriptor_ =
      Descriptor(::open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (descriptor_.open()) {
    ::flock(descriptor_.get(), LOCK_EX | LOCK_NB);
  } else {
    why_not_ = "no file can be made in " + cache_.folder_.string() + ": " + last_error();
  }
}

ProgramCache::Arrival::~Arrival() {
  cache_.index_.given_up(hash_);
  if (!file_.empty()) ::unlink(file_.c_str());
}

std::optional<std::string> ProgramCache::Arrival::add(std::span<const std::byte> bytes) {
  if (!why_not_.empty()) return why_not_;
  hasher_.add(bytes);
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return "the program cannot be stored in " + cache_.folder_.string() + ": " + last_error();
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return std::nullopt;
}

std::optional<std::string> ProgramCache::Arrival::finish() {
  if (hasher_.finish() != hash_)
    return "the program that came is not the one that was announced (its hash differs)";
  const std::filesystem::path place = cache_.place(hash_);
  // What a power cut leaves of it is noticed by hold(), so nobody waits for the disk here.
  if (::fchmod(descriptor_.get(), 0500) != 0 || ::rename(file_.c_str(), place.c_str()) != 0) {
    return "the program cannot be stored in " + cache_.folder_.string() + ": " + last_error();
  }
  file_.clear();
  descriptor_.close();  // a file that is open for writing cannot be executed
  cache_.index_.found(hash_, bytes_, seconds_now());
  return std::nullopt;
}

}  // namespace pp::tools::daemon
