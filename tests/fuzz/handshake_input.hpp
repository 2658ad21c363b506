// HandshakeInput: two nodes that shake hands in the targets, and how bytes reach one of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "channel.hpp"
#include "handshake.hpp"
#include "hello.hpp"
#include "promise.hpp"

namespace pp::fuzz {

// What the first byte of an insider's input says of the rest; 8 added: its public key is
// degenerate.
enum class InsiderInput : std::uint8_t {
  kHello = 0,       // the plain text of its first message,
  kAnswer = 1,      // of its answer,
  kConclusion = 2,  // of its last message
};

inline transport::Hello fuzzed_hello(std::uint8_t number) {
  transport::Hello hello;
  hello.introduction.node.bytes.fill(number);
  hello.introduction.name = "node";
  hello.introduction.workers = 3;
  hello.introduction.function_table = 77;
  hello.introduction.build = "g++";
  hello.introduction.addresses = {{"10.0.0.1", 7001}, {"fd00::1", 7001}};
  hello.ciphers = static_cast<std::uint32_t>(transport::Cipher::kChaCha20Poly1305);
  hello.session = 100;
  hello.credit_frames = 64;
  hello.fabric = {"tcp;ofi_rxm", std::vector<std::byte>(16, std::byte{9})};
  hello.eager_limit = 8192;
  hello.wanted = transport::DataChannel::kFabric;
  hello.memory = {"boot/1", 7, "pp-door"};
  return hello;
}

// Hands over `bytes` as they arrive, `step` at a time.
inline void hear(transport::Handshake& to, std::span<const std::uint8_t> bytes, std::size_t step) {
  std::size_t taken = 0;
  for (std::size_t arrived = 0; arrived < bytes.size();) {
    arrived = std::min(arrived + step, bytes.size());
    while (to.state() == transport::Handshake::State::kHearing) {
      const std::size_t took = to.receive(std::as_bytes(bytes.subspan(taken, arrived - taken)));
      promise(took <= arrived - taken, "no more is taken than arrived");
      if (took == 0) break;
      taken += took;
    }
  }
}

}  // namespace pp::fuzz
