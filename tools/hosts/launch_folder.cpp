// LaunchFolder: its name holds the process id, by which a later launch sees that it is a leftover.
#include "launch_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <pp/error.hpp>
#include <string_view>

namespace pp::tools {
namespace {

constexpr std::string_view kPrefix = "pp-launch-";

// Where the path of a socket is short enough: 108 bytes, of which ssh wants some.
constexpr std::size_t kLongestParent = 40;

std::string parent() {
  const char* folder = std::getenv("XDG_RUNTIME_DIR");
  const bool good = folder != nullptr && folder[0] == '/' &&
                    std::strlen(folder) <= kLongestParent && ::access(folder, W_OK | X_OK) == 0;
  return good ? folder : "/tmp";
}

void remove_leftovers(const std::string& in) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(in, none)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    pid_t pid = 0;
    const auto [end, error] =
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), pid);
    if (error != std::errc{} || *end != '.' || pid <= 0) continue;
    struct stat about {};
    const bool ours = ::lstat(entry.path().c_str(), &about) == 0 && S_ISDIR(about.st_mode) &&
                      about.st_uid == ::geteuid();
    if (ours && ::kill(pid, 0) != 0 && errno == ESRCH)
      std::filesystem::remove_all(entry.path(), none);
  }
}

}  // namespace

LaunchFolder::LaunchFolder() {
  const std::string where = parent();
  remove_leftovers(where);
  path_ = where + "/" + std::string(kPrefix) + std::to_string(::getpid()) + ".XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) {
    throw Error("no folder for the connections to the hosts can be made in " + where + ": " +
                std::strerror(errno));
  }
}

LaunchFolder::~LaunchFolder() {
  std::error_code none;
  std::filesystem::remove_all(path_, none);
}

}  // namespace pp::tools
