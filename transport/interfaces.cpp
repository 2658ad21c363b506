// Asking the system for its interfaces; judging each of them.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <pp/error.hpp>
#include <pp/interfaces.hpp>
#include <set>

namespace pp::transport {
namespace {

// How bridges and the host's ends of containers and virtual machines are called. Other hosts either
// cannot reach them or mean another machine by the same address (172.17.0.1 is on every Docker
// host).
constexpr std::array<std::string_view, 20> kVirtual = {
    "docker", "br-",    "veth", "virbr", "vnet", "cni",   "flannel", "cali",  "cilium", "lxc",
    "lxd",    "podman", "kube", "weave", "ovs",  "vmnet", "vboxnet", "dummy", "ifb",    "nerdctl"};

bool is_virtual(std::string_view name) {
  for (const std::string_view prefix : kVirtual) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

bool is_v6(const Interface& it) { return it.address.find(':') != std::string::npos; }

// Addresses that say nothing without the link they belong to.
bool is_link_local(const Interface& it) {
  in6_addr v6{};
  if (inet_pton(AF_INET6, it.address.c_str(), &v6) == 1) return IN6_IS_ADDR_LINKLOCAL(&v6);
  return it.address.starts_with("169.254.");
}

// Why it cannot be used at all; empty if it can.
std::string_view flaw(const Interface& it) {
  if (!it.up) return "down";
  if (it.address.empty()) return "no address";
  if (is_link_local(it)) return "valid on one link only";
  return {};
}

// Why it is not used unless it is named; empty if it is.
std::string_view doubt(const Interface& it) {
  if (it.loopback) return "loopback";
  if (is_virtual(it.name)) return "virtual";
  return flaw(it);
}

template <typename Accept>
const Interface* first(std::span<const Interface> all, Accept accept) {
  const Interface* found = nullptr;
  for (const Interface& it : all) {
    if (!accept(it)) continue;
    if (!is_v6(it)) return &it;
    if (found == nullptr) found = &it;
  }
  return found;
}

std::string considered(std::span<const Interface> all, bool named) {
  std::string text;
  for (const Interface& it : all) {
    const std::string_view why = named ? flaw(it) : doubt(it);
    text += (text.empty() ? "" : ", ") + it.name;
    if (!it.address.empty()) text += " " + it.address;
    text += " (" + std::string(why.empty() ? "usable" : why) + ")";
  }
  return text.empty() ? "none" : text;
}

std::string numeric(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address != nullptr && address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
  } else if (address != nullptr && address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

std::vector<Interface> interfaces() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    throw Error(std::string("cannot list the network interfaces: getifaddrs: ") +
                std::strerror(errno) + "; give the address to listen on instead");
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(list, &freeifaddrs);
  std::vector<Interface> all;
  std::set<std::string_view> with_address;
  for (const ifaddrs* it = list; it != nullptr; it = it->ifa_next) {
    const bool up = (it->ifa_flags & IFF_UP) != 0 && (it->ifa_flags & IFF_RUNNING) != 0;
    all.push_back({it->ifa_name, numeric(it->ifa_addr), up, (it->ifa_flags & IFF_LOOPBACK) != 0,
                   if_nametoindex(it->ifa_name), (it->ifa_flags & IFF_MULTICAST) != 0});
    if (!all.back().address.empty()) with_address.insert(it->ifa_name);
  }
  std::erase_if(all, [&with_address](const Interface& it) {
    return it.address.empty() && with_address.contains(it.name);
  });
  return all;
}

Interface choose_among(std::span<const Interface> all, std::string_view name) {
  if (!name.empty()) {
    const Interface* named = first(all, [name](const Interface& it) {
      return (it.name == name || it.address == name) && flaw(it).empty();
    });
    if (named != nullptr) return *named;
    throw Error("cannot use interface '" + std::string(name) +
                "'; considered: " + considered(all, true) + "; name one that is usable (PP_IFACE)");
  }
  const Interface* chosen = first(all, [](const Interface& it) { return doubt(it).empty(); });
  if (chosen == nullptr) {
    chosen = first(all, [](const Interface& it) { return it.loopback && flaw(it).empty(); });
  }
  if (chosen != nullptr) return *chosen;
  throw Error("no network interface to listen on; considered: " + considered(all, false) +
              "; bring one up, or name one (PP_IFACE)");
}

std::vector<Interface> usable_among(std::span<const Interface> all, std::string_view name) {
  std::vector<Interface> usable;
  for (const bool v6 : {false, true}) {
    for (const Interface& it : all) {
      const bool taken = name.empty() ? doubt(it).empty()
                                      : (it.name == name || it.address == name) && flaw(it).empty();
      if (taken && is_v6(it) == v6) usable.push_back(it);
    }
  }
  return usable;
}

Interface choose_interface(std::string_view name) { return choose_among(interfaces(), name); }

}  // namespace pp::transport
