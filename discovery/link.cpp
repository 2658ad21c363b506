// Link's socket: bound to the group, joined on one interface.
#include "link.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <pp/error.hpp>
#include <set>
#include <utility>

namespace pp::discovery {
namespace {

using transport::Interface;

bool is_v6(const std::string& address) { return address.find(':') != std::string::npos; }

// Every address of an interface, also those of one link only: IPv6 multicast goes out from such.
// None if none is of this family.
std::vector<std::string> addresses_of(std::span<const Interface> all, unsigned index, bool v6) {
  std::vector<std::string> addresses, others;
  for (const Interface& it : all) {
    if (it.index != index || it.address.empty()) continue;
    (is_v6(it.address) == v6 ? addresses : others).push_back(it.address);
  }
  if (!addresses.empty()) addresses.insert(addresses.end(), others.begin(), others.end());
  return addresses;
}

// Usable for multicast, in the system's order.
std::vector<Interface> chosen_among(std::span<const Interface> all,
                                    const MulticastOptions& options) {
  std::vector<Interface> chosen;
  for (const std::string& name : options.interfaces) {
    const auto named = transport::usable_among(all, name);
    chosen.insert(chosen.end(), named.begin(), named.end());
  }
  if (options.interfaces.empty()) {
    chosen = transport::usable_among(all);
    // Named by a person it may be anything, loopback for example; otherwise it has to say so.
    std::erase_if(chosen, [](const Interface& it) { return !it.multicast; });
  }
  std::erase_if(chosen, [](const Interface& it) { return it.index == 0; });  // gone since
  return chosen;
}

bool is_gone(int error) {
  return error == ENODEV || error == ENXIO || error == ENETDOWN || error == ENETUNREACH ||
         error == EADDRNOTAVAIL || error == EHOSTUNREACH;
}

std::string numeric_host(const sockaddr_storage& from) {
  char text[INET6_ADDRSTRLEN] = {};
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &from, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
  } else {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

std::string Place::to_string() const { return interface + (v6 ? " (IPv6)" : " (IPv4)"); }

std::vector<Place> places_among(std::span<const Interface> all, const MulticastOptions& options) {
  std::vector<Place> places;
  std::set<unsigned> taken;
  for (const Interface& it : chosen_among(all, options)) {
    if (!taken.insert(it.index).second) continue;
    for (const bool v6 : {false, true}) {
      if ((v6 ? options.group6 : options.group).empty()) continue;
      auto addresses = addresses_of(all, it.index, v6);
      if (!addresses.empty()) places.push_back({it.name, it.index, v6, std::move(addresses)});
    }
  }
  return places;
}

std::string left_out_of(std::span<const Interface> all, const MulticastOptions& options) {
  std::set<std::string> taken;
  for (const Place& place : places_among(all, options)) taken.insert(place.interface);
  std::string text;
  const auto add = [&text, &taken](const std::string& name, const char* why) {
    if (!taken.insert(name).second) return;
    text += (text.empty() ? "" : ", ") + name + " (" + why + ")";
  };
  for (const std::string& name : options.interfaces)
    add(name, "not there, down or without an address of a group's family");
  if (!options.interfaces.empty()) return text;
  for (const Interface& it : all) {
    add(it.name, it.loopback ? "loopback: used only if it is named"
                             : "down, virtual, without an address or without multicast");
  }
  return text;
}

Link::Link(Place place, const MulticastOptions& options)
    : place_(std::move(place)),
      group_(group_at(place_, options)),
      fd_(::socket(group_.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  if (fd_.get() < 0) fail("socket");
  // All nodes of a host share the port. Linux hands a multicast datagram to every such socket
  // (multicast_test.cpp would see it if it did not). Not SO_REUSEPORT: with that a datagram from
  // the wire often goes to the socket of another interface alone (seen with Linux 6.18).
  const int on = 1;
  set(SOL_SOCKET, SO_REUSEADDR, &on, sizeof on, "SO_REUSEADDR");
  place_.v6 ? open_v6(options) : open_v4(options);
}

Link::Group Link::group_at(const Place& place, const MulticastOptions& options) {
  Group group;
  if (place.v6) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(options.port);
    in.sin6_scope_id = place.index;
    inet_pton(AF_INET6, options.group6.c_str(), &in.sin6_addr);
    group.size = sizeof in;
    std::memcpy(&group.address, &in, sizeof in);
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(options.port);
    inet_pton(AF_INET, options.group.c_str(), &in.sin_addr);
    group.size = sizeof in;
    std::memcpy(&group.address, &in, sizeof in);
  }
  return group;
}

void Link::set(int level, int option, const void* value, socklen_t size, const char* name) {
  if (::setsockopt(fd(), level, option, value, size) != 0) fail(name);
}

void Link::fail(const char* what) const {
  throw Error(place_.to_string() + ": " + what + ": " + std::strerror(errno));
}

void Link::open_v4(const MulticastOptions& options) {
  const int loop = 1, all = 0;
  ip_mreqn join{};
  inet_pton(AF_INET, options.group.c_str(), &join.imr_multiaddr);
  inet_pton(AF_INET, place_.addresses.front().c_str(), &join.imr_address);
  join.imr_ifindex = static_cast<int>(place_.index);
  // To the group's address: what is sent to the port of this host does not get in.
  if (::bind(fd(), reinterpret_cast<const sockaddr*>(&group_.address), group_.size) != 0)
    fail("bind");
  // Otherwise it hears the group on every interface on which anybody has joined.
  set(IPPROTO_IP, IP_MULTICAST_ALL, &all, sizeof all, "IP_MULTICAST_ALL");
  set(IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join, "IP_ADD_MEMBERSHIP");
  set(IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof join, "IP_MULTICAST_IF");
  set(IPPROTO_IP, IP_MULTICAST_TTL, &options.ttl, sizeof options.ttl, "IP_MULTICAST_TTL");
  set(IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof loop, "IP_MULTICAST_LOOP");
}

void Link::open_v6(const MulticastOptions& options) {
  const int loop = 1, index = static_cast<int>(place_.index);
  ipv6_mreq join{};
  inet_pton(AF_INET6, options.group6.c_str(), &join.ipv6mr_multiaddr);
  join.ipv6mr_interface = place_.index;
  // A group of one link binds the socket to its interface anyway. With a wider one, a kernel before
  // 5.7 allows it to root only; a link that hears other interfaces, too, takes copies for its own.
  ::setsockopt(fd(), SOL_SOCKET, SO_BINDTODEVICE, place_.interface.c_str(),
               static_cast<socklen_t>(place_.interface.size()));
  if (::bind(fd(), reinterpret_cast<const sockaddr*>(&group_.address), group_.size) != 0)
    fail("bind");
  set(IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &join, sizeof join, "IPV6_ADD_MEMBERSHIP");
  set(IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index, "IPV6_MULTICAST_IF");
  set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &options.ttl, sizeof options.ttl, "IPV6_MULTICAST_HOPS");
  set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loop, sizeof loop, "IPV6_MULTICAST_LOOP");
}

Link::Sent Link::send(std::span<const std::byte> datagram) {
  const ssize_t sent = ::sendto(fd(), datagram.data(), datagram.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&group_.address), group_.size);
  if (sent >= 0) return Sent::kSent;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR)
    return Sent::kLost;
  return is_gone(errno) ? Sent::kGone : Sent::kRefused;
}

Link::Received Link::receive(std::span<std::byte> buffer, std::size_t& size, std::string& source) {
  sockaddr_storage from{};
  socklen_t from_size = sizeof from;
  const ssize_t got = ::recvfrom(fd(), buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
  if (got < 0) return is_gone(errno) ? Received::kGone : Received::kNothing;
  size = static_cast<std::size_t>(got);
  source = numeric_host(from);
  return Received::kDatagram;
}

}  // namespace pp::discovery
