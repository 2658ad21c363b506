// What shared memory gives: a bare ring between two processes, and proven sessions over it beside
// those on the control connection, each beside a plain copy of the same bytes.
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <pp/network_transport.hpp>
#include <string>
#include <thread>
#include <vector>

#include "ring.hpp"
#include "shared_memory.hpp"

namespace {

using namespace pp::transport;

// ---- the ring alone: this process and a child, which both spin

class Child {
 public:
  // `body` runs in another process, with the other end of the memory.
  template <class Body>
  explicit Child(Body body) {
    const std::size_t size = 2 * kRing;
    void* const at =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    bytes_ = static_cast<std::byte*>(at);
    pid_ = ::fork();
    if (pid_ == 0) {
      body(ring(1), ring(0));
      ::_exit(0);
    }
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::munmap(bytes_, 2 * kRing);
  }
  std::span<std::byte> outgoing() const { return ring(0); }
  std::span<std::byte> incoming() const { return ring(1); }

 private:
  static constexpr std::size_t kRing = ring_bytes(SharedMemory::kRing);
  std::span<std::byte> ring(std::size_t index) const { return {bytes_ + index * kRing, kRing}; }
  std::byte* bytes_ = nullptr;
  pid_t pid_ = 0;
};

// Spins, but not against whoever holds the core that the other end needs.
class Spin {
 public:
  void once() {
    if (++count_ % 4096 == 0) std::this_thread::yield();
  }

