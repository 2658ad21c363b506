// Plain sockets.
#include "tcp.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <pp/error.hpp>
#include <string>

#include "pin.hpp"

namespace pp::bench {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;

void check(bool good, const char* what) {
  if (!good) throw Error(std::string(what) + " on the loopback: " + std::strerror(errno));
}

void without_delay(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool write_all(int socket, const char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t done = ::send(socket, bytes, count, MSG_NOSIGNAL);
    if (done <= 0) return false;
    bytes += done;
    count -= static_cast<std::size_t>(done);
  }
  return true;
}

// With MSG_DONTWAIT in `flags` it looks until there is something.
ssize_t receive(int socket, char* bytes, std::size_t most, int flags) {
  for (;;) {
    const ssize_t got = ::recv(socket, bytes, most, flags);
    if (got >= 0 || errno != EAGAIN) return got;
  }
}

// Sends back whole messages, as many as have come: one write for each read.
void echo_messages(int socket, std::size_t size, int flags) {
  std::vector<char> buffer(std::max(kChunk, size));
  std::size_t held = 0;
  for (;;) {
    const ssize_t got = receive(socket, buffer.data() + held, buffer.size() - held, flags);
    if (got <= 0) return;
    held += static_cast<std::size_t>(got);
    const std::size_t whole = held / size * size;
    if (whole > 0 && !write_all(socket, buffer.data(), whole)) return;
    std::memmove(buffer.data(), buffer.data() + whole, held - whole);
    held -= whole;
  }
}

void acknowledge(int socket, std::size_t bulk) {
  std::vector<char> buffer(bulk);
  for (;;) {
    for (std::size_t held = 0; held < bulk;) {
      const ssize_t got = ::recv(socket, buffer.data() + held, bulk - held, 0);
      if (got <= 0) return;
      held += static_cast<std::size_t>(got);
    }
    if (!write_all(socket, buffer.data(), 1)) return;
  }
}

}  // namespace

TcpEcho::TcpEcho(std::size_t echo, std::size_t bulk, Waiting waiting)
    : flags_(waiting == Waiting::kAwake ? MSG_DONTWAIT : 0) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  check(::bind(listener, raw, size) == 0 && ::listen(listener, 1) == 0 &&
            ::getsockname(listener, raw, &size) == 0,
        "no port can be opened");
  here_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(::connect(here_, raw, size) == 0, "no connection can be made");
  there_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  check(there_ >= 0, "no connection can be accepted");
  ::close(listener);
  without_delay(here_);
  without_delay(there_);
  other_ = std::thread([this, echo, bulk] {
    const Pin pin(1);
    echo > 0 ? echo_messages(there_, echo, flags_) : acknowledge(there_, bulk);
  });
}

TcpEcho::~TcpEcho() {
  ::shutdown(here_, SHUT_RDWR);
  other_.join();
  ::close(here_);
  ::close(there_);
}

void TcpEcho::write(const void* bytes, std::size_t count) const {
  check(write_all(here_, static_cast<const char*>(bytes), count), "nothing can be sent");
}

void TcpEcho::read(void* bytes, std::size_t count) const {
  for (std::size_t held = 0; held < count;)
    held += read_some(static_cast<char*>(bytes) + held, count - held);
}

std::size_t TcpEcho::read_some(void* bytes, std::size_t most) const {
  const ssize_t got = receive(here_, static_cast<char*>(bytes), most, flags_);
  check(got > 0, "nothing can be received");
  return static_cast<std::size_t>(got);
}

}  // namespace pp::bench
