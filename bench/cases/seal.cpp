// seal: what sealing and opening a frame costs, beside a copy of it.
#include <cstdlib>
#include <cstring>

#include "channel.hpp"
#include "frame.hpp"
#include "registry.hpp"
#include "sample.hpp"
#include "timing.hpp"
#include "unit.hpp"

namespace pp::bench {
namespace {

using namespace pp::transport;

struct Way {
  Cipher cipher;
  const char* name;
};
constexpr Way kWays[] = {{Cipher::kAes256Gcm, "AES-256-GCM"},
                         {Cipher::kChaCha20Poly1305, "ChaCha20-Poly1305"}};
constexpr std::size_t kSizes[] = {128, 1024, 8192};
constexpr int kTimes = 1000;

template <class Call>
void report(const Arguments& arguments, std::size_t bytes, const char* way, const Call& once) {
  const double seconds = typical_seconds(enough(arguments) / 4, [&once] {
    for (int i = 0; i < kTimes; ++i) once();
  });
  emit(Sample{std::to_string(bytes) + " bytes, " + way, "us", seconds / kTimes * 1e6, {}, {}});
}

int seal_pp(const Arguments& arguments) {
  Secret one, other;
  one.bytes().fill(1);
  other.bytes().fill(2);
  for (const Way& way : kWays) {
    if (!(available_ciphers() & static_cast<std::uint32_t>(way.cipher))) continue;
    for (const std::size_t bytes : kSizes) {
      SealedChannel here(way.cipher, one, other, 1, 2);
      SealedChannel there(way.cipher, other, one, 2, 1);
      std::vector<std::byte> frame(bytes);
      report(arguments, bytes, way.name, [&] {
        FrameHeader header;
        std::span<std::byte> payload;
        here.seal(frame, FrameHeader{});
        if (there.open(frame, header, payload) != FrameVerdict::kGood) std::abort();
      });
    }
  }
  return 0;
}

int seal_copy(const Arguments& arguments) {
  for (const Way& way : kWays) {
    for (const std::size_t bytes : kSizes) {
      const std::vector<std::byte> from(bytes);
      std::vector<std::byte> to(bytes);
      void* (*volatile copy)(void*, const void*, std::size_t) = std::memcpy;  // not left out
      report(arguments, bytes, way.name, [&] { copy(to.data(), from.data(), bytes); });
    }
  }
  return 0;
}

}  // namespace

Case seal_case() {
  const auto alone = [](std::string who, const std::string& body) {
    return Contender{std::move(who), [body](const Settings& settings) {
                       return std::vector<Run>{own_run(settings, body)};
                     }};
  };
  return {.name = "seal",
          .what = "a frame sealed and opened, beside a copy of it",
          .contenders = {alone(kOurs, "seal.pp"), alone("memcpy", "seal.copy")},
          .reach = {},
          .bodies = {{"seal.pp", seal_pp}, {"seal.copy", seal_copy}}};
}

}  // namespace pp::bench
