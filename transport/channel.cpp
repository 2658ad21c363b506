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

// One direction each. AES keeps its expanded key: expanding it costs more than sealing a small
// frame.
struct SealedChannel::Keys {
  crypto_aead_aes256gcm_state aes_sending, aes_receiving;
  Secret::Bytes sending{}, receiving{};
  ~Keys() { sodium_memzero(this, sizeof *this); }
};

SealedChannel::SealedChannel(Cipher cipher, const Secret& sending, const Secret& receiving,
                             std::uint64_t own, std::uint64_t peers)
    : keys_(std::make_unique<Keys>()), cipher_(cipher), own_(own), peers_(peers) {
  if (cipher == Cipher::kAes256Gcm) {
    crypto_aead_aes256gcm_beforenm(&keys_->aes_sending, sending.bytes().data());
    crypto_aead_aes256gcm_beforenm(&keys_->aes_receiving, receiving.bytes().data());
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

FrameVerdict SealedChannel::open(std::span<std::byte> frame, FrameHeader& header,
                                 std::span<std::byte>& payload) {
  if (!is_frame_length(frame.size())) return FrameVerdict::kMalformed;
  const FrameHeader claimed = read_header(frame);
  if (claimed.magic != FrameHeader::kMagic || claimed.length != frame.size())
    return FrameVerdict::kMalformed;
  if (claimed.session != own_) return FrameVerdict::kNotForUs;

  // The tag first, under the number that the frame claims: only a frame of the peer's own can be
  // called a gap or a replay, everything else is a forgery.
  const Nonce nonce = nonce_of(claimed.sequence);
  unsigned char* const head = raw(frame.data());
  unsigned char* const text = head + sizeof claimed;
  const std::size_t size = frame.size() - kFrameOverhead;
  const int bad = cipher_ == Cipher::kAes256Gcm
                      ? crypto_aead_aes256gcm_decrypt_detached_afternm(
                            text, nullptr, text, size, text + size, head, sizeof claimed,
                            nonce.data(), &keys_->aes_receiving)
                      : crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                            text, nullptr, text, size, text + size, head, sizeof claimed,
                            nonce.data(), keys_->receiving.data());
  if (bad != 0) return FrameVerdict::kForged;
  if (claimed.sequence < next_opened_) return FrameVerdict::kReplayed;
  if (claimed.sequence > next_opened_) return FrameVerdict::kGap;
  ++next_opened_;
  header = claimed;
  payload = frame.subspan(sizeof claimed, size);
  return FrameVerdict::kGood;
}

}  // namespace pp::transport
