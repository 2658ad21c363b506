// latency: one small job at a time, to another node and back.
#include <time.h>

#include "events.hpp"
#include "lanes.hpp"
#include "mpi_peer.hpp"
#include "pin.hpp"
#include "raw_fabric.hpp"
#include "registry.hpp"
#include "remote.hpp"
#include "spinners.hpp"
#include "tcp.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

// As large as the request and the answer of one small job with its frame.
constexpr std::size_t kPingBytes = 256;

// Times single calls while the cores have nothing else to do, then while each has.
template <class Call>
void idle_and_busy(const Arguments& arguments, const Pin& pin, const Call& call) {
  const auto measure = [&](const char* state, double seconds) {
    for (int i = 0; i < 20; ++i) call();
    std::vector<double> microseconds;
    for (double spent = 0; spent < seconds || microseconds.size() < 100;) {
      const double took = seconds_of(call);
      spent += took;
      microseconds.push_back(took * 1e6);
    }
    emit_events(lanes_of(arguments), state, std::move(microseconds));
  };
  measure("idle", enough(arguments));
  if (arguments.flag("idle")) return;  // for a profile
  const Spinners spinners(pin.before());
  measure("busy cores", 2 * enough(arguments));
}

// As above, but everybody has fallen asleep before each.
template <class Call>
void after_rest(const Arguments& arguments, const Call& call) {
  std::vector<double> microseconds;
  for (int i = 0; i < (arguments.flag("quick") ? 50 : 400); ++i) {
    const timespec rest{0, 5'000'000};
    ::nanosleep(&rest, nullptr);
    microseconds.push_back(seconds_of(call) * 1e6);
  }
  emit_events(lanes_of(arguments), "after 5 ms", std::move(microseconds));
}

int latency_pp(const Arguments& arguments) {
  const Pin pin(own_core());
  return drive_others([&](Runtime& runtime) {
    const Small small{1, 2, 3, 4, 5, 6, 7, 8};
    const auto job = [&] { runtime.submit<same_small>(small).get(); };
    after_rest(arguments, job);
    idle_and_busy(arguments, pin, job);
  });
}

int latency_tcp(const Arguments& arguments) {
  const Waiting waiting = arguments.flag("awake") ? Waiting::kAwake : Waiting::kAsleep;
  const TcpEcho other(kPingBytes, 0, waiting);
  std::vector<char> message(kPingBytes);
  const Pin pin(0);
  const auto ping = [&] {
    other.write(message.data(), message.size());
    other.read(message.data(), message.size());
  };
  if (waiting == Waiting::kAsleep) after_rest(arguments, ping);
  idle_and_busy(arguments, pin, ping);
  return 0;
}

int latency_fabric(const Arguments& arguments) {
  const Waiting waiting = arguments.flag("awake") ? Waiting::kAwake : Waiting::kAsleep;
  FabricEcho other(kPingBytes, FabricEcho::Answer::kAll, waiting);
  const Pin pin(0);
  const auto ping = [&other] { other.ping(); };
  if (waiting == Waiting::kAsleep) after_rest(arguments, ping);
  idle_and_busy(arguments, pin, ping);
  return 0;
}

}  // namespace

Case latency_case() {
  return {.name = "latency",
          .what = "one small job at a time to another node and back; yardsticks: a ping-pong",
          .contenders = {over_lanes("latency.pp"), beside_lanes("TCP", "latency.tcp"),
                         beside_lanes("libfabric", "latency.fabric"),
                         beside_lanes("TCP awake", "latency.tcp", {"awake=1"}),
                         beside_lanes("libfabric awake", "latency.fabric", {"awake=1"}),
                         mpi_pair(MpiWay::kShared, "latency"), mpi_pair(MpiWay::kTcp, "latency")},
          .reach = {{.rows = "^median, idle, fabric", .against = "libfabric awake", .bound = 1.6},
                    {.rows = "^median, idle, control", .against = "TCP awake", .bound = 1.6},
                    {.rows = "^median, after 5 ms", .against = "TCP", .bound = 1.3}},
          .bodies = {{"latency.pp", latency_pp},
                     {"latency.tcp", latency_tcp},
                     {"latency.fabric", latency_fabric}}};
}

}  // namespace pp::bench
