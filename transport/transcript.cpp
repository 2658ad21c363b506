// Transcript on libsodium's BLAKE2b and ChaCha20-Poly1305.
#include "transcript.hpp"

#include <sodium.h>

#include <array>
#include <cassert>
#include <cstring>

namespace pp::transport {
namespace {

using Nonce = std::array<unsigned char, 12>;

Nonce nonce_of(std::uint64_t number) {
  Nonce nonce{};
  std::memcpy(nonce.data() + 4, &number, sizeof number);
  return nonce;
}

Secret keyed_hash(const Secret& key, std::span<const std::uint8_t> input) {
  Secret out;
  crypto_generichash(out.bytes().data(), Secret::kBytes, input.data(), input.size(),
                     key.bytes().data(), Secret::kBytes);
  return out;
}

// Output number n of the expansion: hash(previous || n) under the extracted key.
Secret expand(const Secret& extracted, const Secret* previous, std::uint8_t number) {
  std::array<std::uint8_t, Secret::kBytes + 1> input{};
  std::size_t size = 0;
  if (previous != nullptr) {
    std::memcpy(input.data(), previous->bytes().data(), Secret::kBytes);
    size = Secret::kBytes;
  }
  input[size++] = number;
  Secret out = keyed_hash(extracted, std::span(input).first(size));
  sodium_memzero(input.data(), input.size());
  return out;
}

}  // namespace

Transcript::Transcript(std::string_view protocol) {
  const bool ready = sodium_init() >= 0;
  assert(ready);  // the cluster key could not have been loaded otherwise
  static_cast<void>(ready);
  crypto_generichash(hash_.data(), hash_.size(),
                     reinterpret_cast<const unsigned char*>(protocol.data()), protocol.size(),
                     nullptr, 0);
  chain_.bytes() = hash_;
}

void Transcript::mix_hash(std::span<const std::uint8_t> said) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, hash_.size());
  crypto_generichash_update(&state, hash_.data(), hash_.size());
  crypto_generichash_update(&state, said.data(), said.size());
  crypto_generichash_final(&state, hash_.data(), hash_.size());
}

void Transcript::mix_key(std::span<const std::uint8_t> secret) {
  const Secret extracted = keyed_hash(chain_, secret);
  chain_ = expand(extracted, nullptr, 1);
  key_ = expand(extracted, &chain_, 2);
  sealed_ = 0;
}

void Transcript::mix_key_and_hash(std::span<const std::uint8_t> secret) {
  const Secret extracted = keyed_hash(chain_, secret);
  chain_ = expand(extracted, nullptr, 1);
  const Secret said = expand(extracted, &chain_, 2);
  mix_hash(said.bytes());
  key_ = expand(extracted, &said, 3);
  sealed_ = 0;
}

void Transcript::seal(std::span<const std::uint8_t> plain, std::vector<std::uint8_t>& out) {
  const std::size_t start = out.size();
  out.resize(start + plain.size() + kTagSize);
  const Nonce nonce = nonce_of(sealed_++);
  crypto_aead_chacha20poly1305_ietf_encrypt(out.data() + start, nullptr, plain.data(), plain.size(),
                                            hash_.data(), hash_.size(), nullptr, nonce.data(),
                                            key_.bytes().data());
  mix_hash(std::span(out).subspan(start));
}

bool Transcript::open(std::span<const std::uint8_t> sealed, std::vector<std::uint8_t>& plain) {
  if (sealed.size() < kTagSize) return false;
  std::vector<std::uint8_t> opened(sealed.size() - kTagSize);
  const Nonce nonce = nonce_of(sealed_);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(opened.data(), nullptr, nullptr, sealed.data(),
                                                sealed.size(), hash_.data(), hash_.size(),
                                                nonce.data(), key_.bytes().data()) != 0)
    return false;
  ++sealed_;
  mix_hash(sealed);
  plain = std::move(opened);
  return true;
}

Secret Transcript::derive(std::string_view purpose) const {
  crypto_generichash_state state;
  Secret out;
  crypto_generichash_init(&state, chain_.bytes().data(), Secret::kBytes, Secret::kBytes);
  crypto_generichash_update(&state, hash_.data(), hash_.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(purpose.data()),
                            purpose.size());
  crypto_generichash_final(&state, out.bytes().data(), Secret::kBytes);
  sodium_memzero(&state, sizeof state);
  return out;
}

}  // namespace pp::transport
