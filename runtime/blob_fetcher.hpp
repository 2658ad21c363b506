// BlobFetcher: what to ask whom for, to get the blobs that are needed here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <pp/blob.hpp>
#include <pp/node_id.hpp>
#include <set>
#include <span>
#include <vector>

#include "assayer.hpp"

namespace pp::runtime {

// A state machine: one thread, the time is handed in. It says what to ask for, and is told what
// comes.
//
// The receiver pulls: it asks for pieces of a blob, a few ahead, and for the next when one has
// come. So a blob of any size never fills a queue that small messages wait in, several come side by
// side, and a lost session costs no more than asking again: that is why none of these messages is
// numbered (compare link.hpp). Pieces of one blob are asked for in order and of one node at a time,
// and hashed as they come, large ones by another thread; nobody sees the bytes before the whole is
// known to have its name, or, if it has none of that kind, to come from the one that was asked.
//
// Whom: the node that named the blob (its owner). That one may name another one to ask instead,
// which has it or is getting it just now; when nothing comes from there for a while, or that one is
// lost or has it no more, the owner is asked again, insisting: it then serves itself.
//
// (A transport that can read another node's memory directly would do so below this: a piece that is
// asked for is where such a read of an announced buffer belongs. The names, the order and who is
// asked stay the same.)
class BlobFetcher {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Limits {
    std::size_t piece = 256 * 1024;             // bytes asked for at a time
    std::size_t window = std::size_t{4} << 20;  // asked for and not come yet, per node asked
    std::size_t pieces = 64;                    // likewise, in number
    std::chrono::milliseconds patience{1000};   // with a node that was named by another
  };

  // From now on large ones are hashed by that one. Must outlive this.
  void assay_with(Assayer& assayer) { assayer_ = &assayer; }

  BlobFetcher() = default;
  explicit BlobFetcher(const Limits& limits) : limits_(limits) {}

  // Why what has come is believed.
  enum class Proof : std::uint8_t {
    kName,    // it has the hash that it is called by, whoever sent it
    kSender,  // who was asked for it has sent it, and nobody else can: its name is no hash
              // (result_name.hpp)
  };
  // It is needed, and `owner` has it. Whoever is named later is asked when the first fails; not for
  // what its sender has to prove.
  void need(const BlobId& id, const NodeId& owner, Proof proof = Proof::kName);
  // It is not needed any more.
  void forget(const BlobId& id) { fetches_.erase(id); }
  bool needs(const BlobId& id) const { return fetches_.contains(id); }
  std::size_t open() const { return fetches_.size(); }

  // This node can be asked now; it cannot any more, and what was asked of it will not come.
  void reachable(const NodeId& node) { reachable_.insert(node); }
  void lost(const NodeId& node);
  // It will never come back: whoever is waited for there is not.
  void gone(const NodeId& node);

  // A question: to `to`, which must be reachable: `length` bytes of the blob from `at` on.
  struct Want {
    NodeId to;
    BlobId id;
    std::uint64_t at = 0;
    std::uint32_t length = 0;
    bool insist = false;  // that node is to give it itself
  };
  std::vector<Want> poll(Time now);
  // When to poll at the latest, beside after whatever has come.
  Time next_due() const {
    if (!failed_.empty()) return Time::min();  // there is something to take
    return fetches_.empty() ? Time::max() : due_;
  }
  // Nodes that were named and are not reachable: somebody should dial them. Each once.
  std::set<NodeId> take_strangers() { return std::exchange(strangers_, {}); }

  enum class Took : std::uint8_t {
    kMore,     // it is good as far as can be seen, and there is more to come
    kWhole,    // that was all: take() it
    kAssayed,  // that was all, and it is being hashed: take_assayed() tells
    kNotNow,   // nobody waits for it (any more)
    kWrong,    // all of it has come, and it is not what its name says; it is asked for anew
               // elsewhere, or failed. One node alone has sent it: `from`
    kMixed,    // likewise, but several nodes have sent parts of it
    kNoRoom,   // there is no memory for it: it has failed
  };
  Took take_piece(const NodeId& from, const BlobId& id, std::uint64_t at,
                  std::span<const std::byte> bytes, Time now);
  // Those that have been hashed to the end, each with kWhole, kWrong or kMixed, and who has sent
  // the last of it.
  struct Assayed {
    BlobId id;
    Took took;
    NodeId from;
  };
  std::vector<Assayed> take_assayed();
  // After kWhole; its fetch is over.
  codec::Bytes take(const BlobId& id);
  // `from` has not got it.
  void not_here(const NodeId& from, const BlobId& id);
  // `from` says: ask that one.
  void ask_instead(const NodeId& from, const BlobId& id, const NodeId& other, Time now);

  // Those that nobody who was named can give; their fetches are over.
  std::vector<BlobId> take_failed() { return std::exchange(failed_, {}); }

  // What has come so far, for others who want it too. Empty: nothing, or it is not fetched here.
  std::span<const std::byte> so_far(const BlobId& id) const;

 private:
  struct Fetch {
    std::deque<NodeId> owners;      // the first one is asked
    std::optional<NodeId> instead;  // of it, this one
    bool insist = false;
    bool mixed = false;  // more than one has sent something
    Proof proof = Proof::kName;
    std::optional<NodeId> sender;
    std::shared_ptr<Arrival> arrival = std::make_shared<Arrival>();
    bool assaying = false;      // parts of it have been handed to the assayer
    std::uint64_t asked = 0;    // up to here it was asked for
    std::size_t under_way = 0;  // pieces
    Time progress{};            // when the last piece came, or `instead` was named
  };
  using Fetches = std::map<BlobId, Fetch>;

  // And being hashed.
  static bool all_here(Fetches::const_iterator fetch);
  const NodeId& source(const Fetch& fetch) const {
    return fetch.instead ? *fetch.instead : fetch.owners.front();
  }
  void ask_again(Fetch& fetch);
  void back_to_owner(Fetch& fetch);
  void begin_anew(Fetch& fetch);
  bool next_owner(Fetches::iterator fetch);
  bool assays(const Fetch& fetch, std::span<const std::byte> part, bool last);
  Took judge(Fetches::iterator fetch, const ContentHash& hash);

  Limits limits_;
  Assayer* assayer_ = nullptr;
  Fetches fetches_;
  std::set<NodeId> reachable_;
  std::set<NodeId> strangers_;
  std::vector<BlobId> failed_;
  BlobId last_asked_;  // whose turn it was
  Time due_ = Time::max();
};

}  // namespace pp::runtime
