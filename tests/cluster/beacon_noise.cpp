// beacon_noise: records what is sent to a multicast group, and sends it back again and again: as it
// was, forged, cut, glued together, or plain garbage.
//
//   beacon_noise 239.255.77.80 7707 10.231.7.5 SEED     on the interface that has this address
//
// It says "listening" when it is a member of the group and "heard one" after the first datagram;
// at the end of its input it says how many it has "heard 17, sent 4000" and leaves. No more than
// kPerSecond are sent in a second, and it does not outlive kLongest.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

constexpr int kPerSecond = 200;
constexpr std::chrono::minutes kLongest{5};
constexpr std::size_t kMostRecorded = 1000;
constexpr std::size_t kLongestGarbage = 1400;  // one Ethernet frame

class Forger {
 public:
  explicit Forger(std::uint32_t seed) : random_(seed) {}

  void record(std::span<const std::uint8_t> datagram) {
    Bytes bytes(datagram.begin(), datagram.end());
    if (recorded_.size() < kMostRecorded) {
      recorded_.push_back(std::move(bytes));
    } else {
      recorded_[below(kMostRecorded)] = std::move(bytes);
    }
  }

  Bytes next() {
    if (recorded_.empty()) return garbage();
    switch (below(6)) {
      case 0:
        return garbage();
      case 1:
        return one();
      case 2:
        return flipped(one());
      case 3:
        return cut(one());
      case 4:
        return glued(cut(one()), garbage());
      default:
        return glued(cut(one()), one());
    }
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  const Bytes& one() { return recorded_[below(recorded_.size())]; }

  Bytes garbage() {
    Bytes bytes(below(kLongestGarbage + 1));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random_());
    return bytes;
  }
  Bytes flipped(Bytes bytes) {
    if (bytes.empty()) return bytes;
    for (std::size_t flips = 1 + below(8); flips > 0; --flips)
      bytes[below(bytes.size())] ^= static_cast<std::uint8_t>(1u << below(8));
    return bytes;
  }
  Bytes cut(Bytes bytes) {
    bytes.resize(below(bytes.size() + 1));
    return bytes;
  }
  static Bytes glued(Bytes front, const Bytes& back) {
    front.insert(front.end(), back.begin(), back.end());
    return front;
  }

  std::mt19937 random_;
  std::vector<Bytes> recorded_;
};

in_addr address(const char* text) {
  in_addr out{};
  if (::inet_pton(AF_INET, text, &out) != 1) {
    std::cerr << "beacon_noise: " << text << " is no IPv4 address\n";
    std::exit(2);
  }
  return out;
}

// A member of the group on one interface that does not hear itself, nor what comes by interfaces on
// which other sockets of this host have joined. No SO_REUSEPORT: Linux (6.18) then hands a datagram
// that one of several such sockets should have to any of them.
int member(const sockaddr_in& group, in_addr interface) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  const int off = 0;
  ip_mreq membership{};
  membership.imr_multiaddr = group.sin_addr;
  membership.imr_interface = interface;
  const bool good =
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      ::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off) == 0 &&
      ::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof off) == 0 &&
      ::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) == 0 &&
      ::bind(socket, reinterpret_cast<const sockaddr*>(&group), sizeof group) == 0 &&
      ::setsockopt(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) == 0;
  if (!good) {
    std::perror("beacon_noise");
    std::exit(1);
  }
  return socket;
}

// Takes in what is there.
void listen_to(int socket, Forger& forger, std::size_t& heard) {
  std::uint8_t bytes[65536];
  for (;;) {
    const ssize_t size = ::recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0) return;
    forger.record({bytes, static_cast<std::size_t>(size)});
    if (++heard == 1) std::cout << "heard one" << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "beacon_noise: group, port, interface's address, seed\n";
    return 2;
  }
  sockaddr_in group{};
  group.sin_family = AF_INET;
  group.sin_addr = address(argv[1]);
  group.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10)));
  const int socket = member(group, address(argv[3]));
  std::cout << "listening" << std::endl;

  Forger forger(static_cast<std::uint32_t>(std::strtoul(argv[4], nullptr, 10)));
  std::size_t heard = 0;
  std::size_t sent = 0;
  const Clock::time_point last = Clock::now() + kLongest;
  while (Clock::now() < last) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 1000 / kPerSecond) > 0) break;
    listen_to(socket, forger, heard);
    const Bytes datagram = forger.next();
    if (::sendto(socket, datagram.data(), datagram.size(), 0,
                 reinterpret_cast<const sockaddr*>(&group), sizeof group) >= 0) {
      ++sent;
    }
  }
  std::cout << "heard " << heard << ", sent " << sent << std::endl;
  return 0;
}
