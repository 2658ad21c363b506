// SealedChannel on libsodium's AEADs.
#include "channel.hpp"

#include <sodium.h>

#include <array>
#include <cassert>

namespace pp::transport {
namespace {

using Nonce = std::array<unsigned char, 12>;
static_assert(crypto_aead_aes256gcm_NPUBBYTES == 12);
static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == 12);
static_assert(crypto_aead_aes256gcm_ABYTES == kTagSize);
static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == kTagSize);

Nonce nonce_of(std::uint64_t sequence) {
  Nonce nonce{};
  std::memcpy(nonce.data() + 4, &sequence, sizeof sequence);
  return nonce;
}

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

bool is_authentication_only(Cipher cipher) {
  return cipher == Cipher::kSipHash || cipher == Cipher::kSipHashAndGmac;
}

template <std::size_t Size>
void derive(std::array<unsigned char, Size>& key, std::uint64_t number, const Secret& from) {
  static_assert(Secret::kBytes == crypto_kdf_KEYBYTES);
  crypto_kdf_derive_from_key(key.data(), key.size(), number, "pp local", from.bytes().data());
}

}  // namespace

std::uint32_t available_ciphers() {
  std::uint32_t set = static_cast<std::uint32_t>(Cipher::kChaCha20Poly1305);
  if (sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1)
    set |= static_cast<std::uint32_t>(Cipher::kAes256Gcm);
  return set;
}

Cipher choose_cipher(std::uint32_t ours, std::uint32_t theirs) {
  const auto aes = static_cast<std::uint32_t>(Cipher::kAes256Gcm);
  return (ours & theirs & aes) != 0 ? Cipher::kAes256Gcm : Cipher::kChaCha20Poly1305;
}

Cipher authentication_only(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? Cipher::kSipHashAndGmac : Cipher::kSipHash;
}

// One direction each. AES keeps its expanded key: expanding it costs more than sealing a small
// frame.
struct SealedChannel::Keys {
  crypto_aead_aes256gcm_state aes_sending, aes_receiving;
  Secret::Bytes sending{}, receiving{};
  std::array<unsigned char, crypto_shorthash_siphashx24_KEYBYTES> sip_sending{}, sip_receiving{};
  ~Keys() { sodium_memzero(this, sizeof *this); }
};

SealedChannel::SealedChannel(Cipher cipher, const Secret& sending, const Secret& receiving,
                             std::uint64_t own, std::uint64_t peers)
    : keys_(std::make_unique<Keys>()), cipher_(cipher), own_(own), peers_(peers) {
  if (cipher == Cipher::kAes256Gcm) {
    crypto_aead_aes256gcm_beforenm(&keys_->aes_sending, sending.bytes().data());
    crypto_aead_aes256gcm_beforenm(&keys_->aes_receiving, receiving.bytes().data());
  } else if (is_authentication_only(cipher)) {
    // Two functions, two keys.
    derive(keys_->sip_sending, 1, sending);
    derive(keys_->sip_receiving, 1, receiving);
    if (cipher == Cipher::kSipHashAndGmac) {
      derive(keys_->sending, 2, sending);
      derive(keys_->receiving, 2, receiving);
      crypto_aead_aes256gcm_beforenm(&keys_->aes_sending, keys_->sending.data());
      crypto_aead_aes256gcm_beforenm(&keys_->aes_receiving, keys_->receiving.data());
    }
  } else {
    keys_->sending = sending.bytes();
    keys_->receiving = receiving.bytes();
  }
}

SealedChannel::~SealedChannel() = default;

