// PidFile: a lock, a number, and the race with whoever removes the file.
#include "pid_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <pp/error.hpp>
#include <string>
#include <utility>

namespace pp::tools::daemon {
namespace {

constexpr int kMostTries = 100;

// Whether the name still leads to the file that is open here: its last owner may have removed it
// between our open() and our flock().
bool still_there(const std::filesystem::path& file, int descriptor) {
  struct stat named {};
  struct stat open {};
  return ::stat(file.c_str(), &named) == 0 && ::fstat(descriptor, &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

std::string what_it_says(int descriptor) {
  char text[32] = {};
  const ssize_t size = ::pread(descriptor, text, sizeof text - 1, 0);
  std::string pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  return pid.substr(0, pid.find_first_not_of("0123456789"));
}

}  // namespace

PidFile::PidFile(std::filesystem::path file) : file_(std::move(file)) {
  const auto refuse = [this](const char* what) {
    throw Error("pid file " + file_.string() + ": " + what + ": " + std::strerror(errno));
  };
  for (int tries = 0; tries < kMostTries; ++tries) {
    Descriptor descriptor(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!descriptor.open()) refuse("cannot be opened");
    if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) refuse("cannot be locked");
      const std::string pid = what_it_says(descriptor.get());
      throw Error("pid file " + file_.string() + ": a ppd runs already" +
                  (pid.empty() ? "" : " (pid " + pid + ")") +
                  "; end that one, or give this one another file");
    }
    if (!still_there(file_, descriptor.get())) continue;
    const std::string pid = std::to_string(::getpid()) + '\n';
    if (::ftruncate(descriptor.get(), 0) != 0 ||
        ::pwrite(descriptor.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
      refuse("cannot be written");
    }
    descriptor_ = std::move(descriptor);
    return;
  }
  throw Error("pid file " + file_.string() + ": somebody removes it again and again");
}

// Under the lock: nobody else's file is removed.
PidFile::~PidFile() {
  if (still_there(file_, descriptor_.get())) ::unlink(file_.c_str());
}

}  // namespace pp::tools::daemon
