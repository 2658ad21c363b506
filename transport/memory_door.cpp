// MemoryDoor on Unix sockets of the kind that keeps packets whole.
#include "memory_door.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <pp/error.hpp>
#include <pp/node_id.hpp>
#include <utility>

namespace pp::transport {
namespace {

constexpr int kBacklog = 256;
constexpr std::uint32_t kMagic = 0x316d7070;  // "ppm1"

struct Packet {
  std::uint32_t magic = kMagic;
  std::uint32_t zero = 0;
  std::uint64_t session = 0;
  Secret::Bytes token{};
};
static_assert(sizeof(Packet) == 48);

std::string failed(const char* call) { return std::string(call) + ": " + std::strerror(errno); }

// A name that begins with a zero byte is in no file system.
socklen_t name_of(const std::string& door, sockaddr_un& name) {
  name = {};
  name.sun_family = AF_UNIX;
  const std::size_t size = std::min(door.size(), sizeof name.sun_path - 1);
  std::memcpy(name.sun_path + 1, door.data(), size);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
}

Descriptor open_socket() {
  return Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Whether the process at the other end runs as we do. The kernel has noted it when the other end
// connected or listened.
bool same_user(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == ::geteuid();
}

// Two processes with the same one can share memory and meet at an abstract name: names of that kind
// belong to a network namespace, and a host on a network of its own is to be treated as one.
std::string place() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  struct stat status {};
  if (boot.empty() || ::stat("/proc/self/ns/net", &status) != 0) return {};
  return boot + '/' + std::to_string(status.st_ino);
}

}  // namespace

MemoryDoor::MemoryDoor() : fd_(open_socket()) {
  if (fd_.get() < 0) throw Error(failed("a Unix socket for shared memory: socket"));
  offer_ = {place(), ::geteuid(), "pp-" + NodeId::random().to_string()};
  sockaddr_un name{};
  const socklen_t size = name_of(offer_.door, name);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
    throw Error(failed("a Unix socket for shared memory: bind"));
  if (::listen(fd_.get(), kBacklog) != 0)
    throw Error(failed("a Unix socket for shared memory: listen"));
}

MemoryDoor::Entry MemoryDoor::accept(Descriptor& caller) {
  caller = Descriptor(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (caller.get() < 0) return Entry::kNobody;
  if (same_user(caller.get())) return Entry::kCaller;
  caller = Descriptor();
  return Entry::kForeign;
}

std::optional<Descriptor> knock(const std::string& door, const Knock& words, int file,
                                std::string& why) {
  Descriptor socket = open_socket();
  sockaddr_un name{};
  const socklen_t size = name_of(door, name);
  if (socket.get() < 0 ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0) {
    why = failed("the peer's Unix socket for shared memory");
    return std::nullopt;
  }
  if (!same_user(socket.get())) {
    why = "the peer's Unix socket for shared memory belongs to another user";
    return std::nullopt;
  }
  Packet packet;
  packet.session = words.session;
  packet.token = words.token;
  iovec part{&packet, sizeof packet};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const attached = CMSG_FIRSTHDR(&message);
  attached->cmsg_level = SOL_SOCKET;
  attached->cmsg_type = SCM_RIGHTS;
  attached->cmsg_len = CMSG_LEN(sizeof file);
  std::memcpy(CMSG_DATA(attached), &file, sizeof file);
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) !=
      static_cast<ssize_t>(sizeof packet)) {
    why = failed("handing shared memory over");
    return std::nullopt;
  }
  return socket;
}

Heard hear_knock(int caller, Knock& words, Descriptor& file) {
  Packet packet;
  iovec part{&packet, sizeof packet};
  // Room for one descriptor: the kernel drops more of them, and says so.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(caller, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Heard::kNothing;
  for (cmsghdr* it = CMSG_FIRSTHDR(&message); it != nullptr; it = CMSG_NXTHDR(&message, it)) {
    if (it->cmsg_level != SOL_SOCKET || it->cmsg_type != SCM_RIGHTS) continue;
    // CMSG_SPACE is rounded up: where an int has half of it, a second one may have come.
    const std::size_t count = (it->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(it) + i * sizeof fd, sizeof fd);
      Descriptor received(fd);
      if (i == 0) file = std::move(received);
    }
  }
  const bool whole = got == static_cast<ssize_t>(sizeof packet) &&
                     (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  if (!whole || packet.magic != kMagic || file.get() < 0) return Heard::kGarbage;
  words.session = packet.session;
  words.token = packet.token;
  return Heard::kKnock;
}

}  // namespace pp::transport
