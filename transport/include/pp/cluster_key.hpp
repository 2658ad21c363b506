// ClusterKey: the 32 secret bytes that make a node a member; kept in a file of mode 0600.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace pp {

// Who holds the key is a member, nobody else is. The bytes never appear in a log, on a command line
// or on the wire; the fingerprint may. Movable, not copyable; wiped when it ends.
class ClusterKey {
 public:
  // Of a key.
  static constexpr std::size_t kBytes = 32;

  // Draws a new key from the system's random source.
  static ClusterKey generate();

  // Reads a key file. Throws pp::Error naming the file when it is missing, is not a key, or can be
  // read or written by anybody but its owner (the text says: chmod 600).
  static ClusterKey load(const std::filesystem::path& file);

  // Writes a new file of mode 0600; never overwrites one. Throws pp::Error.
  void save(const std::filesystem::path& file) const;

  // Writes what a key file holds to an open descriptor, which should be of mode 0600. Throws
  // pp::Error.
  void write_to(int descriptor) const;

  // 16 hexadecimal digits, a hash of the key: the same for the same key, useless to find it.
  std::string fingerprint() const;

  // What only a holder of the key can compute from `bytes`: keyed BLAKE2b under a key of its own
  // for each `purpose`, so that a seal made for one thing is none for another.
  using Seal = std::array<std::uint8_t, 16>;
  Seal seal(std::string_view purpose, std::span<const std::byte> bytes) const;
  // In constant time.
  [[nodiscard]] bool verify(std::string_view purpose, std::span<const std::byte> bytes,
                            const Seal& seal) const;

  // The secret itself, for the handshake.
  std::span<const std::uint8_t, kBytes> bytes() const { return bytes_; }

  ClusterKey(ClusterKey&& other) noexcept;
  ClusterKey& operator=(ClusterKey&& other) noexcept;
  ~ClusterKey();

 private:
  ClusterKey() = default;
  std::array<std::uint8_t, kBytes> bytes_{};
};

}  // namespace pp

#pragma GCC visibility pop
