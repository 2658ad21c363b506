// Hello: what a node says of itself in the handshake, and its words on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <pp/transport.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "fabric.hpp"
#include "memory_door.hpp"

namespace pp::transport {

enum class DataChannel : std::uint16_t {
  kControl,  // frames of data on the control connection
  kFabric,   // frames of data through libfabric
  kMemory,   // frames of data through memory that both have mapped
};

struct Hello {
  Introduction introduction;
  std::uint32_t ciphers = 0;
  std::uint64_t session = 0;        // the number that frames towards this node must carry
  std::uint32_t credit_frames = 0;  // data frames that may be under way towards this node
  DataChannel wanted = DataChannel::kControl;
  FabricAddress fabric;  // provider empty: none
  std::uint32_t eager_limit = 0;
  MemoryOffer memory;  // door empty: none
};

// A refusal in words: travels sealed once the peer is proven.
struct Objection {
  RefusalReason reason{};
  std::string sentence;
};

using Answer = std::variant<Hello, Objection>;
using Conclusion = std::variant<DataChannel, Objection>;

std::vector<std::uint8_t> encode(const Hello& hello);
std::vector<std::uint8_t> encode(const Answer& answer);
std::vector<std::uint8_t> encode(const Conclusion& conclusion);

// Nothing if it is not one, or if anything in it is longer than hello.capnp allows.
std::optional<Hello> decode_hello(std::span<const std::uint8_t> bytes);
std::optional<Answer> decode_answer(std::span<const std::uint8_t> bytes);
std::optional<Conclusion> decode_conclusion(std::span<const std::uint8_t> bytes);

inline constexpr std::size_t kMaxName = 64, kMaxBuild = 128, kMaxLaunch = 64, kMaxSentence = 512;
inline constexpr std::size_t kMaxAddresses = 8, kMaxAddress = 270, kMaxFabricAddress = 128;
inline constexpr std::size_t kMaxPlace = 64, kMaxDoor = 64;

// `text` as it may be shown: control characters and bytes that are no ASCII escaped, at most
// `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = kMaxSentence);

}  // namespace pp::transport
