// Watch points: where nodes of this user on this host can be watched, for who looks for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

// A node that opened its door for watchers (Options::http) and is still alive.
struct WatchPoint {
  std::string url;            // with the token that lets its reader in
  std::string name;           // of the node
  bool driver = false;        // it is one
  std::int64_t pid = 0;       // of its process
  std::int64_t since_ms = 0;  // when it opened the door, in milliseconds since 1970

  // Those of the calling user on this host: drivers first, of these the newest first. What dead
  // processes left behind is removed. Any thread.
  static std::vector<WatchPoint> local();
};

// While it lives, the point stands in a file that only this user can read: in $XDG_RUNTIME_DIR/pp,
// or else in /run/user/UID/pp or /tmp/pp-UID.
class WatchPointFile {
 public:
  // Throws pp::Error if there is no place for it that nobody else can write to.
  explicit WatchPointFile(const WatchPoint& point);
  ~WatchPointFile();
  WatchPointFile(const WatchPointFile&) = delete;
  WatchPointFile& operator=(const WatchPointFile&) = delete;

 private:
  std::string file_;
};

}  // namespace pp

#pragma GCC visibility pop
