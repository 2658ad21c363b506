// StepKey: a file that is renamed into its place, and one that is waited for.
#include "step_key.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/node_id.hpp>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace pp::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kEnding[] = ".step-key";
constexpr char kUnfinished[] = ".new-step-key";
constexpr std::chrono::hours kLeftBehind{48};  // no step waits for its nodes for so long
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{500};  // a thousand tasks may be asking the same server
constexpr std::chrono::seconds kWorthAWord{5};

constexpr char kAdvice[] =
    "expected a folder that all hosts of the step share: name one in PP_SLURM_FOLDER, or a key "
    "file that every task can read in PP_KEY_FILE";

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw Error("the step's key " + path.string() + ": " + what);
}

// The descriptor of a file that is ours alone; -1: there is none.
int open_ours(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    if (errno == ENOENT || errno == ESTALE) return -1;
    fail(path, std::string(std::strerror(errno)) + "; " + kAdvice);
  }
  struct stat status {};
  const bool known = ::fstat(fd, &status) == 0;
  if (known && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
      (status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
    return fd;
  ::close(fd);
  fail(path, "is not a file of this user (uid " + std::to_string(::geteuid()) +
                 ") that nobody else can read, but of uid " + std::to_string(status.st_uid) +
                 "; somebody else may have laid it there, or the file server turns root into "
                 "nobody: name another folder in PP_SLURM_FOLDER, or a key in PP_KEY_FILE");
}

// A network file system remembers for half a minute that a file was not there, until it hears that
// the folder has changed; opening the folder makes it ask.
void ask_again(const std::filesystem::path& folder) {
  if (DIR* listing = ::opendir(folder.c_str())) ::closedir(listing);
}

}  // namespace

StepKey::StepKey(int descriptor, std::filesystem::path made)
    : descriptor_(descriptor),
      made_(std::move(made)),
      file_("/proc/self/fd/" + std::to_string(descriptor)) {}

StepKey::StepKey(StepKey&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      made_(std::exchange(other.made_, {})),
      file_(std::move(other.file_)) {}

StepKey::~StepKey() {
  remove();
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StepKey::remove() {
  if (made_.empty()) return;
  ::unlink(made_.c_str());
  made_.clear();
}

StepKey StepKey::make(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path file = folder / (name + kEnding);
  const std::filesystem::path unfinished =
      folder / (name + "-" + NodeId::random().to_string() + kUnfinished);
  try {
    ClusterKey::generate().save(unfinished);
  } catch (const Error& error) {
    throw Error(std::string(error.what()) + "; " + kAdvice);
  }
  if (::rename(unfinished.c_str(), file.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    ::unlink(unfinished.c_str());
    fail(file, why);
  }
  const int descriptor = open_ours(file);
  if (descriptor < 0) fail(file, std::string("vanished as soon as it was made; ") + kAdvice);
  return {descriptor, file};
}

StepKey StepKey::wait_for(const std::filesystem::path& folder, const std::string& name,
                          milliseconds limit,
                          const std::function<void(const std::string&)>& waits) {
  const std::filesystem::path file = folder / (name + kEnding);
  const steady_clock::time_point begin = steady_clock::now();
  bool told = false;
  for (milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    if (const int descriptor = open_ours(file); descriptor >= 0) return {descriptor, {}};
    const auto waited = steady_clock::now() - begin;
    if (waited >= limit) {
      fail(file, "was not there within " + std::to_string(limit.count() / 1000) +
                     " s (PP_JOIN_TIMEOUT): either the step's first task has not begun, or this "
                     "host does not see what that one writes; " +
                     kAdvice);
    }
    if (!told && waited >= kWorthAWord) {
      told = true;
      waits("waits for the step's first task to make the key " + file.string());
    }
    std::this_thread::sleep_for(pause);
    ask_again(folder);
  }
}

std::filesystem::path StepKey::usual_folder(const char* home) {
  if (home == nullptr || *home != '/') {
    throw Error(std::string("pp: no place for the step's key, since HOME is not set; ") + kAdvice);
  }
  return std::filesystem::path(home) / ".pp" / "slurm";
}

void StepKey::make_folder(const std::filesystem::path& folder) {
  const std::filesystem::path above = folder.parent_path();
  for (const std::filesystem::path& each : {above, folder}) {
    if (::mkdir(each.c_str(), 0700) != 0 && errno != EEXIST)
      fail(folder, std::string(std::strerror(errno)) + "; " + kAdvice);
  }
}

void StepKey::sweep(const std::filesystem::path& folder) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string ending = entry.path().extension();
    if (ending != kEnding && ending != kUnfinished) continue;
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const auto age = std::chrono::seconds(std::time(nullptr) - status.st_mtime);
    if (status.st_uid == ::geteuid() && age > kLeftBehind) ::unlink(entry.path().c_str());
  }
}

}  // namespace pp::runtime
