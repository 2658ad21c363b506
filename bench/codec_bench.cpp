// Benchmark of the codec: small arguments in nanoseconds, bulk data beside memcpy.
#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>

#include <pp/codec.hpp>

namespace {

using pp::codec::Bytes;
using pp::codec::decode_whole;
using pp::codec::encode;

struct Particle {
  double x, y, z;
  std::int64_t id;
};
struct Order {
  std::string customer;
  std::vector<int> items;
  std::optional<double> discount;
  bool urgent;
};

using Small = std::tuple<int, long, double>;
const Small small_value{1, 2, 3.0};
const std::tuple<int, std::string> text_value{1, "a job's name"};
const Order order{"a customer", {1, 2, 3, 4}, 0.5, true};

std::map<std::string, int> make_names() {
  std::map<std::string, int> names;
  for (int i = 0; i < 1000; ++i) names["name " + std::to_string(i)] = i;
  return names;
}
const std::map<std::string, int> names = make_names();

// Into one buffer that stays warm, as the courier does it.
template <class T>
void encode_value(benchmark::State& state, const T& value) {
  Bytes bytes;
  for (auto _ : state) {
    bytes.clear();
    encode(bytes, value);
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
template <class T>
void decode_value(benchmark::State& state, const T& value) {
  Bytes bytes;
  encode(bytes, value);
  for (auto _ : state) {
    T back = decode_whole<T>(bytes);
    benchmark::DoNotOptimize(back);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

BENCHMARK_CAPTURE(encode_value, three_numbers, small_value);
BENCHMARK_CAPTURE(decode_value, three_numbers, small_value);
BENCHMARK_CAPTURE(encode_value, number_and_string, text_value);
BENCHMARK_CAPTURE(decode_value, number_and_string, text_value);
BENCHMARK_CAPTURE(encode_value, struct_of_four, order);
BENCHMARK_CAPTURE(decode_value, struct_of_four, order);
BENCHMARK_CAPTURE(encode_value, map_of_1000_names, names);
BENCHMARK_CAPTURE(decode_value, map_of_1000_names, names);

// Bulk: `fresh` allocates its target each time, as a first encoding or a decoding must; page faults
// are most of it. `warm` writes where it wrote before.
template <class Element>
void bulk_encode_warm(benchmark::State& state) {
  const std::vector<Element> values(static_cast<std::size_t>(state.range(0)) / sizeof(Element));
  encode_value(state, values);
}
template <class Element>
void bulk_encode_fresh(benchmark::State& state) {
  const std::vector<Element> values(static_cast<std::size_t>(state.range(0)) / sizeof(Element));
  for (auto _ : state) {
    Bytes bytes;
    encode(bytes, values);
    benchmark::DoNotOptimize(bytes.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
template <class Element>
void bulk_decode(benchmark::State& state) {
  decode_value(state,
               std::vector<Element>(static_cast<std::size_t>(state.range(0)) / sizeof(Element)));
}
void memcpy_warm(benchmark::State& state) {
  const Bytes from(static_cast<std::size_t>(state.range(0)));
  Bytes to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
void resize_and_memcpy_fresh(benchmark::State& state) {
  const Bytes from(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    Bytes to(from.size());
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

constexpr std::int64_t kKiB = 1024;
BENCHMARK(memcpy_warm)->Arg(64 * kKiB)->Arg(64 * kKiB * kKiB);
BENCHMARK(bulk_encode_warm<double>)->Arg(64 * kKiB)->Arg(64 * kKiB * kKiB);
BENCHMARK(bulk_encode_warm<Particle>)->Arg(64 * kKiB)->Arg(64 * kKiB * kKiB);
BENCHMARK(resize_and_memcpy_fresh)->Arg(64 * kKiB)->Arg(64 * kKiB * kKiB);
BENCHMARK(bulk_encode_fresh<double>)->Arg(64 * kKiB)->Arg(64 * kKiB * kKiB);
BENCHMARK(bulk_decode<double>)->Arg(64 * kKiB)->Arg(64 * kKiB * kKiB);
BENCHMARK(bulk_decode<Particle>)->Arg(64 * kKiB)->Arg(64 * kKiB * kKiB);

}  // namespace

BENCHMARK_MAIN();
