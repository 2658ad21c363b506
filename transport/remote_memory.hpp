// RemoteMemory: bytes of one node that another may read, as both of them name them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pp::transport {

// Travels in a message from who exposed the bytes to who reads them, and means something there to
// the same provider only. From the network, so whoever reads it holds `bytes` against what it has
// room for; a wrong address or key is the provider's to refuse, and costs the connection.
struct RemoteMemory {
  std::uint64_t address = 0;  // what the provider wants to hear: a pointer there, or an offset
  std::uint64_t key = 0;
  std::uint64_t bytes = 0;

  // REQUIRES: offset + size <= bytes.
  RemoteMemory piece(std::uint64_t offset, std::uint64_t size) const {
    return {address + offset, key, size};
  }
  bool operator==(const RemoteMemory&) const = default;
};

// The number is never used again by the same Fabric.
enum class ExposureId : std::uint64_t {};

struct Exposure {
  ExposureId id{};
  RemoteMemory memory;
};

}  // namespace pp::transport
