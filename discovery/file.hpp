// File: a file that others write, opened without trust and read within a limit.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "descriptor.hpp"

namespace pp::discovery {

// What tells one state of a file from the next without reading it. A file that is replaced by
// rename has another inode even if it is as old and as large as its predecessor.
struct Stamp {
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t changed = 0;  // ns since 1970 by the clock of the file system

  explicit Stamp(const struct stat& status);
  Stamp() = default;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// An open file. It may be any kind of file until regular() says so: opening a pipe that nobody
// writes to does not block.
class File {
 public:
  enum class Links { kFollow, kRefuse };

  // `folder` is a descriptor, or AT_FDCWD, as for openat(). Nothing: `why` says what the system
  // said. On NFS this asks the server, where stat() is content with what it heard a minute ago.
  static std::optional<File> open(int folder, const char* name, Links links, std::error_code& why);

  bool regular() const { return regular_; }
  // When it was opened.
  const Stamp& stamp() const { return stamp_; }
  // Its first `limit` bytes, or all if it has fewer. REQUIRES: regular().
  std::optional<std::string> read(std::size_t limit, std::error_code& why);

 private:
  File(Descriptor descriptor, const struct stat& status)
      : descriptor_(std::move(descriptor)), regular_(S_ISREG(status.st_mode)), stamp_(status) {}

  Descriptor descriptor_;
  bool regular_;
  Stamp stamp_;
};

}  // namespace pp::discovery
