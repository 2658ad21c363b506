// Messages between two ranks: latency, rate, bulk; and what ranks cost that only wait.
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "bulk_rows.hpp"
#include "events.hpp"
#include "footprint.hpp"
#include "lanes.hpp"
#include "mpi.hpp"
#include "places.hpp"
#include "spinners.hpp"
#include "started.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

constexpr int kWork = 1, kEnd = 2;  // tags
constexpr std::size_t kPingBytes = 256, kSmallBytes = 64;

// Rank 1: sends back what it gets, or one byte of it, until it is told to end.
void echo(std::size_t most, bool one_byte) {
  std::vector<char> bytes(most);
  for (;;) {
    const MPI_Status status = receive_bytes(bytes.data(), most, 0, MPI_ANY_TAG);
    if (status.MPI_TAG == kEnd) return;
    int count = 1;
    if (!one_byte) MPI_Get_count(&status, MPI_BYTE, &count);
    send_bytes(bytes.data(), static_cast<std::size_t>(count), 0, kWork);
  }
}

void end_echo() { send_bytes(nullptr, 0, 1, kEnd); }

// Also those that this rank, being bound, does not use.
cpu_set_t all_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  for (int cpu = 0; cpu < ::sysconf(_SC_NPROCESSORS_ONLN); ++cpu) CPU_SET(cpu, &cores);
  return cores;
}

// Messages a second with `window` of them under way.
double rate(std::size_t window, double seconds) {
  std::vector<char> there(window * kSmallBytes), back(window * kSmallBytes);
  std::vector<MPI_Request> out(window, MPI_REQUEST_NULL), in(window, MPI_REQUEST_NULL);
  const auto renew = [&](std::size_t i) {
    MPI_Wait(&out[i], MPI_STATUS_IGNORE);
    MPI_Irecv(&back[i * kSmallBytes], kSmallBytes, MPI_BYTE, 1, kWork, MPI_COMM_WORLD, &in[i]);
    MPI_Isend(&there[i * kSmallBytes], kSmallBytes, MPI_BYTE, 1, kWork, MPI_COMM_WORLD, &out[i]);
  };
  std::size_t done = 0;
  const Clock::time_point start = Clock::now();
  double spent = 0;
  for (std::size_t i = 0; i < window; ++i) renew(i);
  for (; spent < seconds; spent = std::chrono::duration<double>(Clock::now() - start).count()) {
    for (std::size_t i = 0; i < window; ++i, ++done) {
      MPI_Wait(&in[i], MPI_STATUS_IGNORE);
      renew(i);
    }
  }
  for (std::size_t i = 0; i < window; ++i, ++done) {
    MPI_Wait(&in[i], MPI_STATUS_IGNORE);
    MPI_Wait(&out[i], MPI_STATUS_IGNORE);
  }
  return static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int mpi_latency(const Arguments& arguments, Ranks ranks) {
  if (ranks.own != 0) return echo(kPingBytes, false), 0;
  std::vector<char> message(kPingBytes);
  const auto measure = [&](const char* state, double seconds) {
    std::vector<double> microseconds;
    for (double spent = 0; spent < seconds || microseconds.size() < 120;) {
      const double took = seconds_of([&message] {
        send_bytes(message.data(), message.size(), 1, kWork);
        receive_bytes(message.data(), message.size(), 1, kWork);
      });
      spent += took;
      microseconds.push_back(took * 1e6);
    }
    microseconds.erase(microseconds.begin(), microseconds.begin() + 20);  // to warm up
    emit_events(lanes_of(arguments), state, std::move(microseconds));
  };
  measure("idle", enough(arguments));
  {
    const Spinners spinners(all_cores());
    measure("busy cores", 2 * enough(arguments));
  }
  end_echo();
  return 0;
}

int mpi_rate(const Arguments& arguments, Ranks ranks) {
  if (ranks.own != 0) return echo(kSmallBytes, false), 0;
  for (const std::size_t window : {std::size_t{256}, std::size_t{4096}}) {
    rate(window, enough(arguments) / 4);
    const double each = rate(window, 2 * enough(arguments));
    for (const std::string& lane : lanes_of(arguments))
      emit(Sample{std::to_string(window) + " under way, " + lane, "M/s", each / 1e6, {}, {}});
  }
  end_echo();
  return 0;
}

int mpi_bulk(const Arguments& arguments, Ranks ranks) {
  const std::vector<std::size_t> sizes = bulk_sizes(arguments);
  if (ranks.own != 0) return echo(sizes.back(), true), 0;
  for (const std::size_t bytes : sizes) {
    const std::vector<char> from(bytes, 1);
    const auto there = [&from] {
      char answer = 0;
      send_bytes(from.data(), from.size(), 1, kWork);
      receive_bytes(&answer, 1, 1, kWork);
    };
    emit_bulk(arguments, "argument", bytes, there);
    emit_bulk(arguments, "result", bytes, there);
  }
  end_echo();
  return 0;
}

int mpi_start(const Arguments& arguments, Ranks ranks) {
  MPI_Barrier(MPI_COMM_WORLD);
  if (ranks.own != 0) return 0;
  for (const Place& place : places_of(arguments)) emit_start(place.text());
  return 0;
}

int mpi_idle(const Arguments& arguments, Ranks ranks) {
  const int pid = static_cast<int>(::getpid());
  std::vector<int> all(static_cast<std::size_t>(ranks.count));
  MPI_Gather(&pid, 1, MPI_INT, all.data(), 1, MPI_INT, 0, MPI_COMM_WORLD);
  if (ranks.own != 0) {
    receive_bytes(nullptr, 0, 0, kEnd);
    return 0;
  }
  // Those that wait; this one sleeps outside of MPI.
  const std::vector<pid_t> waiting(all.begin() + 1, all.end());
  for (const Place& place : places_of(arguments)) emit_footprint(arguments, place.text(), waiting);
  for (int rank = 1; rank < ranks.count; ++rank) send_bytes(nullptr, 0, rank, kEnd);
  return 0;
}

}  // namespace pp::bench
