// request: the round trip of a steal between two couriers that are awake: asked, granted, queued.
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/discovery.hpp>
#include <pp/error.hpp>
#include <thread>
#include <utility>

#include "courier.hpp"
#include "events.hpp"
#include "home.hpp"
#include "lanes.hpp"
#include "node.hpp"
#include "pin.hpp"
#include "raw_fabric.hpp"
#include "registry.hpp"
#include "remote.hpp"
#include "ring.hpp"
#include "tcp.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

using runtime::Job;

// As large as the frames of the request and of the grant of one small job, on the average.
constexpr std::size_t kPingBytes = 256;
constexpr std::size_t kRing = std::size_t{256} << 10;

// One worker that is idle when it is told to be.
class Stand final : public runtime::Workforce {
 public:
  bool hungry = false;
  unsigned workers() const override { return 1; }
  unsigned idle() const override { return hungry ? 1 : 0; }
  Totals totals() const override { return {}; }
  void announce() override {}
  void set_waiting_thieves(bool) override {}
  void tell_to_stop_soon(Job&) override {}
};

// A courier that runs when it is told to, and its queue.
struct Post {
  Post(const Options& options, std::vector<Address> others)
      : log([](std::string_view, std::string_view) {}), home("bench") {
    runtime::Courier::Sources sources;
    sources.push_back(std::make_unique<discovery::FixedList>(std::move(others)));
    const auto& functions = runtime::FunctionTable::seal();
    courier = std::make_unique<runtime::Courier>(
        options, runtime::open_transport(options, functions), std::move(sources),
        runtime::Courier::Parts{.queue = queue, .log = log, .functions = functions, .home = home});
    courier->begin(stand, Clock::now());
  }
  void step() { courier->step(Clock::now()); }

  runtime::Log log;
  runtime::Home home;
  runtime::Queue queue{1};
  Stand stand;
  std::unique_ptr<runtime::Courier> courier;
};

// As a worker does.
void run_one(runtime::Queue& queue) {
  Job* const job = queue.take(0, runtime::Queue::Taker::kFree);
  if (job == nullptr || job->kind->run(*job) != runtime::Ran::kSettled)
    throw Error("request: the job that was granted cannot be run");
  job->kind->deliver(*job);
  runtime::finish(*job);
  job->release();
}

int request_pp(const Arguments& arguments) {
  char directory[] = "/tmp/pp-bench-XXXXXX";
  if (::mkdtemp(directory) == nullptr) throw Error("no directory can be made in /tmp");
  Options options = Options::from_environment();
  options.workers = 1;
  options.listen = "127.0.0.1:0";
  options.key_file = std::filesystem::path(directory) / "key";
  ClusterKey::generate().save(options.key_file);
  Post victim(options, {});
  Post thief(options, {Address::parse(victim.courier->address())});
  std::filesystem::remove_all(directory);

  std::atomic<bool> stop{false};  // orders nothing: only the end counts
  std::thread other([&] {
    const Pin pin(1);
    while (!stop.load(std::memory_order_relaxed)) victim.step();
  });
  const Pin pin(0);
  while (thief.courier->nodes().empty() || thief.courier->holdings().sessions == 0) thief.step();
  std::vector<double> microseconds;
  const std::size_t rounds = arguments.flag("quick") ? 200 : 20'000;
  for (std::size_t i = 0; i < rounds + 100; ++i) {
    auto* const job = runtime::make_job<runtime::Constant<same_small>>(Small{i});
    job->home = &victim.home;
    job->retain();  // ours
    victim.queue.push(job);
    thief.stand.hungry = true;
    const double took = seconds_of([&thief] {
      while (thief.queue.borrowed() == 0) thief.step();
    });
    thief.stand.hungry = false;
    if (i >= 100) microseconds.push_back(took * 1e6);
    run_one(thief.queue);
    while (!job->done()) thief.step();
    job->release();
  }
  stop.store(true, std::memory_order_relaxed);
  other.join();
  emit_events(lanes_of(arguments), "awake", std::move(microseconds));
  return 0;
}

template <class Ping>
void measure(const Arguments& arguments, const Ping& ping) {
  std::vector<double> microseconds;
  const std::size_t rounds = arguments.flag("quick") ? 200 : 20'000;
  for (std::size_t i = 0; i < rounds + 100; ++i) {
    const double took = seconds_of(ping);
    if (i >= 100) microseconds.push_back(took * 1e6);
  }
  emit_events(lanes_of(arguments), "awake", std::move(microseconds));
}

int request_tcp(const Arguments& arguments) {
  const TcpEcho other(kPingBytes, 0, Waiting::kAwake);
  std::vector<char> message(kPingBytes);
  const Pin pin(0);
  measure(arguments, [&] {
    other.write(message.data(), message.size());
    other.read(message.data(), message.size());
  });
  return 0;
}

int request_fabric(const Arguments& arguments) {
  FabricEcho other(kPingBytes, FabricEcho::Answer::kAll, Waiting::kAwake);
  const Pin pin(0);
  measure(arguments, [&other] { other.ping(); });
  return 0;
}

// The bare rings, by which frames of that size go there and back.
int request_ring(const Arguments& arguments) {
  struct Bytes {
    alignas(128) std::byte bytes[transport::ring_bytes(kRing)] = {};
  };
  const auto there = std::make_unique<Bytes>();
  const auto back = std::make_unique<Bytes>();
  using Reader = transport::RingReader;
  using Writer = transport::RingWriter;
  std::atomic<bool> stop{false};  // orders nothing: only the end counts
  std::thread other([&] {
    const Pin pin(1);
    Reader reader(there->bytes);
    Writer writer(back->bytes);
    std::vector<std::byte> room(kPingBytes);
    std::size_t size = 0;
    while (!stop.load(std::memory_order_relaxed))
      if (reader.take(room, size) == Reader::Take::kTaken) writer.put(room);
  });
  const Pin pin(0);
  Writer writer(there->bytes);
  Reader reader(back->bytes);
  std::vector<std::byte> room(kPingBytes);
  std::size_t size = 0;
  measure(arguments, [&] {
    writer.put(room);
    while (reader.take(room, size) != Reader::Take::kTaken) {
    }
  });
  stop.store(true, std::memory_order_relaxed);
  other.join();
  return 0;
}

// In one process, two threads: nobody but the two couriers takes part.
Contender couriers() {
  return {kOurs, [](const Settings& settings) {
            std::vector<Run> runs;
            for (const Lane& lane : settings.lanes) {
              runs.push_back(own_run(settings, "request.pp", {"lane=" + lane.name}));
              runs.back().environment = lane.environment;
            }
            return runs;
          }};
}

}  // namespace

Case request_case() {
  return {.name = "request",
          .what = "a steal between couriers that are awake; yardsticks: a ping-pong, likewise",
          .contenders = {couriers(), beside_lanes("TCP", "request.tcp"),
                         beside_lanes("libfabric", "request.fabric"),
                         beside_lanes("ring", "request.ring")},
          .reach = {{.rows = "^median.*fabric", .against = "libfabric", .bound = 1.5},
                    {.rows = "^median.*control", .against = "TCP", .bound = 1.5},
                    {.rows = "^median.*shm", .against = "", .bound = 3}},
          .bodies = {{"request.pp", request_pp},
                     {"request.tcp", request_tcp},
                     {"request.fabric", request_fabric},
                     {"request.ring", request_ring}}};
}

}  // namespace pp::bench
