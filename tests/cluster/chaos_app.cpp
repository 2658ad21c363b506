// chaos_app: work with known answers, round after round, while somebody kills, stops and cuts off
// its nodes.
//
//   chaos_app KINDS SEED     KINDS: uts, fib, map, bulk, or several with commas; or lie, which is
//                            wrong on purpose, so that one sees that it is found
//
// The driver goes on until its input ends, and says for each round
//
//   round 17 fib is exact, 8 jobs, 312 ms
//   round 18 map is WRONG: element 4711 is 3, expected 5
//
// and at the end "deliveries are exact, 4711 jobs", or what it counted instead, and
//
//   statistics {"rounds":18,"wrong":0,"jobs":4711,"lent":812,"lost":40,"late":2,...}
//
// Its exit code is 0 if everything was exact, else 1. A worker serves, and takes no notice of the
// arguments.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <pp/pp.hpp>
#include <random>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "parallel.hpp"

namespace chaos {

using Clock = std::chrono::steady_clock;

// How long a leaf of the fib tree and an element of a map compute: together some tenths of a
// second, so that something happens in the middle of every round.
constexpr int kLeaf = 60;
constexpr int kElement = 100;

void spin(int microseconds) {
  const auto end = Clock::now() + std::chrono::microseconds(microseconds);
  while (Clock::now() < end) {
  }
}

// A number that depends on every bit of `n` (the finaliser of SplitMix64).
std::uint64_t mix(std::uint64_t n) {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

// ---- jobs

std::uint64_t fib(unsigned n) {
  if (n < 2) {
    spin(kLeaf);
    return n;
  }
  const auto child = pp::spawn<fib>(n - 1);
  const std::uint64_t other = fib(n - 2);
  return child.get() + other;
}

std::uint64_t element(std::uint64_t index, std::uint64_t seed) {
  spin(kElement);
  return mix(seed ^ index);
}

using Block = std::vector<std::uint64_t>;

Block mixed(const Block& block, std::uint64_t with) {
  Block out(block.rbegin(), block.rend());
  for (std::uint64_t& word : out) word = mix(word ^ with);
  return out;
}
Block mix_block(Block block, std::uint64_t with) { return mixed(block, with); }

// ---- the driver

std::uint64_t known_fib(unsigned n) {
  std::uint64_t a = 0;
  for (std::uint64_t b = 1; n > 0; --n) a = std::exchange(b, a + b);
  return a;
}

// What went wrong in a round.
using Wrong = std::runtime_error;

template <class T>
void expect(const T& is, const T& expected, const std::string& what) {
  if (is == expected) return;
  std::ostringstream text;
  text << what << " is " << is << ", expected " << expected;
  throw Wrong(text.str());
}

// How often each job was delivered. Late second deliveries are seen at the end, so nothing is
// forgotten before.
class Deliveries {
 public:
  template <class T>
  pp::Future<void> count(const pp::Future<T>& job) {
    std::atomic<unsigned>& calls = calls_.emplace_back(0);
    return job.then([&calls](const pp::Future<T>&) { ++calls; });
  }
  // The last one once more.
  template <class T>
  pp::Future<void> count_again(const pp::Future<T>& job) {
    std::atomic<unsigned>& calls = calls_.back();
    return job.then([&calls](const pp::Future<T>&) { ++calls; });
  }
  std::size_t jobs() const { return calls_.size(); }
  // Jobs from the `first` on that were not delivered exactly once; those that were awaited.
  std::size_t wrong(std::size_t first = 0) const {
    return static_cast<std::size_t>(
        std::count_if(calls_.begin() + static_cast<std::ptrdiff_t>(first), calls_.end(),
                      [](const std::atomic<unsigned>& calls) { return calls != 1; }));
  }

 private:
  std::deque<std::atomic<unsigned>> calls_;  // a deque: they stay where they are
};

class Driver {
 public:
  Driver(pp::Runtime& rt, std::vector<std::string> kinds, std::uint64_t seed)
      : rt_(rt), kinds_(std::move(kinds)), random_(seed) {
    add_tree(uts::published("T1")->parameters, 1);
    add_tree(uts::published("T3")->parameters, 2);
    uts::Parameters small = uts::published("T1")->parameters;
    small.depth = 7;
    add_tree(small, 20);
  }

  int run() {
    while (!told_to_end()) {
      one_round(kinds_[random_() % kinds_.size()]);
    }
    const std::size_t bad = deliveries_.wrong();
    say(bad == 0 ? "deliveries are exact, " + std::to_string(deliveries_.jobs()) + " jobs"
                 : "deliveries are WRONG: " + std::to_string(bad) + " of " +
                       std::to_string(deliveries_.jobs()) + " jobs were not delivered once");
    say_statistics();
    return wrong_ == 0 && bad == 0 ? 0 : 1;
  }

 private:
  struct KnownTree {
    uts::Parameters parameters;
    uts::Counts counts;
  };

  void add_tree(uts::Parameters parameters, std::uint32_t granularity) {
    parameters.sha1 = uts::fastest();
    const uts::Published* published = uts::published(parameters);
    const uts::Counts counts = published ? published->counts : uts::search_all(parameters);
    parameters.granularity = granularity;
    trees_.push_back({parameters, counts});
  }

  // Whole lines by one write each: what the node reports may go to the same pipe.
  static void say(std::string line) {
    line += '\n';
    std::cout << line << std::flush;
  }

  static bool told_to_end() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0;
  }

  void one_round(const std::string& kind) {
    const std::size_t first = deliveries_.jobs();
    const auto begin = Clock::now();
    const std::string name = "round " + std::to_string(++rounds_) + ' ' + kind;
    try {
      if (kind == "uts") search();
      if (kind == "fib") nested();
      if (kind == "map") map();
      if (kind == "bulk") bulk();
      if (kind == "lie") lie();
      for (const auto& counted : counted_) counted.get();
      expect<std::size_t>(deliveries_.wrong(first), 0, "number of jobs not delivered once");
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
      say(name + " is exact, " + std::to_string(deliveries_.jobs() - first) + " jobs, " +
          std::to_string(took.count()) + " ms");
    } catch (const std::exception& error) {
      ++wrong_;
      say(name + " is WRONG: " + error.what());
    }
    counted_.clear();
  }

  template <class T>
  pp::Future<T> counted(pp::Future<T> job) {
    counted_.push_back(deliveries_.count(job));
    return job;
  }

  void search() {
    const KnownTree& tree = trees_[random_() % trees_.size()];
    const uts::Node root = uts::Tree(tree.parameters).root();
    uts::Counts counts = uts::count_root(root);
    counts += counted(rt_.submit<uts::search_piece>(tree.parameters, uts::Piece{root})).get();
    expect(counts.nodes, tree.counts.nodes, "number of nodes");
    expect(counts.leaves, tree.counts.leaves, "number of leaves");
    expect(counts.depth, tree.counts.depth, "depth");
  }

  void nested() {
    std::vector<std::pair<unsigned, pp::Future<std::uint64_t>>> jobs;
    for (int i = 0; i < 6; ++i) {
      const auto n = static_cast<unsigned>(12 + random_() % 7);
      jobs.emplace_back(n, counted(rt_.submit<fib>(n)));
    }
    for (const auto& [n, job] : jobs)
      expect(job.get(), known_fib(n), "fib(" + std::to_string(n) + ')');
  }

  void map() {
    const std::uint64_t seed = random_();
    const std::uint64_t size = 500 + random_() % 4000;
    const auto batch = rt_.map<element>(std::views::iota(std::uint64_t{0}, size), seed);
    std::vector<unsigned> seen(size);
    std::uint64_t sum = 0;
    for (auto&& [index, value] : batch.as_completed()) {
      expect(value, mix(seed ^ index), "element " + std::to_string(index));
      ++seen[index];
      sum += value;
    }
    std::uint64_t expected = 0;
    for (std::uint64_t i = 0; i < size; ++i) {
      expect(seen[i], 1u, "number of times that element " + std::to_string(i) + " came");
      expected += mix(seed ^ i);
    }
    expect(sum, expected, "sum");
  }

  // Arguments and results of 64 KiB to 1 MiB; every second one must travel.
  void bulk() {
    struct One {
      std::uint64_t with;
      Block expected;
      pp::Future<Block> job;
    };
    std::vector<One> jobs;
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t with = random_();
      Block block((std::size_t{64} << 10 << random_() % 5) / sizeof(std::uint64_t));
      for (std::size_t word = 0; word < block.size(); ++word) block[word] = mix(with + word);
      Block expected = mixed(block, with);
      const pp::JobOptions options{
          .where = i % 2 == 0 ? pp::Where::anywhere() : pp::Where::not_here(), .label = "bulk"};
      jobs.push_back({with, std::move(expected),
                      counted(rt_.submit<mix_block>(options, std::move(block), with))});
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].job.get() != jobs[i].expected)
        throw Wrong("block " + std::to_string(i) + " is another one than expected");
    }
  }

  // One delivery too many, seen only by the count.
  void lie() {
    const auto job = rt_.submit<fib>(2u);
    counted_.push_back(deliveries_.count(job));
    deliveries_.count_again(job).get();
  }

  void say_statistics() {
    const pp::Statistics statistics = rt_.stats();
    std::uint64_t here = 0;
    if (!statistics.nodes.empty()) here = statistics.nodes.front().jobs;
    std::ostringstream json;
    json << "statistics {\"rounds\":" << rounds_ << ",\"wrong\":" << wrong_
         << ",\"jobs\":" << deliveries_.jobs() << ",\"lent\":" << statistics.lent
         << ",\"lost\":" << statistics.lost << ",\"late\":" << statistics.late
         << ",\"refused\":" << statistics.refused_peers
         << ",\"met\":" << statistics.nodes.size() - 1 << ",\"here\":" << here
         << ",\"messages\":" << statistics.messages << ",\"words\":" << statistics.words
         << ",\"bytes\":" << statistics.bytes << '}';
    say(json.str());
  }

  pp::Runtime& rt_;
  const std::vector<std::string> kinds_;
  std::mt19937_64 random_;
  std::vector<KnownTree> trees_;
  Deliveries deliveries_;
  std::vector<pp::Future<void>> counted_;  // of this round
  std::size_t rounds_ = 0;
  std::size_t wrong_ = 0;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');) words.push_back(word);
  return words;
}

bool makes_sense(const std::vector<std::string>& kinds) {
  const auto known = [](const std::string& kind) {
    return kind == "uts" || kind == "fib" || kind == "map" || kind == "bulk" || kind == "lie";
  };
  return !kinds.empty() && std::ranges::all_of(kinds, known);
}

}  // namespace chaos

int main(int argc, char** argv) {
  return pp::run(argc, argv, [&](pp::Runtime& rt) {
    const std::vector<std::string> kinds = chaos::split(argc > 1 ? argv[1] : "");
    if (argc != 3 || !chaos::makes_sense(kinds)) {
      std::cerr << "chaos_app KINDS SEED: KINDS are uts, fib, map, bulk, separated by commas\n";
      return 2;
    }
    return chaos::Driver(rt, kinds, std::strtoull(argv[2], nullptr, 10)).run();
  });
}
