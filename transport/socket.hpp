// Listener and Connection: non-blocking TCP, with the buffers a connection needs.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <pp/address.hpp>
#include <pp/transport.hpp>
#include <span>
#include <string>
#include <vector>

namespace pp::transport {

// A numeric address as the system wants it.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;

  Address to_address() const;
};

// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

// Looks up where `address` is. With `numeric_only` it never leaves this process and never blocks.
// Empty when nothing was found; then `why` says what the system said.
std::vector<Endpoint> look_up(const Address& address, bool numeric_only, std::string& why);

class Listener {
 public:
  struct Accepted {
    Descriptor descriptor;
    Address remote;
  };

  // Binds and listens; throws pp::Error that names the address and the reason.
  explicit Listener(const Endpoint& at);
  int fd() const { return fd_.get(); }
  Address address() const;
  // Nothing: nobody waits (or the process has no descriptors left; the caller need not tell them
  // apart).
  std::optional<Accepted> accept();

 private:
  Descriptor fd_;
};

// How a connect came to nothing.
struct ConnectFailure {
  DialFailure kind = DialFailure::kUnreachable;
  std::string why;
};

// Begins to connect. Nothing: it failed at once, `failure` says how. Writable when decided; see
// connect_error().
std::optional<Descriptor> begin_connect(const Endpoint& to, ConnectFailure& failure);
// How a connect ended: nothing if it succeeded.
std::optional<ConnectFailure> connect_error(int fd);

// Our end of a connection, numeric, without the port.
std::string local_address_of(int fd);
// Ours that packets to `peer` would leave from, as the system's routes say; empty when there is no
// way, or its name is not numeric. Sends nothing.
std::string local_address_towards(const Address& peer);

// A connected stream. What is put waits in memory until the network takes it: the caller bounds it
// by looking at unsent(). What is read waits in a buffer until it is taken, which grows up to a
// limit while a read fills it.
class Connection {
 public:
  enum class Flow {
    kMoved,    // something moved, or there was nothing to move
    kBlocked,  // not now
    kClosed,   // never again
  };

  explicit Connection(Descriptor descriptor);
  int fd() const { return fd_.get(); }

  void put(std::span<const std::byte> bytes);
  std::size_t unsent() const { return out_.size() - out_head_; }
  // Sends as much as the network takes; kMoved: all of it.
  Flow flush();
  // Says end of file to the peer. What was flushed still arrives.
  void finish();

  // Reads once. `drained` tells that there was less than room for: no need to try again now.
  Flow fill(bool& drained);
  std::span<std::byte> input() { return {in_.get() + in_head_, in_size_ - in_head_}; }
  void take(std::size_t bytes) { in_head_ += bytes; }
  // Moves what is there to the buffer's front, which is aligned for frames, and makes the buffer
  // `room` large.
  void make_room(std::size_t room);

 private:
  Descriptor fd_;
  std::vector<std::byte> out_;
  std::size_t out_head_ = 0;
  std::unique_ptr<std::byte[]> in_;
  std::size_t in_room_ = 0, in_head_ = 0, in_size_ = 0;
  bool was_full_ = false;  // since the room last grew
};

}  // namespace pp::transport
