// RunFolder: a lock on a folder, and removing what programs have left there.
#include "run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <pp/error.hpp>
#include <string>
#include <system_error>

namespace pp::tools::daemon {
namespace {

constexpr char kPrefix[] = "run-";
constexpr int kMostTries = 10;

// With the lock, or not open.
Descriptor lock(const std::filesystem::path& folder) {
  Descriptor descriptor(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.open() && ::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) descriptor.close();
  return descriptor;
}

// Links are removed, not followed. A program may have shut its own folders (chmod 0).
void remove_tree(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code failed;
  fs::remove_all(folder, failed);
  if (!failed) return;
  constexpr auto kIntoClosed = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator each(folder, kIntoClosed, failed), end;
       !failed && each != end; each.increment(failed)) {
    std::error_code ignored;
    if (each->symlink_status(ignored).type() == fs::file_type::directory)
      fs::permissions(each->path(), fs::perms::owner_all, ignored);
  }
  fs::remove_all(folder, failed);
}

}  // namespace

RunFolder::RunFolder(const std::filesystem::path& parent) {
  // Whoever starts beside us may take a fresh folder for an abandoned one until it is locked.
  for (int tries = 0; tries < kMostTries && !lock_.open(); ++tries) {
    std::string name = (parent / (std::string(kPrefix) + "XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr)
      throw Error("no folder to run in can be made (" + name + "): " + std::strerror(errno));
    path_ = name;
    lock_ = lock(path_);
    struct stat about {};
    if (lock_.open() && ::stat(name.c_str(), &about) != 0) lock_.close();
  }
  if (!lock_.open())
    throw Error("no folder to run in can be locked in " + parent.string() +
                ": does its file system know flock(2)?");
}

RunFolder::~RunFolder() { remove_tree(path_); }

void RunFolder::remove_abandoned(const std::filesystem::path& parent) {
  std::error_code failed;
  for (std::filesystem::directory_iterator each(parent, failed), end; !failed && each != end;
       each.increment(failed)) {
    if (!each->path().filename().string().starts_with(kPrefix)) continue;
    if (const Descriptor ours = lock(each->path()); ours.open()) remove_tree(each->path());
  }
}

}  // namespace pp::tools::daemon
