// FileWatch over inotify.
#include "file_watch.hpp"

#include <sys/inotify.h>

#include <cerrno>
#include <cstring>
#include <pp/error.hpp>

namespace pp::tools {

FileWatch::FileWatch(const std::filesystem::path& file)
    : name_(file.filename()), descriptor_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  const std::filesystem::path parent = file.parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (!descriptor_.open() ||
      ::inotify_add_watch(descriptor_.get(), folder.c_str(),
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) < 0) {
    throw Error(file.string() + " cannot be watched: " + std::strerror(errno));
  }
}

bool FileWatch::changed() {
  alignas(inotify_event) char bytes[4096];
  bool seen = false;
  for (;;) {
    const ssize_t count = ::read(descriptor_.get(), bytes, sizeof bytes);
    if (count <= 0) return seen;
    for (ssize_t at = 0; at < count;) {
      const auto* event = reinterpret_cast<const inotify_event*>(bytes + at);
      seen =
          seen || (event->mask & IN_Q_OVERFLOW) != 0 || (event->len != 0 && name_ == event->name);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

}  // namespace pp::tools
