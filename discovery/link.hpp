// Link: one interface in one family, with the socket that speaks to the group there and hears it.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <pp/interfaces.hpp>
#include <pp/multicast.hpp>
#include <span>
#include <string>
#include <vector>

#include "descriptor.hpp"

namespace pp::discovery {

// Where to open a link.
struct Place {
  std::string interface;
  unsigned index = 0;  // the system's number of it: one that comes back under its name has another
  bool v6 = false;
  // Of this interface, those of this family first. What is sent by IPv4 comes from the first.
  std::vector<std::string> addresses;

  // "eth0 (IPv4)"
  std::string to_string() const;

  friend bool operator==(const Place&, const Place&) = default;
};

// Where links are wanted among the interfaces that this host has: in their order, IPv4 before IPv6
// of each.
std::vector<Place> places_among(std::span<const transport::Interface> all,
                                const MulticastOptions& options);
// Which of them, and of those that are asked for, get none, and why: "lo (loopback: ...), eth9 (not
// there)". Empty if there are none.
std::string left_out_of(std::span<const transport::Interface> all, const MulticastOptions& options);

// It hears what is sent to the group on this interface and nowhere else: by other hosts, by other
// processes of this host, and by itself.
class Link {
 public:
  // REQUIRES: the groups of `options` are addresses of their families. Throws pp::Error with the
  // place and the reason.
  Link(Place place, const MulticastOptions& options);

  const Place& place() const { return place_; }
  int fd() const { return fd_.get(); }

  enum class Sent {
    kSent,
    kLost,     // no room now: as lost as any datagram may be
    kGone,     // the interface, its address or its network is: to be opened again when it is back
    kRefused,  // the system forbids it; errno says why
  };
  Sent send(std::span<const std::byte> datagram);

  enum class Received {
    kDatagram,
    kNothing,
    kGone,
  };
  // One datagram into `buffer`, where it has `size` bytes (what does not fit is cut off), and the
  // numeric host that it says to be from.
  Received receive(std::span<std::byte> buffer, std::size_t& size, std::string& source);

 private:
  struct Group {
    sockaddr_storage address{};
    socklen_t size = 0;
  };
  static Group group_at(const Place& place, const MulticastOptions& options);
  void set(int level, int option, const void* value, socklen_t size, const char* name);
  [[noreturn]] void fail(const char* what) const;
  void open_v4(const MulticastOptions& options);
  void open_v6(const MulticastOptions& options);

  const Place place_;
  const Group group_;
  const Descriptor fd_;
};

}  // namespace pp::discovery
