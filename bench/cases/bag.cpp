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
// measured side by side: whoever shares the machine disturbs both. `part`: what one thread is asked
// to do of it; the same jobs, fewer of them.
double percent_of_ideal(const Bag& bag, const Bag& part, const Place& place, const Engine& engine) {
  const double before = part.alone();
  const double together = engine(bag);
  const double alone = std::min(before, part.alone()) * static_cast<double>(bag.jobs.size()) /
                       static_cast<double>(part.jobs.size());
  return 100 * alone / (together * place.shape.cores());
}

// The median of so many.
double percent_of_ideal(int times, const Bag& bag, const Place& place, const Engine& engine) {
  std::vector<double> percents;
  for (int i = 0; i < times; ++i) percents.push_back(percent_of_ideal(bag, bag, place, engine));
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
  emit(Sample{place.text(), "% of ideal", percent_of_ideal(1, bag, place, engine), {}, {}});
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
  // Microseconds of one core. METG is asked of what goes on for long: until a bag is shared out,
  // and the scheduler has moved its threads to cores of their own, some 5 ms pass, which would be a
  // twentieth of a bag of 100 ms.
  const double total = quick ? 20'000 : 2'000'000;
  const double cores = place.shape.cores();
  std::vector<std::pair<double, double>> curve;
  for (const double grain : quick ? kFewGrains : kGrains) {
    const auto bag_of = [&](double part) {
      // A multiple of the cores, so that the last jobs end together.
      const double rounds = std::max(8.0, std::round(total * part / grain / cores));
      const auto length = static_cast<std::uint64_t>(grain * steps);
      return Bag{std::vector(static_cast<std::size_t>(rounds * cores), length), false};
    };
    const Bag bag = bag_of(1), tenth = bag_of(0.1);
    engine(tenth);  // warm
    const double percent = percent_of_ideal(bag, tenth, place, engine);
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
