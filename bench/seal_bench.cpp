// What it costs to seal and open one frame, beside a copy of the same bytes.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "channel.hpp"
#include "frame.hpp"

namespace {

using namespace pp::transport;

Secret secret(std::uint8_t value) {
  Secret secret;
  secret.bytes().fill(value);
  return secret;
}

void seal_and_open(benchmark::State& state, Cipher cipher) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  if (!(available_ciphers() & static_cast<std::uint32_t>(cipher)))
    return state.SkipWithError("not on this machine");
  const Secret one = secret(1);
  const Secret other = secret(2);
  SealedChannel here(cipher, one, other, 1, 2);
  SealedChannel there(cipher, other, one, 2, 1);
  std::vector<std::byte> frame(bytes);
  for (auto _ : state) {
    here.seal(frame, FrameHeader{});
    FrameHeader header;
    std::span<std::byte> payload;
    if (there.open(frame, header, payload) != FrameVerdict::kGood) std::abort();
    benchmark::DoNotOptimize(payload.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}
BENCHMARK_CAPTURE(seal_and_open, aes256gcm, Cipher::kAes256Gcm)->Arg(128)->Arg(1024)->Arg(8192);
BENCHMARK_CAPTURE(seal_and_open, chacha20poly1305, Cipher::kChaCha20Poly1305)
    ->Arg(128)
    ->Arg(1024)
    ->Arg(8192);

void copy(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<std::byte> from(bytes);
  std::vector<std::byte> to(bytes);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}
BENCHMARK(copy)->Arg(128)->Arg(1024)->Arg(8192);

}  // namespace

BENCHMARK_MAIN();
