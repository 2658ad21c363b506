// Discovery: a source that tells who may be out there, and at what address.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <pp/address.hpp>
#include <pp/node_id.hpp>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::discovery {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

// Somebody may be there. A hint where to dial and nothing more: who answers must prove the key.
struct Sighting {
  // All ways to one node, the most promising first; or one address that nothing is known of.
  std::vector<Address> addresses;
  std::optional<NodeId> node;  // who it is, where the source knows
  // Somebody wrote it down: it is tried for ever. Otherwise it is forgotten when nobody answers.
  bool lasting = false;
  // The node said that it goes: whoever is not a member already need not be dialled any more.
  bool leaving = false;
};

// A multicast group, a hosts file, a DNS name, a shared folder, a list. All are equal: one address
// that answers is enough to meet everybody. One thread; nothing blocks; nothing is called from
// outside poll().
class Discovery {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void sighted(const Sighting& sighting) = 0;
    // One sentence for people: another cluster was seen, a file cannot be read, ... A source says
    // each thing once, not each time.
    virtual void noticed(const std::string& sentence) = 0;
  };

  virtual ~Discovery() = default;
  // Takes in what came since the last call, says what is due.
  virtual void poll(Time now, Listener& listener) = 0;
  // When poll() may have something to do although no descriptor is readable; Time::max() for never.
  virtual Time next_due(Time now) const = 0;
  // Descriptors that become readable when poll() has something to do; the same for its whole life.
  virtual std::vector<int> descriptors() const { return {}; }

  // What a source that announces this node has to know: called before the first poll() and when
  // something changed.
  struct Self {
    NodeId node;
    std::string name;
    std::vector<Address> addresses;
    std::uint32_t workers = 0;
    std::uint32_t incarnation = 0;
    bool daemon = false;  // no node of a launch: a ppd, or who looks for one
    bool seeks = false;   // who looks for one
  };
  virtual void introduce(const Self&) {}
  // This node goes: say so if that is your way. poll() is not called any more, so no descriptor is
  // readable from now on: a node may live on for long, and would be woken for ever.
  virtual void leave() {}

  // What strangers and mischief-makers have sent to a source that listens, since it was made.
  // Counted and shown, never an error.
  struct Ignored {
    std::uint64_t foreign = 0;    // of another cluster, or in another version's form
    std::uint64_t forged = 0;     // says to be of ours, but nobody with the key has written it
    std::uint64_t replayed = 0;   // of ours, but heard before
    std::uint64_t malformed = 0;  // nothing that pp writes
  };
  virtual Ignored ignored() const { return {}; }
};

// Addresses that somebody wrote down (PP_PEERS): all of them at the first poll, nothing afterwards.
class FixedList final : public Discovery {
 public:
  explicit FixedList(std::vector<Address> addresses);
  void poll(Time now, Listener& listener) override;
  Time next_due(Time now) const override;

 private:
  const std::vector<Address> addresses_;
  bool told_ = false;
};

}  // namespace pp::discovery

#pragma GCC visibility pop