void SealedChannel::seal(std::span<std::byte> frame, FrameHeader header) {
  assert(is_frame_length(frame.size()));
  header.magic = FrameHeader::kMagic;
  header.length = static_cast<std::uint32_t>(frame.size());
  header.session = peers_;
  header.sequence = next_sealed_++;
  std::memcpy(frame.data(), &header, sizeof header);

  if (is_authentication_only(cipher_)) {
    const std::size_t covered = frame.size() - kTagSize;
    tag(true, frame.first(covered), header.sequence, raw(frame.data()) + covered);
    return;
  }
  const Nonce nonce = nonce_of(header.sequence);
  unsigned char* const head = raw(frame.data());
  unsigned char* const text = head + sizeof header;
  const std::size_t size = frame.size() - kFrameOverhead;
  if (cipher_ == Cipher::kAes256Gcm) {
    crypto_aead_aes256gcm_encrypt_detached_afternm(text, text + size, nullptr, text, size, head,
                                                   sizeof header, nullptr, nonce.data(),
                                                   &keys_->aes_sending);
  } else {
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(text, text + size, nullptr, text, size, head,
                                                       sizeof header, nullptr, nonce.data(),
                                                       keys_->sending.data());
  }
}

// Over the header, in which the frame's number is, and the payload.
void SealedChannel::tag(bool sending, std::span<const std::byte> covered, std::uint64_t sequence,
                        unsigned char* out) const {
  static_assert(crypto_shorthash_siphashx24_BYTES == kTagSize);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(covered.data());
  if (cipher_ == Cipher::kSipHash || covered.size() + kTagSize <= kSipHashMost) {
    crypto_shorthash_siphashx24(out, bytes, covered.size(),
                                (sending ? keys_->sip_sending : keys_->sip_receiving).data());
    return;
  }
  const Nonce nonce = nonce_of(sequence);
  unsigned char nothing = 0;  // is encrypted; the library wants a place for it
  crypto_aead_aes256gcm_encrypt_detached_afternm(
      &nothing, out, nullptr, &nothing, 0, bytes, covered.size(), nullptr, nonce.data(),
      sending ? &keys_->aes_sending : &keys_->aes_receiving);
}

FrameVerdict SealedChannel::open(std::span<std::byte> frame, FrameHeader& header,
                                 std::span<std::byte>& payload) {
  if (!is_frame_length(frame.size())) return FrameVerdict::kMalformed;
  const FrameHeader claimed = read_header(frame);
  if (claimed.magic != FrameHeader::kMagic || claimed.length != frame.size())
    return FrameVerdict::kMalformed;
  if (claimed.session != own_) return FrameVerdict::kNotForUs;

  // The tag first, under the number that the frame claims: only a frame of the peer's own can be
  // called a gap or a replay, everything else is a forgery.
  const std::size_t size = frame.size() - kFrameOverhead;
  if (!(is_authentication_only(cipher_) ? is_genuine(frame, claimed.sequence)
                                        : decrypt(frame, claimed.sequence)))
    return FrameVerdict::kForged;
  if (claimed.sequence < next_opened_) return FrameVerdict::kReplayed;
  if (claimed.sequence > next_opened_) return FrameVerdict::kGap;
  ++next_opened_;
  header = claimed;
  payload = frame.subspan(sizeof claimed, size);
  return FrameVerdict::kGood;
}

bool SealedChannel::is_genuine(std::span<std::byte> frame, std::uint64_t sequence) const {
  const std::size_t covered = frame.size() - kTagSize;
  std::array<unsigned char, kTagSize> expected;
  tag(false, frame.first(covered), sequence, expected.data());
  return sodium_memcmp(expected.data(), frame.data() + covered, kTagSize) == 0;
}

bool SealedChannel::decrypt(std::span<std::byte> frame, std::uint64_t sequence) const {
  const Nonce nonce = nonce_of(sequence);
  unsigned char* const head = raw(frame.data());
  unsigned char* const text = head + sizeof(FrameHeader);
  const std::size_t size = frame.size() - kFrameOverhead;
  const int bad = cipher_ == Cipher::kAes256Gcm
                      ? crypto_aead_aes256gcm_decrypt_detached_afternm(
                            text, nullptr, text, size, text + size, head, sizeof(FrameHeader),
                            nonce.data(), &keys_->aes_receiving)
                      : crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                            text, nullptr, text, size, text + size, head, sizeof(FrameHeader),
                            nonce.data(), keys_->receiving.data());
  return bad == 0;
}

}  // namespace pp::transport
