// Word: what members say to each other to know who is there; gossip.capnp has the protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <pp/member.hpp>
#include <pp/node_id.hpp>
#include <span>
#include <vector>

namespace pp::discovery {

struct Word {
  enum class Kind : std::uint8_t {
    kHeartbeat,
    kPing,
    kAck,
    kProbe,
    kReport,
    kAsk,
    kPage,
    kRestAsk,
    kRestYes,
  };

  Kind kind = Kind::kHeartbeat;
  std::uint32_t incarnation = 0;
  std::uint64_t digest = 0;
  std::uint32_t members = 0;
  std::uint64_t number = 0;
  NodeId subject;
  Load load;
  std::vector<Member> news;
  bool last = false;

  friend bool operator==(const Word&, const Word&) = default;
};

// News that fit a word; a word with a single piece of news always fits.
inline constexpr std::size_t kMostNews = 64;
// Bytes that a member takes in a word, at most.
std::size_t size_of(const Member& member);
// Bytes of news that fit a word.
extern const std::size_t kRoomForNews;

std::vector<std::byte> encode(const Word& word);
// Nothing if it is none, or if anything in it is longer than gossip.capnp allows. Never reads or
// allocates beyond what arrived.
std::optional<Word> decode(std::span<const std::byte> bytes);

}  // namespace pp::discovery
