// Watch points: one file each, in a folder that is this user's own.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <pp/error.hpp>
#include <pp/watch_point.hpp>

namespace pp {

namespace {

constexpr std::string_view kEnding = ".watch";

// The folder that runtime files of this user belong to; pp's own lies in it, or is named so.
std::string folder() {
  const char* named = std::getenv("XDG_RUNTIME_DIR");
  if (named != nullptr && named[0] == '/') return std::string(named) + "/pp";
  const std::string user = std::to_string(::getuid());
  struct stat found {};
  if (::stat(("/run/user/" + user).c_str(), &found) == 0) return "/run/user/" + user + "/pp";
  return "/tmp/pp-" + user;
}

// Whether it is a folder of this user's into which nobody else can put anything. (In /tmp somebody
// else may have been faster.)
bool is_ours(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
         found.st_uid == ::getuid() && (found.st_mode & 077) == 0;
}

std::string read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return {};
  char text[4096];
  const ssize_t count = ::read(file, text, sizeof text);
  ::close(file);
  return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : std::string();
}

std::string first_line(std::string& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string line = text.substr(0, end);
  text.erase(0, std::min(end + 1, text.size()));
  return line;
}

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// As it stands in the file: a line for each member, in their order.
std::string written(const WatchPoint& point) {
  return point.url + '\n' + point.name + '\n' + (point.driver ? "driver" : "worker") + '\n' +
         std::to_string(point.pid) + '\n' + std::to_string(point.since_ms) + '\n';
}

}  // namespace

std::vector<WatchPoint> WatchPoint::local() {
  std::vector<WatchPoint> points;
  const std::string path = folder();
  if (!is_ours(path)) return points;
  DIR* const open = ::opendir(path.c_str());
  if (open == nullptr) return points;
  while (const dirent* entry = ::readdir(open)) {
    if (!std::string_view(entry->d_name).ends_with(kEnding)) continue;
    const std::string file = path + '/' + entry->d_name;
    std::string text = read_file(file);
    WatchPoint point;
    point.url = first_line(text);
    point.name = first_line(text);
    point.driver = first_line(text) == "driver";
    point.pid = number(first_line(text));
    point.since_ms = number(first_line(text));
    if (point.url.empty() || point.since_ms == 0) continue;  // it is being written
    if (point.pid <= 0 || (::kill(static_cast<pid_t>(point.pid), 0) != 0 && errno == ESRCH)) {
      ::unlink(file.c_str());
      continue;
    }
    points.push_back(std::move(point));
  }
  ::closedir(open);
  std::sort(points.begin(), points.end(), [](const WatchPoint& a, const WatchPoint& b) {
    return a.driver != b.driver ? a.driver : a.since_ms > b.since_ms;
  });
  return points;
}

WatchPointFile::WatchPointFile(const WatchPoint& point) {
  const std::string path = folder();
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    throw Error("pp: " + path + " cannot be made: " + std::strerror(errno));
  if (!is_ours(path))
    throw Error("pp: " + path + " is not a folder of this user's alone (mode 0700)");
  // Relaxed: only that two nodes of one process have two files.
  static std::atomic<unsigned> count{0};
  const std::string file = path + '/' + std::to_string(point.pid) + '-' +
                           std::to_string(count.fetch_add(1, std::memory_order_relaxed)) +
                           std::string(kEnding);
  ::unlink(file.c_str());  // of a process that had this number before
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) throw Error("pp: " + file + " cannot be made: " + std::strerror(errno));
  const std::string text = written(point);
  const bool whole =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(descriptor);
  if (!whole) {
    ::unlink(file.c_str());
    throw Error("pp: " + file + " cannot be written: is the disk full?");
  }
  file_ = file;
}

WatchPointFile::~WatchPointFile() { ::unlink(file_.c_str()); }

}  // namespace pp
