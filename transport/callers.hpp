// Callers: who is connected to a port of this process that somebody else's code listens at.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace pp::transport {

// A library that accepts everybody and has no limits of its own is watched from outside: the
// connections to its port are among this process's descriptors. Those on which nothing has come
// since the last look are cut off, and the library sees an end of file. No descriptor is closed
// here. REQUIRES: one thread, which is also the one that the library runs on.
class Callers {
 public:
  struct Seen {
    std::size_t connected = 0;  // that have said something, or may still
    std::size_t cut_off = 0;    // that had said nothing
  };

  // `port` is what the library is bound to.
  explicit Callers(const sockaddr_storage& port) : port_(port) {}

  // Costs a few system calls for each descriptor of the process, as all of these do.
  Seen look();
  enum class Which { kSilent, kAll };
  // At once; says how many.
  std::size_t cut_off(Which which);

 private:
  struct Caller {
    int fd = -1;
    std::uint64_t inode = 0;
    bool has_spoken = false;
  };
  std::vector<Caller> all() const;

  sockaddr_storage port_;
  std::set<std::uint64_t> silent_;  // at the last look; by inode, which outlives no connection
};

}  // namespace pp::transport
