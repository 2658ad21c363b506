// Middle: somebody on the way between two nodes, who holds every byte in his hands.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <pp/address.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pp::transport::testing {

// A plain TCP socket of a test's: never blocks, belongs to one thread.
class PlainSocket {
 public:
  explicit PlainSocket(int fd) : fd_(fd) { ::fcntl(fd_, F_SETFL, O_NONBLOCK); }
  ~PlainSocket() { ::close(fd_); }
  PlainSocket(const PlainSocket&) = delete;
  PlainSocket& operator=(const PlainSocket&) = delete;

  static sockaddr_in system_address(const Address& of) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(of.port);
    ::inet_pton(AF_INET, of.host.c_str(), &address.sin_addr);
    return address;
  }
  // Connected, or null. `from` chooses our own address: on this host all of 127.0.0.0/8 is ours.
  static std::unique_ptr<PlainSocket> connect(const Address& to, const std::string& from = {}) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return nullptr;
    const sockaddr_in ours = system_address({from, 0}), theirs = system_address(to);
    if ((!from.empty() && ::bind(fd, reinterpret_cast<const sockaddr*>(&ours), sizeof ours) != 0) ||
        ::connect(fd, reinterpret_cast<const sockaddr*>(&theirs), sizeof theirs) != 0) {
      ::close(fd);
      return nullptr;
    }
    return std::make_unique<PlainSocket>(fd);
  }

  int fd() const { return fd_; }
  // Whether the other end has closed, or broken, the connection.
  bool ended() const { return ended_; }

  void put(const std::vector<std::byte>& bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    flush();
  }
  void flush() {
    while (!out_.empty()) {
      const ssize_t put = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (put < 0) {
        if (errno != EAGAIN && errno != EINTR) {
          out_.clear();
          ended_ = true;
        }
        return;
      }
      out_.erase(out_.begin(), out_.begin() + put);
    }
  }
  // Everything that has come, at the end of `in`.
  void take(std::vector<std::byte>& in) {
    std::byte some[16384];
    while (!ended_) {
      const ssize_t got = ::recv(fd_, some, sizeof some, 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got <= 0) {
        ended_ = true;
        return;
      }
      in.insert(in.end(), some, some + got);
    }
  }
  bool has_unsent() const { return !out_.empty(); }

 private:
  int fd_;
  bool ended_ = false;
  std::vector<std::byte> out_;
};

// Listens, and joins each connection with one of its own to where it was made for. What goes by is
// cut into the units that nodes speak in: handshake messages, then frames. REQUIRES: one thread.
class Middle {
 public:
  enum class From { kDialler, kListener };
  struct Unit {
    From from{};
    bool frame = false;      // otherwise a message of the handshake
    std::size_t number = 0;  // of its kind, from this side, on this connection
    std::vector<std::byte> bytes;
  };
  // Says what becomes of a unit: `on` goes where it was going, `back` to where it came from.
  // False: both connections are closed after that.
  using Act = std::function<bool(const Unit& unit, std::vector<std::byte>& on,
                                 std::vector<std::byte>& back)>;

  // `from` chooses the address with which it goes on.
  explicit Middle(Address to, std::string from = {}) : to_(std::move(to)), from_(std::move(from)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in at = PlainSocket::system_address({"127.0.0.1", 0});
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(fd_, 16) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error(std::strerror(errno));
    address_ = {"127.0.0.1", ntohs(at.sin_port)};
  }
  ~Middle() { ::close(fd_); }
  Middle(const Middle&) = delete;
  Middle& operator=(const Middle&) = delete;

  const Address& address() const { return address_; }
  // From now on. Nothing: all goes on as it came.
  void act(Act act) { act_ = std::move(act); }
  std::size_t accepted() const { return accepted_; }

  // Moves what can be moved without blocking.
  void pump() {
    for (int fd = 0; (fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      Pair pair;
      pair.ends[0] = std::make_unique<PlainSocket>(fd);
      pair.ends[1] = PlainSocket::connect(to_, from_);
      if (pair.ends[1] == nullptr) continue;
      ++accepted_;
      pairs_.push_back(std::move(pair));
    }
    for (Pair& pair : pairs_) {
      for (PlainSocket* end : {pair.ends[0].get(), pair.ends[1].get()}) end->flush();
      move(pair, From::kDialler);
      move(pair, From::kListener);
    }
    std::erase_if(pairs_, [](const Pair& pair) { return pair.over; });
  }
  // Blocks until something can be moved, or for so long.
  void wait(int milliseconds) const {
    std::vector<pollfd> waiting{{fd_, POLLIN, 0}};
    for (const Pair& pair : pairs_)
      for (const auto& end : pair.ends)
        waiting.push_back(
            {end->fd(), static_cast<short>(end->has_unsent() ? POLLIN | POLLOUT : POLLIN), 0});
    ::poll(waiting.data(), waiting.size(), milliseconds);
  }

 private:
  struct Pair {
    std::unique_ptr<PlainSocket> ends[2];  // by From
    std::vector<std::byte> heard[2];       // not yet a whole unit
    std::size_t messages[2] = {}, frames[2] = {};
    bool over = false;
  };

  // The next whole unit, or nothing yet. What is neither goes by as one unit.
  static std::size_t unit_size(const std::vector<std::byte>& in, bool& frame) {
    if (in.size() < 8) return 0;
    const auto byte = [&in](std::size_t i) { return static_cast<std::size_t>(in[i]); };
    frame = std::memcmp(in.data(), "ppf1", 4) == 0;
    if (!frame && std::memcmp(in.data(), "pph", 3) != 0) return in.size();
    const std::size_t size =
        frame ? byte(4) | byte(5) << 8 | byte(6) << 16 : 8 + (byte(4) | byte(5) << 8);
    return size <= in.size() ? size : 0;
  }

  void move(Pair& pair, From from) {
    const auto here = static_cast<std::size_t>(from), there = 1 - here;
    std::vector<std::byte>& heard = pair.heard[here];
    pair.ends[here]->take(heard);
    Unit unit;
    unit.from = from;
    while (const std::size_t size = unit_size(heard, unit.frame)) {
      unit.bytes.assign(heard.begin(), heard.begin() + static_cast<long>(size));
      heard.erase(heard.begin(), heard.begin() + static_cast<long>(size));
      unit.number = (unit.frame ? pair.frames : pair.messages)[here]++;
      std::vector<std::byte> on, back;
      bool goes_on = true;
      if (act_) {
        goes_on = act_(unit, on, back);
      } else {
        on = unit.bytes;
      }
      pair.ends[there]->put(on);
      if (!back.empty()) pair.ends[here]->put(back);
      if (!goes_on) pair.over = true;
      if (pair.over) return;
    }
    // What one end ends, the other sees end.
    if (pair.ends[here]->ended() && !pair.ends[there]->has_unsent()) pair.over = true;
  }

  Address to_, address_;
  std::string from_;
  int fd_ = -1;
  std::size_t accepted_ = 0;
  Act act_;
  std::vector<Pair> pairs_;
};

}  // namespace pp::transport::testing
