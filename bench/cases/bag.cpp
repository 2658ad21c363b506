// What is asked about bags: how much of the ideal, how small the jobs may be.
#include "bag.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <pp/error.hpp>
#include <string>

#include "metg.hpp"
#include "sample.hpp"
#include "spread.hpp"
#include "timing.hpp"
#include "work.hpp"

namespace pp::bench {
namespace {

const std::vector<double> kGrains = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10'000};
const std::vector<double> kFewGrains = {1, 10, 100, 1000};

// How much was done of what the place's cores could have done, in percent. Alone and together are
// measured side by side: whoever shares the machine disturbs both.
double percent_of_ideal(const Bag& bag, const Place& place, const Engine& engine) {
  const double before = bag.alone();
  const double together = engine(bag);
  const double alone = std::min(before, bag.alone());
  return 100 * alone / (together * place.shape.cores());
}

// The median of so many.
double percent_of_ideal(int times, const Bag& bag, const Place& place, const Engine& engine) {
  std::vector<double> percents;
  for (int i = 0; i < times; ++i) percents.push_back(percent_of_ideal(bag, place, engine));
  return spread_of(std::move(percents))->median;
}

}  // namespace

std::uint64_t Bag::run(std::uint64_t job) const { return primes ? sum_primes(job) : burn(job); }

double Bag::alone() const {
  static volatile std::uint64_t sink;
  return seconds_of([this] {
    for (const std::uint64_t job : jobs) {
      sink = run(job);
      check(job, sink);
    }
  });
}

void Bag::check(std::uint64_t job, std::uint64_t result) const {
  if (!primes) return;
  const auto at = std::ranges::find(kPrimeLimits, job) - std::begin(kPrimeLimits);
  if (kPrimeSums[at] != result)
    throw Error("the sum of the primes below " + std::to_string(job) + " is wrong: " +
                std::to_string(result) + ", expected " + std::to_string(kPrimeSums[at]));
}

void skew_test(const Arguments& arguments, const Place& place, const Engine& engine) {
  const double steps = steps_per_microsecond();
  Bag bag;
  for (const double length : skewed_bag(arguments.flag("quick") ? 300 : 10'000))
    bag.jobs.push_back(static_cast<std::uint64_t>(length * steps));
  engine(bag);  // warm
  emit(Sample{place.text(), "% of ideal", percent_of_ideal(bag, place, engine), {}, {}});
}

void primes_test(const Arguments& arguments, const Place& place, const Engine& engine) {
  const Bag bag{{std::begin(kPrimeLimits), std::end(kPrimeLimits)}, true};
  engine(bag);  // warm
  const double percent = percent_of_ideal(arguments.flag("quick") ? 1 : 5, bag, place, engine);
  emit(Sample{place.text(), "% of ideal", percent, {}, {}});
}

void grain_test(const Arguments& arguments, const Place& place, const Engine& engine) {
  const bool quick = arguments.flag("quick");
  const double steps = steps_per_microsecond();
  const double total = quick ? 20'000 : 200'000;  // microseconds of one core
  std::vector<std::pair<double, double>> curve;
  for (const double grain : quick ? kFewGrains : kGrains) {
    // A multiple of the cores, so that the last jobs end together.
    const double rounds = std::max(8.0, std::round(total / grain / place.shape.cores()));
    const std::size_t count = static_cast<std::size_t>(rounds) * place.shape.cores();
    const Bag bag{std::vector(count, static_cast<std::uint64_t>(grain * steps)), false};
    engine(bag);  // warm
    // One that is disturbed would decide from where on all are good enough.
    const double percent = percent_of_ideal(quick ? 1 : 3, bag, place, engine);
    curve.emplace_back(grain, percent);
    emit(Sample{std::to_string(static_cast<int>(grain)) + " us, " + place.text(), "% of ideal",
                percent, grain, place.text()});
  }
  for (const double percent : {50.0, 95.0}) {
    if (const auto grain = metg(curve, percent)) {
      emit(Sample{"METG " + std::to_string(static_cast<int>(percent)) + " %, " + place.text(),
                  "us",
                  *grain,
                  {},
                  {}});
    }
  }
}

}  // namespace pp::bench
