// steal: from a submit until another node runs the job.
#include <time.h>

#include "events.hpp"
#include "lanes.hpp"
#include "pin.hpp"
#include "raw_fabric.hpp"
#include "registry.hpp"
#include "remote.hpp"
#include "subprocess.hpp"
#include "tcp.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

constexpr std::size_t kPingBytes = 256;

// When it began. Nodes of one host have the same clock.
long long began() { return monotonic_nanoseconds(); }

// Single events right after one another, and after a rest in which everybody falls asleep.
template <class Event>
void awake_and_asleep(const Arguments& arguments, const Event& event) {
  const auto measure = [&](const char* state, std::size_t count, long rest_nanoseconds) {
    std::vector<double> microseconds;
    for (std::size_t i = 0; i < count + 10; ++i) {
      const timespec rest{0, rest_nanoseconds};
      if (rest_nanoseconds > 0) ::nanosleep(&rest, nullptr);
      const double took = event();
      if (i >= 10) microseconds.push_back(took);
    }
    emit_events(lanes_of(arguments), state, std::move(microseconds));
  };
  const std::size_t count = arguments.flag("quick") ? 100 : 5000;
  measure("at once", count, 0);
  measure("after 5 ms", count / 20, 5'000'000);
}

int steal_pp(const Arguments& arguments) {
  const Pin pin(own_core());
  return drive_others([&arguments](Runtime& runtime) {
    awake_and_asleep(arguments, [&runtime] {
      const long long submitted = monotonic_nanoseconds();
      return static_cast<double>(runtime.submit<began>().get() - submitted) / 1e3;
    });
  });
}

int steal_tcp(const Arguments& arguments) {
  const TcpEcho other(kPingBytes, 0);
  std::vector<char> message(kPingBytes);
  const Pin pin(0);
  awake_and_asleep(arguments, [&] {
    return 1e6 * seconds_of([&] {
             other.write(message.data(), message.size());
             other.read(message.data(), message.size());
           });
  });
  return 0;
}

int steal_fabric(const Arguments& arguments) {
  FabricEcho other(kPingBytes, FabricEcho::Answer::kAll);
  const Pin pin(0);
  awake_and_asleep(arguments, [&other] { return 1e6 * seconds_of([&other] { other.ping(); }); });
  return 0;
}

}  // namespace

Case steal_case() {
  return {
      .name = "steal",
      .what = "from a submit until another node runs the job; yardsticks: a whole ping-pong",
      .contenders = {over_lanes("steal.pp"), beside_lanes("TCP", "steal.tcp"),
                     beside_lanes("libfabric", "steal.fabric")},
      .reach = {{.rows = "^median.*(fabric|control)", .against = "libfabric", .bound = 1.5}},
      .bodies = {{"steal.pp", steal_pp}, {"steal.tcp", steal_tcp}, {"steal.fabric", steal_fabric}}};
}

}  // namespace pp::bench
