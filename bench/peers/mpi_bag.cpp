// A master hands out jobs one by one, each worker with one more at hand than it runs.
#include <vector>

#include "bag.hpp"
#include "mpi.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

constexpr int kJob = 1, kPrime = 2, kResult = 3, kEnd = 4;  // tags
constexpr std::size_t kAtHand = 2;  // jobs with a worker: one runs, one waits

struct Result {
  std::uint64_t job, value;
};

// What worker ranks do until they are told to end.
void work() {
  for (;;) {
    std::uint64_t job = 0;
    const MPI_Status status = receive_bytes(&job, sizeof job, 0, MPI_ANY_TAG);
    if (status.MPI_TAG == kEnd) return;
    Bag bag;
    bag.primes = status.MPI_TAG == kPrime;
    const Result result{job, bag.run(job)};
    send_bytes(&result, sizeof result, 0, kResult);
  }
}

double hand_out(const Bag& bag, int workers) {
  return seconds_of([&bag, workers] {
    std::size_t next = 0, done = 0;
    const auto give = [&](int rank) {
      if (next == bag.jobs.size()) return;
      send_bytes(&bag.jobs[next++], sizeof(std::uint64_t), rank, bag.primes ? kPrime : kJob);
    };
    for (std::size_t i = 0; i < kAtHand; ++i) {
      for (int rank = 1; rank <= workers; ++rank) give(rank);
    }
    for (; done < bag.jobs.size(); ++done) {
      Result result{};
      const MPI_Status status = receive_bytes(&result, sizeof result, MPI_ANY_SOURCE, kResult);
      give(status.MPI_SOURCE);
      bag.check(result.job, result.value);
    }
  });
}

int measure(const Arguments& arguments, Ranks ranks, BagTest test) {
  if (ranks.own != 0) return work(), 0;
  const int workers = ranks.count - 1;
  for (const Place& place : places_of(arguments))
    test(arguments, place, [workers](const Bag& bag) { return hand_out(bag, workers); });
  for (int rank = 1; rank <= workers; ++rank) send_bytes(nullptr, 0, rank, kEnd);
  return 0;
}

}  // namespace

int mpi_skew(const Arguments& arguments, Ranks ranks) {
  return measure(arguments, ranks, skew_test);
}
int mpi_primes(const Arguments& arguments, Ranks ranks) {
  return measure(arguments, ranks, primes_test);
}
int mpi_grain(const Arguments& arguments, Ranks ranks) {
  return measure(arguments, ranks, grain_test);
}

}  // namespace pp::bench
