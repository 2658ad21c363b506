// TCP by the system's calls; nothing here blocks but look_up() of a name.
#include "socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <pp/error.hpp>
#include <utility>

namespace pp::transport {
namespace {

constexpr std::size_t kFirstRoom = 16384;  // more than two handshake messages or one frame
constexpr std::size_t kMostRoom = 131072;  // fewer calls while much comes, and still in the cache

Endpoint from_system(const sockaddr* address, socklen_t size) {
  Endpoint endpoint;
  endpoint.size = std::min<socklen_t>(size, sizeof endpoint.storage);
  std::memcpy(&endpoint.storage, address, endpoint.size);
  return endpoint;
}

const sockaddr* raw(const Endpoint& endpoint) {
  return reinterpret_cast<const sockaddr*>(&endpoint.storage);
}

Endpoint named_by(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.storage;
  if (name(fd, reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size) != 0)
    endpoint.size = 0;
  return endpoint;
}

void set_on(int fd, int level, int option) {
  const int on = 1;
  ::setsockopt(fd, level, option, &on, sizeof on);
}

}  // namespace

Address Endpoint::to_address() const {
  char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
  Address address;
  if (size != 0 && ::getnameinfo(raw(*this), size, host, sizeof host, port, sizeof port,
                                 NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
    address.host = host;
    address.port = static_cast<std::uint16_t>(std::strtoul(port, nullptr, 10));
  }
  return address;
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::release() { return std::exchange(fd_, -1); }

std::vector<Endpoint> look_up(const Address& address, bool numeric_only, std::string& why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (numeric_only ? AI_NUMERICHOST : AI_ADDRCONFIG);
  addrinfo* list = nullptr;
  const int fault =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  std::vector<Endpoint> found;
  if (fault != 0) {
    why = fault == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(fault);
    return found;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next)
    found.push_back(from_system(entry->ai_addr, entry->ai_addrlen));
  ::freeaddrinfo(list);
  return found;
}

Listener::Listener(const Endpoint& at) {
  const auto fail = [&](const char* step) {
    throw Error("cannot listen at " + at.to_address().to_string() + ": " + step + ": " +
                std::strerror(errno) + (errno == EADDRINUSE ? "; choose another port, or 0" : ""));
  };
  fd_ = Descriptor(
      ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (fd_.get() < 0) fail("socket");
  set_on(fd_.get(), SOL_SOCKET, SO_REUSEADDR);  // a restart must not wait for old connections
  if (::bind(fd_.get(), raw(at), at.size) != 0) fail("bind");
  if (::listen(fd_.get(), SOMAXCONN) != 0) fail("listen");
}

Address Listener::address() const { return named_by(fd_.get(), ::getsockname).to_address(); }

std::optional<Listener::Accepted> Listener::accept() {
  Endpoint from;
  from.size = sizeof from.storage;
  int fd = -1;
  do {
    fd = ::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&from.storage), &from.size,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  if (fd < 0) return std::nullopt;
  return Accepted{Descriptor(fd), from.to_address()};
}

namespace {

ConnectFailure failure_of(int error) {
  const DialFailure kind = error == ECONNREFUSED ? DialFailure::kRefused
                           : error == ETIMEDOUT  ? DialFailure::kNoAnswer
                                                 : DialFailure::kUnreachable;
  return {kind, std::strerror(error)};
}

}  // namespace

std::optional<Descriptor> begin_connect(const Endpoint& to, ConnectFailure& failure) {
  Descriptor fd(
      ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (fd.get() < 0 || (::connect(fd.get(), raw(to), to.size) != 0 && errno != EINPROGRESS)) {
    failure = failure_of(errno);
    return std::nullopt;
  }
  return fd;
}

std::optional<ConnectFailure> connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return failure_of(error);
  // A free local port that is dialled may by chance be drawn as our own: TCP then connects to
  // itself.
  if (named_by(fd, ::getsockname).to_address() == named_by(fd, ::getpeername).to_address())
    return failure_of(ECONNREFUSED);
  return std::nullopt;
}

std::string local_address_of(int fd) { return named_by(fd, ::getsockname).to_address().host; }

std::string local_address_towards(const Address& peer) {
  std::string why;
  for (const Endpoint& to : look_up(peer, true, why)) {
    // A datagram socket that is connected has been given its route, and has sent nothing.
    const Descriptor fd(::socket(to.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd.get() >= 0 && ::connect(fd.get(), raw(to), to.size) == 0)
      return local_address_of(fd.get());
  }
  return {};
}

Connection::Connection(Descriptor descriptor) : fd_(std::move(descriptor)) {
  set_on(fd_.get(), IPPROTO_TCP, TCP_NODELAY);
  make_room(kFirstRoom);
}

void Connection::put(std::span<const std::byte> bytes) {
  if (out_head_ == out_.size()) {
    out_.clear();
    out_head_ = 0;
  }
  out_.insert(out_.end(), bytes.begin(), bytes.end());
}

Connection::Flow Connection::flush() {
  while (unsent() != 0) {
    const ssize_t put = ::send(fd_.get(), out_.data() + out_head_, unsent(), MSG_NOSIGNAL);
    if (put >= 0) {
      out_head_ += static_cast<std::size_t>(put);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Flow::kBlocked;
    } else if (errno != EINTR) {
      return Flow::kClosed;
    }
  }
  return Flow::kMoved;
}

void Connection::finish() { ::shutdown(fd_.get(), SHUT_WR); }

Connection::Flow Connection::fill(bool& drained) {
  if (in_head_ == in_size_) {
    in_head_ = in_size_ = 0;
    if (std::exchange(was_full_, false) && in_room_ < kMostRoom) make_room(2 * in_room_);
  } else if (in_size_ == in_room_) {
    make_room(in_room_);
  }
  const std::size_t room = in_room_ - in_size_;
  drained = false;
  if (room == 0) return Flow::kBlocked;
  ssize_t got = 0;
  do {
    got = ::recv(fd_.get(), in_.get() + in_size_, room, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    in_size_ += static_cast<std::size_t>(got);
    drained = static_cast<std::size_t>(got) < room;
    was_full_ |= !drained;
    return Flow::kMoved;
  }
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? Flow::kBlocked : Flow::kClosed;
}

void Connection::make_room(std::size_t room) {
  const std::span<std::byte> kept = input();
  if (room > in_room_) {
    auto larger = std::make_unique<std::byte[]>(room);
    if (!kept.empty()) std::memcpy(larger.get(), kept.data(), kept.size());
    in_ = std::move(larger);
    in_room_ = room;
  } else if (!kept.empty()) {
    std::memmove(in_.get(), kept.data(), kept.size());
  }
  in_size_ -= in_head_;
  in_head_ = 0;
}

}  // namespace pp::transport
