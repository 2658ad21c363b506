// Victim: decides what a thief gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <pp/transport.hpp>
#include <vector>

namespace pp::runtime {

using transport::SessionId;

// A state machine, used by the courier's thread. It remembers the requests that could not be met
// (protocol.md rule 11): one per thief, void when its session ends.
class Victim {
 public:
  struct Thief {
    SessionId session{};
    std::uint32_t workers = 1;
    std::uint32_t idle = 0;
    std::uint32_t wants = 0;  // so many jobs last it until more could come
  };
  // What this node has, a moment ago.
  struct Stock {
    std::size_t own = 0;        // queued jobs that may be lent
    std::size_t borrowed = 0;   // queued jobs that only their owner may lend
    std::size_t pinned = 0;     // queued jobs that stay here
    std::size_t elsewhere = 0;  // queued jobs that may run on any node but this one
    std::uint32_t workers = 1;
    std::uint32_t idle = 0;       // of these without a job: their need comes first
    std::uint64_t everybody = 0;  // workers of all members, this node's too; 0: unknown
    std::size_t keep = 0;         // so many borrowed jobs last until more could come: they stay
  };
  struct Gift {
    std::size_t lend = 0;  // so many of our own
    std::size_t give_back =
        0;  // otherwise: so many borrowed ones to their owner, where the thief is sent
    bool none() const { return lend == 0 && give_back == 0; }
  };

  // A share of what exceeds our idle workers' need; at least one if there is any. Of our own jobs:
  // as each member, having as many workers as it has, would get of half of them, since any may ask
  // next, and what is lent can only be lent on through us (factoring: Hummel, Schonberg, Flynn
  // 1992); but no fewer than the thief wants, and no more than about half, weighted by the two
  // nodes' workers. Borrowed ones only when there are none of our own: half of what we need not
  // keep. Nothing of these for a node that we are asking ourselves. In any case as large a share of
  // what may not run here.
  static Gift decide(const Stock& stock, const Thief& thief, bool we_ask_it);

  // The request stays here; a later one of the same thief replaces it.
  void park(const Thief& thief);
  void unpark(SessionId thief);
  // A parked thief has so many now: without workers it is given nothing.
  void heard(SessionId thief, std::uint32_t workers, std::uint32_t idle);
  // Notes that it was told of another node that has work; false if it has been, since it parked.
  bool send_on(SessionId thief);
  bool anybody_parked() const { return !parked_.empty(); }
  // Of all that are parked.
  std::uint32_t parked_workers() const;
  // Longest waiting first.
  std::vector<Thief> parked() const;

 private:
  struct Entry {
    Thief thief;
    std::uint64_t since;
    bool sent_on = false;
  };
  std::map<SessionId, Entry> parked_;
  std::map<std::uint64_t, SessionId> order_;  // by `since`: thousands may wait, at each turn
  std::uint64_t clock_ = 0;                   // counts requests
};

}  // namespace pp::runtime
