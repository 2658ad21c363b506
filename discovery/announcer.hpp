// Announcer: when this node says that it is there, and what the beacons of others mean.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <pp/cluster_key.hpp>
#include <pp/discovery.hpp>
#include <pp/multicast.hpp>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "beacon.hpp"
#include "bucket.hpp"
#include "recent.hpp"

namespace pp::discovery {

// A way is one interface in one family (IPv4, IPv6): a network that other nodes may or may not
// share with us. One announcement has one sequence number and may go out by several ways.
inline constexpr std::size_t kMaxWays = 32;
using Ways = std::bitset<kMaxWays>;

// A state machine: it opens no socket and reads no clock; the jitter comes from the seed. One
// thread.
//
// - **Hello**: on a new way at once, after 50 ms and after another 200 ms (datagrams get lost), and
//   no more once a `here` was heard there: one that answers is enough to meet everybody.
// - **Here, as an answer**: a fresh hello is answered on the way it came, 0 to 20 ms later, in one
//   for all that asked meanwhile; not at all once kEnough others were heard there since the last of
//   them asked, or if our own hello tells them first.
// - **Here, again and again**: every 30 s +-25 %, on those ways where fewer than kEnough were heard
//   since the last time. That is Trickle's rule (Levis et al., NSDI 2004; RFC 6206): the total
//   hardly grows with the number of nodes (simulated: 3 nodes say 319 an hour together, 40 say 412,
//   1000 say 465), and each of them says something now and then.
// - **Replays**: of each node the highest sequence number is remembered (of the kMaxNodes last
// heard
//   of; who is forgotten can be replayed once more, as a hint where nobody is). An equal one that
//   comes by another way is a copy; all others are replays.
// - Whatever is not a fresh beacon of this cluster changes a counter, and may be worth one
// sentence.
class Announcer {
 public:
  static constexpr unsigned kEnough = 3;
  static constexpr std::size_t kMaxNodes = 4096;
  // Addresses from which valid beacons come; strangers never get this far. The limits leave room
  // for a hundred processes of one host that start at once.
  static constexpr std::size_t kMaxSources = 1024;
  static constexpr double kBurstPerSource = 256, kPerSecondAndSource = 32;
  // Clusters and forgers that are worth a sentence; those after them are only counted.
  static constexpr std::size_t kMaxNoticed = 16;

  struct Saying {
    Beacon beacon;
    Ways ways;  // where it goes out
  };

  // `key` must outlive it.
  Announcer(const ClusterKey& key, const ClusterId& cluster, std::uint64_t seed);

  // Who we are; nothing is said before. When the addresses change, others are told at once.
  void introduce(const Discovery::Self& self);
  // The ways that there are from now on; those that are new are greeted.
  void open(const Ways& ways, Time now);
  // A datagram that came by `way` from the host `source` (numeric). REQUIRES: way < kMaxWays.
  void hear(std::span<const std::byte> datagram, std::string_view source, std::size_t way, Time now,
            Discovery::Listener& listener);
  // What is to be said now, one after the other until nothing is.
  std::optional<Saying> due(Time now);
  // When due() has something; Time::max() for never.
  Time next_due(Time now) const;
  // The last beacon of this life; afterwards nothing is due any more. Nothing if nobody was
  // introduced.
  std::optional<Saying> leave();

  // `sent` stays zero: who sends knows how many.
  const BeaconCounters& counters() const { return counters_; }

 private:
  // A row of hellos, on the ways where nobody has answered yet.
  struct Greeting {
    Ways ways;
    std::size_t said = 0;
    Time next{};
  };
  // A here that is owed to those who asked.
  struct Answer {
    Ways ways;
    Time at{};
  };
  struct Way {
    unsigned here = 0;     // heard since the last repetition
    unsigned answers = 0;  // heard since the last hello
  };
  struct Heard {
    std::uint64_t sequence = 0;
    Ways ways;
  };

  Saying say(Beacon::Kind kind, const Ways& ways);
  std::optional<Saying> greet(Time now);
  std::optional<Saying> answer(Time now);
  std::optional<Saying> repeat(Time now);
  bool is_news(const Beacon& beacon, std::size_t way);
  void heard_here(std::size_t way);
  void owe_answer(std::size_t way, Time now);
  void refuse(const NoBeacon& refused, std::string_view source, std::size_t way, Time now,
              Discovery::Listener& listener);
  Time::duration jittered(Time::duration from, Time::duration to);

  const ClusterKey& key_;
  const ClusterId cluster_;
  std::mt19937_64 random_;

  std::optional<Discovery::Self> self_;
  bool left_ = false;
  std::uint64_t sequence_ = 0;

  Ways open_;
  std::array<Way, kMaxWays> ways_{};
  Greeting greeting_;
  Answer answer_;
  std::optional<Time> repetition_;

  Recent<NodeId, Heard> nodes_{kMaxNodes};
  Recent<std::string, Bucket> sources_{kMaxSources};
  std::set<ClusterId> foreign_;
  std::set<std::string, std::less<>> forgers_;
  Bucket forgeries_;
  Bucket questions_;  // of who looks for daemons of another cluster
  bool other_version_noticed_ = false;
  BeaconCounters counters_;
};

}  // namespace pp::discovery
