// From a job submitted here to its result from another node over loopback TCP and shared memory,
// beside the provider's plain ping-pong.
#include <benchmark/benchmark.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/pp.hpp>
#include <string>
#include <thread>
#include <vector>

#include "fabric.hpp"

namespace {

using namespace std::chrono_literals;
using pp::transport::Fabric;

// As large as the request and the answer of one small job with its frame.
constexpr std::size_t kPingBytes = 256;

std::array<std::uint64_t, 8> sixty_four_bytes(std::array<std::uint64_t, 8> values) {
  return values;
}

std::promise<void>* gate = nullptr;
std::atomic<bool> occupied{false};
void occupy() {
  occupied = true;
  gate->get_future().wait();  // asleep: the worker is taken, the core is free
}

// Two nodes with one worker each in this process; the first one's worker is taken, so that every
// job is stolen by the other.
class Pair {
 public:
  // "shm", or what Options::fabric takes, without shared memory.
  explicit Pair(const std::string& way) {
    char name[] = "/tmp/pp-bench-XXXXXX";
    directory_ = mkdtemp(name);
    pp::Options options;
    options.workers = 1;
    options.listen = "127.0.0.1:0";
    options.key_file = directory_ / "key";
    options.fabric = way == "shm" ? "off" : way;
    options.shared_memory = way == "shm";
    pp::ClusterKey::generate().save(options.key_file);
    owner_ = std::make_unique<pp::Runtime>(options);
    options.peers = {pp::Address::parse(owner_->address())};
    thief_ = std::make_unique<pp::Runtime>(options);
    gate = &gate_;
    blocker_ = owner_->submit<occupy>();
    while (!occupied) std::this_thread::yield();
    if (!owner_->wait_for_nodes(2, 10s)) std::abort();
  }
  ~Pair() {
    gate_.set_value();
    blocker_.get();
    occupied = false;
    thief_.reset();
    owner_.reset();
    std::filesystem::remove_all(directory_);
  }
  pp::Runtime& owner() { return *owner_; }

 private:
  std::filesystem::path directory_;
  std::promise<void> gate_;
  std::unique_ptr<pp::Runtime> owner_;
  std::unique_ptr<pp::Runtime> thief_;
  pp::Future<void> blocker_;
};

void remote_job(benchmark::State& state, const std::string& fabric) {
  Pair pair(fabric);
  std::array<std::uint64_t, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
  for (auto _ : state)
    benchmark::DoNotOptimize(pair.owner().submit<sixty_four_bytes>(values).get());
}
BENCHMARK_CAPTURE(remote_job, fabric, "tcp;ofi_rxm")->UseRealTime();
BENCHMARK_CAPTURE(remote_job, control, "off")->UseRealTime();
BENCHMARK_CAPTURE(remote_job, shared_memory, "shm")->UseRealTime();

void remote_jobs_in_flight(benchmark::State& state, const std::string& fabric) {
  Pair pair(fabric);
  std::array<std::uint64_t, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
  const auto window = static_cast<std::size_t>(state.range(0));
  std::vector<pp::Future<std::array<std::uint64_t, 8>>> jobs(window);
  std::size_t next = 0;
  for (auto _ : state) {
    auto& slot = jobs[next++ % window];
    if (slot.valid()) slot.wait();
    slot = pair.owner().submit<sixty_four_bytes>(values);
  }
  for (auto& job : jobs) {
    if (job.valid()) job.wait();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(remote_jobs_in_flight, fabric, "tcp;ofi_rxm")
    ->Arg(256)
    ->Arg(4096)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(remote_jobs_in_flight, control, "off")
    ->Arg(256)
    ->Arg(4096)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(remote_jobs_in_flight, shared_memory, "shm")
    ->Arg(256)
    ->Arg(4096)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

// The stated case: so many jobs of 64 bytes at once, all of them executed on the other node (this
// one's worker is taken), each result collected and looked at.
void remote_jobs_collected(benchmark::State& state, const std::string& fabric) {
  Pair pair(fabric);
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<pp::Future<std::array<std::uint64_t, 8>>> jobs(count);
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; ++i)
      jobs[i] = pair.owner().submit<sixty_four_bytes>(
          std::array<std::uint64_t, 8>{i, 1, 2, 3, 4, 5, 6, 7});
    std::uint64_t sum = 0;
    for (auto& job : jobs) sum += job.get()[0];
    if (sum != count * (count - 1) / 2) state.SkipWithError("wrong results");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(remote_jobs_collected, fabric, "tcp;ofi_rxm")
    ->Arg(100'000)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(remote_jobs_collected, control, "off")
    ->Arg(100'000)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(remote_jobs_collected, shared_memory, "shm")
    ->Arg(100'000)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

// The provider alone: two endpoints, one thread each, that block as the couriers do, or poll.
class Echo final : public pp::transport::FabricHandler {
 public:
  explicit Echo(bool blocking) : blocking_(blocking) {}
  void on_frame(std::span<std::byte>) override { ++received; }
  void on_send_failed(pp::transport::FabricPeer, std::string_view) override { std::abort(); }

  void send(Fabric& fabric, pp::transport::FabricPeer to, std::span<const std::byte> frame) {
    while (fabric.send(to, frame) != Fabric::Sent::kSent) fabric.poll(*this);
  }
  void await(Fabric& fabric, std::uint64_t count, const std::atomic<bool>& stop) {
    while (received < count && !stop) {
      if (fabric.poll(*this) > 0 || !blocking_ || !fabric.may_sleep()) continue;
      pollfd descriptor{fabric.wait_fd(), POLLIN, 0};
      ::poll(&descriptor, 1, 100);
    }
  }
  std::uint64_t received = 0;

 private:
  const bool blocking_;
};

void provider_ping_pong(benchmark::State& state, bool blocking) {
  Fabric::Options options;
  options.host = "127.0.0.1";
  Fabric here(options);
  Fabric there(options);
  const auto to_there = here.add(there.address());
  const auto to_here = there.add(here.address());
  const std::vector<std::byte> frame(kPingBytes);
  std::atomic<bool> stop{false};
  std::thread other([&] {
    Echo echo(blocking);
    for (std::uint64_t count = 1; !stop; ++count) {
      echo.await(there, count, stop);
      if (!stop) echo.send(there, to_here, frame);
    }
  });
  Echo echo(blocking);
  std::uint64_t count = 0;
  const std::atomic<bool> never{false};
  const auto ping = [&] {
    echo.send(here, to_there, frame);
    echo.await(here, ++count, never);
  };
  ping();  // connects
  for (auto _ : state) ping();
  stop = true;
  other.join();
}
BENCHMARK_CAPTURE(provider_ping_pong, blocking, true)->UseRealTime();
BENCHMARK_CAPTURE(provider_ping_pong, polling, false)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
