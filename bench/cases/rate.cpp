// rate: small jobs through one submitter to another node.
#include <vector>

#include "lanes.hpp"
#include "mpi_peer.hpp"
#include "pin.hpp"
#include "registry.hpp"
#include "remote.hpp"
#include "sample.hpp"
#include "tcp.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

// Jobs a second with so many under way.
double rate(Runtime& runtime, std::size_t window, double enough) {
  std::vector<Future<Small>> jobs(window);
  const Small small{1, 2, 3, 4, 5, 6, 7, 8};
  std::size_t done = 0;
  const Clock::time_point start = Clock::now();
  double spent = 0;
  while (spent < enough) {
    for (auto& slot : jobs) {
      if (slot.valid()) slot.wait();
      slot = runtime.submit<same_small>(small);
    }
    done += window;
    spent = std::chrono::duration<double>(Clock::now() - start).count();
  }
  for (auto& job : jobs) job.wait();
  return static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - start).count();
}

int rate_pp(const Arguments& arguments) {
  return drive_others([&arguments](Runtime& runtime) {
    const std::string lane = arguments.text("lane", "");
    for (const std::size_t window : {std::size_t{256}, std::size_t{4096}}) {
      rate(runtime, window, enough(arguments) / 4);  // warm
      emit(Sample{std::to_string(window) + " under way, " + lane,
                  "M/s",
                  rate(runtime, window, 2 * enough(arguments)) / 1e6,
                  std::nullopt,
                  {}});
    }
  });
}

// As many as the window lets go in one write, answered as many as have come: the most that one
// connection can do.
int rate_tcp(const Arguments& arguments) {
  const TcpEcho other(sizeof(Small), 0);
  const Pin pin(0);
  std::vector<char> buffer(4096 * sizeof(Small));
  for (const std::size_t window : {std::size_t{256}, std::size_t{4096}}) {
    const std::size_t most = window * sizeof(Small);  // bytes under way
    std::size_t under_way = 0, back = 0;
    const Clock::time_point start = Clock::now();
    double spent = 0;
    for (; spent < enough(arguments);
         spent = std::chrono::duration<double>(Clock::now() - start).count()) {
      other.write(buffer.data(), most - under_way);
      const std::size_t got = other.read_some(buffer.data(), most);
      under_way = most - got;
      back += got;
    }
    other.read(buffer.data(), under_way);
    const double rate = static_cast<double>(back) / sizeof(Small) / spent;
    for (const std::string& lane : lanes_of(arguments))
      emit(Sample{std::to_string(window) + " under way, " + lane, "M/s", rate / 1e6, {}, {}});
  }
  return 0;
}

}  // namespace

Case rate_case() {
  return {.name = "rate",
          .what = "small jobs (64 bytes there and back) through one submitter to another node",
          .contenders = {over_lanes("rate.pp"), beside_lanes("TCP", "rate.tcp"),
                         mpi_pair(MpiWay::kShared, "rate"), mpi_pair(MpiWay::kTcp, "rate")},
          .reach = {{.rows = "^4096 .*(fabric|control)", .against = "", .bound = 1},
                    {.rows = "^4096 .*shm", .against = "", .bound = 1.5}},
          .bodies = {{"rate.pp", rate_pp}, {"rate.tcp", rate_tcp}}};
}

}  // namespace pp::bench
