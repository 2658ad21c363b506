// latency: one small job at a time, to another node and back.
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
  const Spinners spinners(pin.before());
  measure("busy cores", 2 * enough(arguments));
}

int latency_pp(const Arguments& arguments) {
  const Pin pin(own_core());
  return drive_others([&](Runtime& runtime) {
    const Small small{1, 2, 3, 4, 5, 6, 7, 8};
    idle_and_busy(arguments, pin, [&] { runtime.submit<same_small>(small).get(); });
  });
}

int latency_tcp(const Arguments& arguments) {
  const TcpEcho other(kPingBytes, 0);
  std::vector<char> message(kPingBytes);
  const Pin pin(0);
  idle_and_busy(arguments, pin, [&] {
    other.write(message.data(), message.size());
    other.read(message.data(), message.size());
  });
  return 0;
}

int latency_fabric(const Arguments& arguments) {
  FabricEcho other(kPingBytes, FabricEcho::Answer::kAll);
  const Pin pin(0);
  idle_and_busy(arguments, pin, [&other] { other.ping(); });
  return 0;
}

}  // namespace

Case latency_case() {
  return {
      .name = "latency",
      .what = "one small job at a time to another node and back; yardsticks: a ping-pong",
      .contenders = {over_lanes("latency.pp"), beside_lanes("TCP", "latency.tcp"),
                     beside_lanes("libfabric", "latency.fabric"),
                     mpi_pair(MpiWay::kShared, "latency"), mpi_pair(MpiWay::kTcp, "latency")},
      .reach = {{.rows = "^median, idle, (fabric|control)", .against = "libfabric", .bound = 1.5}},
      .bodies = {{"latency.pp", latency_pp},
                 {"latency.tcp", latency_tcp},
                 {"latency.fabric", latency_fabric}}};
}

}  // namespace pp::bench
