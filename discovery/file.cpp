// File: open and read by the system's calls.
#include "file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace pp::discovery {
namespace {

// The year 2255: whoever may write a file may give it any time, but not make ours overflow.
constexpr std::int64_t kLatest = 9'000'000'000;  // s since 1970

}  // namespace

Stamp::Stamp(const struct stat& status)
    : inode(status.st_ino),
      bytes(status.st_size),
      changed(std::clamp<std::int64_t>(status.st_mtim.tv_sec, 0, kLatest) * 1'000'000'000 +
              status.st_mtim.tv_nsec) {}

std::optional<File> File::open(int folder, const char* name, Links links, std::error_code& why) {
  const int flags =
      O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (links == Links::kRefuse ? O_NOFOLLOW : 0);
  Descriptor descriptor(::openat(folder, name, flags));
  struct stat status {};
  if (descriptor.get() < 0 || ::fstat(descriptor.get(), &status) != 0) {
    why.assign(errno, std::generic_category());
    return std::nullopt;
  }
  return File(std::move(descriptor), status);
}

std::optional<std::string> File::read(std::size_t limit, std::error_code& why) {
  // It may have grown since it was looked at, and a byte more tells where its end is.
  std::string text;
  text.resize(std::min(limit, static_cast<std::size_t>(stamp_.bytes) + 1));
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::pread(descriptor_.get(), text.data() + size, text.size() - size,
                                static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      why.assign(errno, std::generic_category());
      return std::nullopt;
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size == text.size()) text.resize(std::min(limit, 2 * size));
  }
  text.resize(size);
  return text;
}

}  // namespace pp::discovery
