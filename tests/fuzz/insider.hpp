// Insider: one end of a handshake that holds the cluster key and says under its seals what it
// likes.
#pragma once

#include <sodium.h>

#include <array>
#include <cstdint>
#include <pp/cluster_key.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "handshake.hpp"
#include "promise.hpp"
#include "transcript.hpp"

namespace pp::fuzz {

// Follows handshake.hpp's three messages, with plain texts that are anybody's. Its ephemeral key is
// always the same, or, if `degenerate`, one of those with which no secret can be shared.
// REQUIRES: `key` outlives it.
class Insider {
 public:
  using Bytes = std::span<const std::uint8_t>;
  using Words = std::vector<std::uint8_t>;

  Insider(const ClusterKey& key, bool degenerate) : key_(key) {
    ephemeral_.fill(42);
    if (!degenerate) crypto_scalarmult_base(public_.data(), ephemeral_.data());
  }

  // As a dialler.
  Words say_hello(Bytes plain) {
    Words words = begin(1, kKey + plain.size());
    transcript_.mix_key_and_hash(key_.bytes());
    give_public(words);
    transcript_.seal(plain, words);
    return words;
  }
  void hear_answer(Bytes words) {
    transcript_.mix_hash(words.first(kPrefix));
    take_public(words);
    mix_shared();
    open(words.subspan(kPrefix + kKey));
  }
  Words say_conclusion(Bytes plain) {
    Words words = begin(3, plain.size());
    transcript_.seal(plain, words);
    return words;
  }

  // As a listener.
  void hear_hello(Bytes words) {
    transcript_.mix_hash(words.first(kPrefix));
    transcript_.mix_key_and_hash(key_.bytes());
    take_public(words);
    open(words.subspan(kPrefix + kKey));
  }
  Words say_answer(Bytes plain) {
    Words words = begin(2, kKey + plain.size());
    give_public(words);
    mix_shared();
    transcript_.seal(plain, words);
    return words;
  }

 private:
  static constexpr std::size_t kPrefix = transport::Handshake::kPrefix, kKey = 32;

  Words begin(std::uint8_t number, std::size_t content) {
    const std::size_t size = content + transport::Transcript::kTagSize;
    Words words{'p',
                'p',
                'h',
                transport::Handshake::kVersion,
                static_cast<std::uint8_t>(size),
                static_cast<std::uint8_t>(size >> 8),
                number,
                0};
    transcript_.mix_hash(words);
    return words;
  }
  void give_public(Words& words) {
    words.insert(words.end(), public_.begin(), public_.end());
    transcript_.mix_hash(public_);
    transcript_.mix_key(public_);
  }
  void take_public(Bytes words) {
    theirs_ = words.subspan(kPrefix, kKey);
    transcript_.mix_hash(theirs_);
    transcript_.mix_key(theirs_);
  }
  void mix_shared() {
    std::array<std::uint8_t, kKey> shared{};
    if (crypto_scalarmult(shared.data(), ephemeral_.data(), theirs_.data()) == 0)
      transcript_.mix_key(shared);
  }
  // What an honest end says opens: otherwise this file no longer follows handshake.cpp.
  void open(Bytes sealed) {
    Words plain;
    promise(transcript_.open(sealed, plain), "the insider speaks the protocol");
  }

  const ClusterKey& key_;
  transport::Transcript transcript_{
      "pp handshake 1: Noise NNpsk0, X25519, ChaCha20-Poly1305, keyed BLAKE2b, confirmed"};
  std::array<std::uint8_t, kKey> ephemeral_{}, public_{};
  Bytes theirs_;
};

}  // namespace pp::fuzz
