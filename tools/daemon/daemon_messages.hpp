// Daemon messages: what a launcher and a node daemon say to each other (daemon.capnp tells when).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <pp/content_hash.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "exit_status.hpp"

namespace pp::tools::daemon {

// Raised when a message changes its meaning.
inline constexpr std::uint32_t kProtocol = 1;
// What both ends of a session call their launch in the handshake, so that no node of a program is
// taken for one of them.
inline constexpr char kLaunch[] = "ppd";

// Limits of what is read; whoever says more is refused.
inline constexpr std::size_t kMostWords = 4096, kMaxWords = std::size_t{1} << 20;
inline constexpr std::size_t kMaxKey = 256, kMaxPiece = std::size_t{1} << 20;
inline constexpr std::size_t kMaxOutput = std::size_t{64} << 10, kMaxLine = 4096;

struct Look {};

struct Profile {
  std::uint32_t protocol = kProtocol;
  std::string version, machine;
  std::uint32_t workers = 0, share = 0, leases = 0;
  std::uint64_t memory = 0;
  std::string why;
  std::vector<std::string> others;
};

struct Open {
  std::uint32_t protocol = kProtocol;
  std::string launch, program;
  runtime::ContentHash hash;
  std::uint64_t size = 0;
  std::string machine;
  std::vector<std::string> arguments, environment;
  std::string driver;
  std::vector<std::byte> key;
  std::uint32_t workers = 0;
};

struct Wanted {};

struct Piece {
  std::vector<std::byte> bytes;
};

struct Started {
  std::uint32_t process = 0, pid = 0, workers = 0;
};

struct Output {
  std::uint32_t process = 0;
  bool error = false;
  std::string bytes;
};

struct ReportLine {
  std::string line;
};

struct Heard {
  std::uint64_t bytes = 0;
};

struct SignalFor {
  int number = 0;
};

struct Ended {
  std::uint32_t process = 0;
  ExitStatus status;
  std::uint64_t milliseconds = 0, peak_bytes = 0;
  bool replaced = false;
};

struct Over {};

struct Refused {
  std::string why;
};

using Message = std::variant<Look, Profile, Open, Wanted, Piece, Started, Output, ReportLine, Heard,
                             SignalFor, Ended, Over, Refused>;

// A multiple of 8 bytes.
std::vector<std::byte> encode(const Message& message);

// Throws pp::Error with a sentence if it is no message, or past a limit. REQUIRES: `bytes` begins
// at a multiple of 8.
Message decode(std::span<const std::byte> bytes);

}  // namespace pp::tools::daemon
