// What large values cost on their way to another node and back, beside the same bytes through a TCP
// connection of its own under the same seal, and beside a copy of them.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/pp.hpp>
#include <thread>
#include <vector>

#include "channel.hpp"
#include "frame.hpp"

namespace {

using namespace std::chrono_literals;
using namespace pp::transport;
using Bytes = std::vector<std::uint8_t>;

// ---- pp

std::uint64_t take(const Bytes& bytes) { return bytes.size(); }
std::uint64_t read(const pp::Shared<Bytes>& bytes) { return bytes->size(); }

// A result that was there before; one job after the other.
Bytes ready;
Bytes give() { return std::move(ready); }

// Two nodes in this process; jobs that may not run on the first run on the other.
class Pair {
 public:
  Pair(const std::string& fabric, bool memory) {
    char name[] = "/tmp/pp-bench-XXXXXX";
    directory_ = mkdtemp(name);
    pp::Options options;
    options.workers = 1;
    options.listen = "127.0.0.1:0";
    options.key_file = directory_ / "key";
    options.fabric = fabric;
    options.shared_memory = memory;
    options.discover = "off";
    options.cache_bytes = 0;  // or the second time would cost nothing
    pp::ClusterKey::generate().save(options.key_file);
    owner_ = std::make_unique<pp::Runtime>(options);
    options.peers = {pp::Address::parse(owner_->address())};
    other_ = std::make_unique<pp::Runtime>(options);
    if (!owner_->wait_for_nodes(2, 10s)) std::abort();
    away_.where = pp::Where::not_here();
  }
  ~Pair() {
    other_.reset();
    owner_.reset();
    std::filesystem::remove_all(directory_);
  }
  pp::Runtime& owner() { return *owner_; }
  pp::JobOptions away() const { return away_; }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<pp::Runtime> owner_, other_;
  pp::JobOptions away_;
};

void count(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void shared_object(benchmark::State& state, const std::string& fabric, bool memory = false) {
  Pair pair(fabric, memory);
  std::uint8_t turn = 0;
  for (auto _ : state) {
    state.PauseTiming();  // sharing is done once for however many nodes
    const auto bytes = pp::share(Bytes(static_cast<std::size_t>(state.range(0)), ++turn));
    state.ResumeTiming();
    if (pair.owner().submit<read>(pair.away(), bytes).get() == 0) std::abort();
  }
  count(state);
}

void argument(benchmark::State& state, const std::string& fabric, bool memory = false) {
  Pair pair(fabric, memory);
  std::uint8_t turn = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Bytes bytes(static_cast<std::size_t>(state.range(0)), ++turn);
    state.ResumeTiming();
    if (pair.owner().submit<take>(pair.away(), std::move(bytes)).get() == 0) std::abort();
  }
  count(state);
}

void result(benchmark::State& state, const std::string& fabric, bool memory = false) {
  Pair pair(fabric, memory);
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    ready = Bytes(size, 7);
    state.ResumeTiming();
    if (pair.owner().submit<give>(pair.away()).get().size() != size) std::abort();
  }
  count(state);
}

// ---- yardsticks

// One thread seals and writes, the other reads and opens: what a perfect transport could do with
// the same seal on the same path.
void raw_tcp(benchmark::State& state, bool sealed) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
  listen(listener, 1);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const int from = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(from, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  const int to = accept(listener, nullptr, nullptr);
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::size_t frames = (size + kMaxPayload - 1) / kMaxPayload;
  Secret one, other;
  one.bytes().fill(1);
  other.bytes().fill(2);
  SealedChannel here(Cipher::kAes256Gcm, one, other, 1, 2);
  SealedChannel there(Cipher::kAes256Gcm, other, one, 2, 1);
  const auto whole = [](auto call, int fd, std::byte* at, std::size_t left) {
    while (left > 0) {
      const ssize_t moved = call(fd, at, left, 0);
      if (moved <= 0) std::abort();
      at += moved;
      left -= static_cast<std::size_t>(moved);
    }
  };
  std::vector<std::byte> content(size), arrived(size);
  for (auto _ : state) {
    std::thread reader([&] {
      std::vector<std::byte> frame(kMaxFrame);
      for (std::size_t i = 0; i < frames; ++i) {
        whole(recv, to, frame.data(), kMaxFrame);
        std::span<std::byte> payload = std::span(frame).subspan(sizeof(FrameHeader), kMaxPayload);
        FrameHeader header;
        if (sealed && there.open(frame, header, payload) != FrameVerdict::kGood) std::abort();
        const std::size_t at = i * kMaxPayload;
        std::memcpy(arrived.data() + at, payload.data(), std::min(kMaxPayload, size - at));
      }
    });
    std::vector<std::byte> frame(kMaxFrame);
    for (std::size_t i = 0; i < frames; ++i) {
      const std::size_t at = i * kMaxPayload;
      std::memcpy(frame.data() + sizeof(FrameHeader), content.data() + at,
                  std::min(kMaxPayload, size - at));
      if (sealed) here.seal(frame, FrameHeader{});
      whole(send, from, frame.data(), kMaxFrame);
    }
    reader.join();
  }
  count(state);
  for (const int fd : {listener, from, to}) close(fd);
}

void copy(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const Bytes from(size, 1);
  for (auto _ : state) {
    Bytes to;
    to.insert(to.end(), from.begin(), from.end());
    benchmark::DoNotOptimize(to.data());
  }
  count(state);
}

void hash(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(pp::runtime::content_hash(bytes));
  count(state);
}

// PP_BENCH_LARGE=1: up to a gigabyte, which takes 5 GiB of memory.
void sizes(benchmark::internal::Benchmark* bench) {
  for (const std::int64_t size : {1 << 10, 64 << 10, 256 << 10, 1 << 20, 16 << 20, 64 << 20})
    bench->Arg(size);
  if (std::getenv("PP_BENCH_LARGE") != nullptr) bench->Arg(1 << 30);
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(shared_object, fabric, "tcp;ofi_rxm")->Apply(sizes);
BENCHMARK_CAPTURE(shared_object, control, "off")->Apply(sizes);
BENCHMARK_CAPTURE(shared_object, memory, "off", true)->Apply(sizes);
BENCHMARK_CAPTURE(argument, fabric, "tcp;ofi_rxm")->Apply(sizes);
BENCHMARK_CAPTURE(argument, control, "off")->Apply(sizes);
BENCHMARK_CAPTURE(argument, memory, "off", true)->Apply(sizes);
BENCHMARK_CAPTURE(result, fabric, "tcp;ofi_rxm")->Apply(sizes);
BENCHMARK_CAPTURE(result, control, "off")->Apply(sizes);
BENCHMARK_CAPTURE(result, memory, "off", true)->Apply(sizes);
BENCHMARK_CAPTURE(raw_tcp, sealed, true)->Apply(sizes);
BENCHMARK_CAPTURE(raw_tcp, plain, false)->Apply(sizes);
BENCHMARK(copy)->Apply(sizes);
BENCHMARK(hash)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