 private:
  unsigned count_ = 0;
};

void put(RingWriter& writer, std::span<const std::byte> record) {
  Spin spin;
  while (writer.put(record) != RingWriter::Put::kPut) spin.once();
}

std::size_t take(RingReader& reader, std::span<std::byte> room) {
  Spin spin;
  std::size_t size = 0;
  while (reader.take(room, size) != RingReader::Take::kTaken) spin.once();
  return size;
}

void ring_round_trip(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const Child child([](std::span<std::byte> out, std::span<std::byte> in) {
    RingWriter writer(out);
    RingReader reader(in);
    std::vector<std::byte> room(16384);
    for (;;) put(writer, std::span(room).first(take(reader, room)));
  });
  RingWriter writer(child.outgoing());
  RingReader reader(child.incoming());
  const std::vector<std::byte> record(bytes);
  std::vector<std::byte> room(bytes);
  for (auto _ : state) {
    put(writer, record);
    take(reader, room);
  }
}
BENCHMARK(ring_round_trip)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime();

// One way; the child takes as fast as it can.
void ring_rate(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const Child child([](std::span<std::byte>, std::span<std::byte> in) {
    RingReader reader(in);
    std::vector<std::byte> room(16384);
    for (;;) take(reader, room);
  });
  RingWriter writer(child.outgoing());
  const std::vector<std::byte> record(bytes);
  for (auto _ : state) put(writer, record);
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ring_rate)->Arg(64)->Arg(1024)->Arg(8192)->UseRealTime();

void copy(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<std::byte> from(bytes), to(bytes);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(copy)->Arg(8192)->Arg(64 << 20)->UseRealTime();

// ---- proven sessions: sealed frames, credit, acknowledgements and all

class Diary final : public Handler {
 public:
  SessionId session{};
  std::uint64_t messages = 0;
  Transport* echo = nullptr;  // what it hears goes back there
  bool timed = false;
  Time heard{};  // the last message

  void on_up(SessionId up, const Peer&) override { session = up; }
  void on_message(SessionId from, std::span<const std::byte> message) override {
    ++messages;
    if (timed) heard = Clock::now();
    if (echo != nullptr) echo->send(from, message);
  }
  void on_word(SessionId, std::span<const std::byte>) override {}
  void on_down(SessionId, DownReason, std::string_view) override { session = {}; }
  void on_dial_failed(const pp::Address&, DialFailure, std::string_view) override { std::abort(); }
  void on_refused(const Refusal&) override { std::abort(); }
};

// Two nodes; the other one runs on a thread of its own and either spins or sleeps between.
class Pair {
 public:
  Pair(const std::string& way, bool echoes, bool sleeps) : sleeps_(sleeps) {
    other_.timed = !echoes;
    char name[] = "/tmp/pp-bench-XXXXXX";
    if (mkdtemp(name) == nullptr) std::abort();
    const std::filesystem::path file = std::filesystem::path(name) / "key";
    pp::ClusterKey::generate().save(file);
    here_ = open(way, file);
    there_ = open(way, file);
    std::filesystem::remove_all(name);
    if (echoes) other_.echo = there_.get();
    thread_ = std::thread([this] {
      while (!stop_.load(std::memory_order_relaxed)) {
        if (there_->poll(Clock::now(), other_) > 0) {
          count_.store(other_.messages, std::memory_order_release);
        } else if (sleeps_) {
          there_->wait(Clock::now() + std::chrono::milliseconds(100));
        }
      }
    });
    here_->dial(there_->self().addresses.front());
    while (diary_.session == SessionId{}) here_->poll(Clock::now(), diary_);
  }
  ~Pair() {
    stop_ = true;
    there_->wake();
    thread_.join();
  }

  void ping(std::span<const std::byte> message) {
    const std::uint64_t heard = diary_.messages;
    here_->send(diary_.session, message);
    while (diary_.messages == heard) step();
  }
  void stream(std::span<const std::byte> message) {
    while (here_->backlog(diary_.session) > (std::size_t{1} << 20)) step();
    here_->send(diary_.session, message);
  }
  // From the call of send() until the other one, which sleeps, handles the message.
  Clock::duration wake(std::span<const std::byte> message, std::uint64_t which) {
    const Time start = Clock::now();
    here_->send(diary_.session, message);
    here_->poll(start, diary_);
    while (count_.load(std::memory_order_acquire) < which) std::this_thread::yield();
    return other_.heard - start;
  }
  void finish(std::uint64_t messages) {
    while (count_.load(std::memory_order_relaxed) < messages) step();
  }

 private:
  static std::unique_ptr<Transport> open(const std::string& way, const std::filesystem::path& key) {
    NetworkOptions options;
    options.introduction.node = pp::NodeId::random();
    options.introduction.name = "bench";
    options.introduction.workers = 1;
    options.listen = {"127.0.0.1", 0};
    options.fabric = way == "shm" ? "off" : way;
    options.shared_memory = way == "shm";
    return open_network(pp::ClusterKey::load(key), options);
  }
  void step() {
    if (here_->poll(Clock::now(), diary_) == 0 && sleeps_)
      here_->wait(Clock::now() + std::chrono::milliseconds(100));
  }

  const bool sleeps_;
  std::unique_ptr<Transport> here_, there_;
  Diary diary_, other_;
  std::atomic<bool> stop_{false};
  // Messages that have arrived there. Release, acquire in wake(): publishes when the last one did.
  std::atomic<std::uint64_t> count_{0};
  std::thread thread_;
};

void session_round_trip(benchmark::State& state, const std::string& way, bool sleeps) {
  Pair pair(way, true, sleeps);
  const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) pair.ping(message);
}
BENCHMARK_CAPTURE(session_round_trip, shm_awake, "shm", false)->Arg(192)->UseRealTime();
BENCHMARK_CAPTURE(session_round_trip, shm_asleep, "shm", true)->Arg(192)->UseRealTime();
BENCHMARK_CAPTURE(session_round_trip, control_awake, "off", false)->Arg(192)->UseRealTime();
BENCHMARK_CAPTURE(session_round_trip, control_asleep, "off", true)->Arg(192)->UseRealTime();
BENCHMARK_CAPTURE(session_round_trip, fabric_awake, "tcp;ofi_rxm", false)->Arg(192)->UseRealTime();

// A message to who has slept for 5 ms.
void session_wake_up(benchmark::State& state, const std::string& way) {
  Pair pair(way, false, true);
  const std::vector<std::byte> message(192);
  std::vector<double> microseconds;
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const auto took = pair.wake(message, microseconds.size() + 1);
    microseconds.push_back(std::chrono::duration<double, std::micro>(took).count());
    state.SetIterationTime(microseconds.back() / 1e6);
  }
  std::sort(microseconds.begin(), microseconds.end());
  state.counters["median_us"] = microseconds[microseconds.size() / 2];
  state.counters["p99_us"] = microseconds[microseconds.size() * 99 / 100];
}
BENCHMARK_CAPTURE(session_wake_up, shm, "shm")->Iterations(400)->UseManualTime();
BENCHMARK_CAPTURE(session_wake_up, control, "off")->Iterations(400)->UseManualTime();
BENCHMARK_CAPTURE(session_wake_up, fabric, "tcp;ofi_rxm")->Iterations(400)->UseManualTime();

void session_stream(benchmark::State& state, const std::string& way) {
  Pair pair(way, false, true);
  const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  std::uint64_t sent = 0;
  for (auto _ : state) {
    pair.stream(message);
    ++sent;
  }
  pair.finish(sent);  // no message is in flight when the next begins; not timed, 1 MiB at most
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(session_stream, shm, "shm")->Arg(128)->Arg(65536)->Arg(16 << 20)->UseRealTime();
BENCHMARK_CAPTURE(session_stream, control, "off")
    ->Arg(128)
    ->Arg(65536)
    ->Arg(16 << 20)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
