// Callers on /proc/self/fd and TCP's own counters.
#include "callers.hpp"

#include <dirent.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace pp::transport {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

std::vector<int> descriptors() {
  std::vector<int> all;
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir("/proc/self/fd"));
  if (folder == nullptr) return all;  // none left to look with: next time
  while (const dirent* entry = ::readdir(folder.get()))
    if (entry->d_name[0] != '.') all.push_back(std::atoi(entry->d_name));
  return all;
}

bool listens(int fd) {
  int yes = 0;
  socklen_t size = sizeof yes;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) != 0 || yes != 0;
}

// Whether anything has come on this connection.
bool has_spoken(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || info.tcpi_bytes_received > 0;
}

std::uint64_t inode_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

// The address without what follows it in the structure.
bool same_port(const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family) return false;
  if (a.ss_family == AF_INET) {
    sockaddr_in one{}, other{};
    std::memcpy(&one, &a, sizeof one);
    std::memcpy(&other, &b, sizeof other);
    return one.sin_port == other.sin_port && one.sin_addr.s_addr == other.sin_addr.s_addr;
  }
  sockaddr_in6 one{}, other{};
  std::memcpy(&one, &a, sizeof one);
  std::memcpy(&other, &b, sizeof other);
  return a.ss_family == AF_INET6 && one.sin6_port == other.sin6_port &&
         std::memcmp(&one.sin6_addr, &other.sin6_addr, sizeof one.sin6_addr) == 0;
}

}  // namespace

std::vector<Callers::Caller> Callers::all() const {
  std::vector<Caller> callers;
  for (const int fd : descriptors()) {
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0 &&
        same_port(local, port_) && !listens(fd))
      callers.push_back({fd, inode_of(fd), has_spoken(fd)});
  }
  return callers;
}

Callers::Seen Callers::look() {
  Seen seen;
  std::set<std::uint64_t> silent;
  for (const Caller& caller : all()) {
    if (!caller.has_spoken && silent_.contains(caller.inode)) {
      ::shutdown(caller.fd, SHUT_RDWR);
      ++seen.cut_off;
      continue;
    }
    ++seen.connected;
    if (!caller.has_spoken) silent.insert(caller.inode);
  }
  silent_ = std::move(silent);
  return seen;
}

std::size_t Callers::cut_off(Which which) {
  std::size_t count = 0;
  for (const Caller& caller : all()) {
    if (which == Which::kSilent && caller.has_spoken) continue;
    ::shutdown(caller.fd, SHUT_RDWR);
    ++count;
  }
  return count;
}

}  // namespace pp::transport
