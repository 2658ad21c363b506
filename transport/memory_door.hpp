// MemoryDoor: where a process of the same host and user hands over the memory of a session.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "secret.hpp"
#include "socket.hpp"

namespace pp::transport {

// What a node says in the handshake so that a peer can tell whether they share memory. Between
// nodes with the same place and user only; empty: this node shares none.
struct MemoryOffer {
  std::string place;       // this boot of this machine, and the network's namespace in it
  std::uint32_t user = 0;  // effective user id
  std::string door;        // the abstract name of its MemoryDoor

  bool leads_to(const MemoryOffer& other) const {
    return !door.empty() && !other.door.empty() && !place.empty() && place == other.place &&
           user == other.user;
  }
};

// The first words over the door's socket: from the session's dialler, with the memory attached.
// The same socket is the bell of both ends afterwards, and its end the end of the lane.
struct Knock {
  std::uint64_t session = 0;  // the listener's number for it
  Secret::Bytes token{};      // follows from the handshake: nobody else can know it
};

// A Unix socket at an abstract name, which lives and dies with the descriptor. The name is random
// and travels in sealed messages, but whoever shares the host can list all such names: callers of
// another user are sent away, and what the others say is worth nothing without the session's token.
class MemoryDoor {
 public:
  // Throws pp::Error when the system gives none.
  MemoryDoor();
  int fd() const { return fd_.get(); }
  // What to say in a handshake.
  const MemoryOffer& offer() const { return offer_; }

  enum class Entry {
    kNobody,
    kCaller,
    kForeign,  // of another user: sent away
  };
  Entry accept(Descriptor& caller);

 private:
  Descriptor fd_;
  MemoryOffer offer_;
};

// Connects to a peer's door and hands `file` over. Nothing: `why` says how that failed. Does not
// block.
std::optional<Descriptor> knock(const std::string& door, const Knock& words, int file,
                                std::string& why);

enum class Heard {
  kNothing,  // yet
  kKnock,
  kGarbage,  // or the end
};
// Reads the first words of a caller. `file` is the memory that came with them.
Heard hear_knock(int caller, Knock& words, Descriptor& file);

}  // namespace pp::transport
