// bulk: large arguments and large results, one at a time.
#include <iostream>
#include <utility>

#include "bulk_rows.hpp"
#include "lanes.hpp"
#include "mpi_peer.hpp"
#include "pin.hpp"
#include "raw_fabric.hpp"
#include "registry.hpp"
#include "remote.hpp"
#include "sealed_stream.hpp"
#include "tcp.hpp"

namespace pp::bench {
namespace {

using Numbers = std::vector<std::uint64_t>;

std::uint64_t take(const Numbers& numbers) { return numbers.size() + numbers.back(); }

// A result that was there before, as a yardstick's bytes are. Written and read by one job after the
// other.
Numbers ready;
void get_ready(std::uint64_t count) { ready = Numbers(count, count); }
Numbers give() { return std::move(ready); }

// The limit of what can travel is a figure, too: the row has no value then.
template <class... Calls>
void emit_if_possible(const Arguments& arguments, const char* which, std::size_t bytes,
                      const Calls&... prepare_and_call) {
  try {
    emit_bulk(arguments, which, bytes, prepare_and_call...);
  } catch (const std::exception& error) {
    std::cerr << which << " of " << bytes << " bytes: " << error.what() << '\n';
  }
}

int bulk_pp(const Arguments& arguments) {
  return drive_others([&arguments](Runtime& runtime) {
    // What cannot travel would wait for this node, which runs nothing.
    const JobOptions elsewhere{.where = Where::not_here()};
    for (const std::size_t bytes : bulk_sizes(arguments)) {
      const std::size_t count = bytes / sizeof(std::uint64_t);
      // Moved into the job, as the yardsticks send what lies there. Another content each time: the
      // same would be there already.
      std::uint64_t turn = 0;
      emit_if_possible(
          arguments, "argument", bytes, [&] { return Numbers(count, ++turn); },
          [&](Numbers numbers) { runtime.submit<take>(elsewhere, std::move(numbers)).get(); });
      emit_if_possible(
          arguments, "result", bytes,
          [&] { return runtime.submit<get_ready>(elsewhere, count).get(), 0; },
          [&](int) { runtime.submit<give>(elsewhere).get(); });
    }
  });
}

int bulk_tcp(const Arguments& arguments) {
  for (const std::size_t bytes : bulk_sizes(arguments)) {
    const TcpEcho other(0, bytes);
    const Pin pin(0);
    const Numbers numbers(bytes / sizeof(std::uint64_t), 1);
    const auto there = [&] {
      char answer = 0;
      other.write(numbers.data(), bytes);
      other.read(&answer, 1);
    };
    emit_bulk(arguments, "argument", bytes, there);
    emit_bulk(arguments, "result", bytes, there);
  }
  return 0;
}

// The provider's own large messages.
int bulk_fabric(const Arguments& arguments) {
  for (const std::size_t bytes : bulk_sizes(arguments)) {
    FabricEcho other(bytes, FabricEcho::Answer::kFew);
    const Pin pin(0);
    emit_bulk(arguments, "argument", bytes, [&other] { other.ping(); });
    emit_bulk(arguments, "result", bytes, [&other] { other.ping(); });
  }
  return 0;
}

// The same, sealed as pp seals.
int bulk_sealed(const Arguments& arguments) {
  for (const std::size_t bytes : bulk_sizes(arguments)) {
    SealedStream stream(bytes);
    const Pin pin(0);
    const std::vector<std::byte> from(bytes, std::byte{1});
    emit_bulk(arguments, "argument", bytes, [&] { stream.send(from); });
    emit_bulk(arguments, "result", bytes, [&] { stream.send(from); });
  }
  return 0;
}

}  // namespace

Case bulk_case() {
  return {.name = "bulk",
          .what = "one large argument or result at a time; yardsticks: the bytes and an answer",
          .contenders = {over_lanes("bulk.pp"), beside_lanes("TCP", "bulk.tcp"),
                         beside_lanes("libfabric", "bulk.fabric"),
                         beside_lanes("libfabric sealed", "bulk.sealed"),
                         mpi_pair(MpiWay::kShared, "bulk"), mpi_pair(MpiWay::kTcp, "bulk")},
          .reach = {{.rows = "^argument, 64 MiB, (fabric|control)",
                     .against = "libfabric sealed",
                     .bound = 0.8}},
          .bodies = {{"bulk.pp", bulk_pp},
                     {"bulk.tcp", bulk_tcp},
                     {"bulk.fabric", bulk_fabric},
                     {"bulk.sealed", bulk_sealed}},
          .chart = {.x = "bytes", .logarithmic_x = true, .logarithmic_y = true}};
}

}  // namespace pp::bench
