// Interfaces: what networks this host is on, and which of them to listen on when nobody gave an
// address.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::transport {

// One address of one interface; an interface without an address is listed once with none.
struct Interface {
  std::string name;     // "eth0"
  std::string address;  // numeric, IPv4 or IPv6 without scope; empty: it has none
  bool up = false;      // switched on and connected
  bool loopback = false;
  unsigned index = 0;       // the system's number of it
  bool multicast = false;   // can carry it
};

// What this host has, in the system's order. Throws pp::Error when the system does not tell.
std::vector<Interface> interfaces();

// The one to use. With a name (or one of its addresses): that interface, whatever it is. Without:
// the first that is up and is neither loopback nor a container's or a virtual machine's; if there
// is none, loopback: then only nodes of this host can be met. IPv4 goes before IPv6; addresses that
// are valid on one link only are not used. Throws pp::Error with all that was considered and why it
// was skipped.
Interface choose_among(std::span<const Interface> all, std::string_view name);

// Those that choose_among() would take one after the other: usable, real, without loopback, IPv4
// first, in the system's order; with a name, the addresses of that interface, whatever it is. May be
// empty.
std::vector<Interface> usable_among(std::span<const Interface> all, std::string_view name = {});

// choose_among() what this host has.
Interface choose_interface(std::string_view name);

}  // namespace pp::transport

#pragma GCC visibility pop
