// Frames of the size that pp has, many of them in a message.
#include "sealed_stream.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "frame.hpp"
#include "pin.hpp"

namespace pp::bench {
namespace {

using namespace pp::transport;

constexpr std::size_t kFrames = 64;                  // in a message
constexpr std::size_t kPiece = kFrames * kMaxFrame;  // bytes of it

Secret secret(std::uint8_t value) {
  Secret made;
  made.bytes().fill(value);
  return made;
}

Cipher cipher() { return choose_cipher(available_ciphers(), available_ciphers()); }

// How many frames, and messages, so many bytes are.
std::size_t frames(std::size_t bytes) { return (bytes + kMaxPayload - 1) / kMaxPayload; }
std::size_t pieces(std::size_t bytes) { return (frames(bytes) + kFrames - 1) / kFrames; }

const std::atomic<bool> never{false};

}  // namespace

SealedStream::SealedStream(std::size_t bytes)
    : bytes_(bytes),
      pieces_(pieces(bytes)),
      sealing_(cipher(), secret(1), secret(2), 1, 2),
      opening_(cipher(), secret(2), secret(1), 2, 1),
      answer_(8) {
  for (auto* buffers : {&out_, &in_}) {
    for (auto& buffer : *buffers) buffer.resize(kPiece);
  }
  here_.connect(there_.address());
  there_.connect(here_.address());
  for (auto& buffer : in_) there_.post_receive(buffer);
  other_ = std::thread([this] {
    const Pin pin(1);
    receive();
  });
}

SealedStream::~SealedStream() {
  stop_ = true;
  other_.join();
}

void SealedStream::send(std::span<const std::byte> bytes) {
  here_.post_receive(answer_);
  for (std::size_t piece = 0; piece < pieces_; ++piece, ++sends_) {
    if (sends_ >= 2) here_.await_sends(sends_ - 1, never);  // this buffer's last one
    std::vector<std::byte>& buffer = out_[sends_ % 2];
    std::size_t used = 0;
    for (; used < kPiece && !bytes.empty(); used += kMaxFrame) {
      const std::span<std::byte> frame(buffer.data() + used, kMaxFrame);
      const std::size_t some = std::min(bytes.size(), kMaxPayload);
      std::memcpy(frame.data() + sizeof(FrameHeader), bytes.data(), some);
      sealing_.seal(frame, FrameHeader{});
      bytes = bytes.subspan(some);
    }
    here_.post_send(std::span(buffer.data(), used));
  }
  here_.await_receives(++answers_, never);
}

void SealedStream::receive() {
  std::vector<std::byte> into(frames(bytes_) * kMaxPayload);
  const std::array<std::byte, 8> done{};
  std::uint64_t received = 0, answered = 0;
  for (;;) {
    std::size_t left = frames(bytes_);
    std::byte* to = into.data();
    for (std::size_t piece = 0; piece < pieces_; ++piece) {
      std::vector<std::byte>& buffer = in_[received % 2];
      if (!there_.await_receives(++received, stop_)) return;
      for (std::size_t at = 0; at < kPiece && left > 0; at += kMaxFrame, --left) {
        FrameHeader header;
        std::span<std::byte> payload;
        const std::span<std::byte> frame(buffer.data() + at, kMaxFrame);
        if (opening_.open(frame, header, payload) != FrameVerdict::kGood) std::abort();
        std::memcpy(to, payload.data(), payload.size());
        to += payload.size();
      }
      there_.post_receive(buffer);
    }
    there_.post_send(done);
    if (!there_.await_sends(++answered, stop_)) return;
  }
}

}  // namespace pp::bench
