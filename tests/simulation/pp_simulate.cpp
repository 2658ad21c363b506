// pp_simulate: runs histories of simulated clusters by their seeds, and prints those that break a
// promise.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <pp/error.hpp>
#include <string>
#include <thread>
#include <vector>

#include "simulate.hpp"

namespace pp::simulation {
namespace {

constexpr const char* kHelp =
    "pp_simulate [options]: whole clusters in virtual time; one seed, one history.\n"
    "  --seed N          this one history; prints the end of it if it breaks a promise\n"
    "  --trace           with --seed: prints all of it\n"
    "  --seeds A..B      all of these, and a summary (default 1..1000)\n"
    "  --jobs N          so many threads (default 1)\n"
    "  --faults a,b,...  only these: crash, stop, break, cut, partition, slow, jump, drain, end,\n"
    "                    workers, join, poison; none: nothing happens (default: the seed draws)\n"
    "  --scene S         any, poison, long, results, launch, crowd, blobs (world.hpp; default "
    "any)\n"
    "  --nodes N         so many (default: the seed draws)\n"
    "  --promise P       holds the code to more than it keeps today: leavers, ends, links, or all\n"
    "  --break N         rule N of runtime/rules.hpp does not hold\n"
    "  --keep-going      does not stop at the first history that fails\n";

struct Arguments {
  std::uint64_t first = 1, last = 1000;
  bool trace = false, single = false, keep_going = false;
  unsigned jobs = 1;
  Plan plan;
  std::string given;  // the options that a replay needs too
};

[[noreturn]] void refuse(const std::string& why) {
  std::cerr << "pp_simulate: " << why << "\n" << kHelp;
  std::exit(2);
}

std::uint64_t number(const std::string& option, const std::string& text) {
  std::size_t used = 0;
  std::uint64_t value = 0;
  try {
    value = std::stoull(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size()) refuse(option + " wants a number, not '" + text + "'");
  return value;
}

FaultSet faults_in(const std::string& text) {
  FaultSet faults;
  for (std::size_t from = 0; text != "none" && from < text.size();) {
    const std::size_t to = std::min(text.find(',', from), text.size());
    try {
      faults.add(fault_named(text.substr(from, to - from)));
    } catch (const Error& error) {
      refuse(error.what());
    }
    from = to + 1;
  }
  return faults;
}

Arguments read(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&]() -> std::string {
      if (++i >= argc) refuse(option + " wants a value");
      return argv[i];
    };
    if (option == "--help") {
      std::cout << kHelp;
      std::exit(0);
    } else if (option == "--seed") {
      arguments.first = arguments.last = number(option, value());
      arguments.single = true;
    } else if (option == "--seeds") {
      const std::string range = value();
      const std::size_t dots = range.find("..");
      if (dots == std::string::npos) refuse("--seeds wants A..B, not '" + range + "'");
      arguments.first = number(option, range.substr(0, dots));
      arguments.last = number(option, range.substr(dots + 2));
    } else if (option == "--trace") {
      arguments.trace = true;
    } else if (option == "--keep-going") {
      arguments.keep_going = true;
    } else if (option == "--jobs") {
      arguments.jobs = static_cast<unsigned>(number(option, value()));
    } else if (option == "--faults") {
      const std::string text = value();
      arguments.plan.faults = faults_in(text);
      arguments.given += " --faults " + text;
    } else if (option == "--promise") {
      const std::string what = value();
      Promises& promises = arguments.plan.promises;
      if (what != "leavers" && what != "ends" && what != "links" && what != "all")
        refuse("there is no promise '" + what + "'");
      promises.leavers_serve |= what == "leavers" || what == "all";
      promises.ends_give_back |= what == "ends" || what == "all";
      promises.links_survive |= what == "links" || what == "all";
      arguments.given += " --promise " + what;
    } else if (option == "--break") {
      const std::string text = value();
      const std::uint64_t rule = number(option, text);
      if (rule >= runtime::kRules) refuse("there is no rule " + text);
      arguments.plan.broken = static_cast<runtime::Rule>(rule);
      arguments.given += " --break " + text;
    } else if (option == "--scene") {
      const std::string text = value();
      try {
        arguments.plan.scene = scene_named(text);
      } catch (const Error& error) {
        refuse(error.what());
      }
      arguments.given += " --scene " + text;
    } else if (option == "--nodes") {
      const std::string text = value();
      arguments.plan.nodes = number(option, text);
      arguments.given += " --nodes " + text;
    } else {
      refuse("there is no option '" + option + "'");
    }
  }
  return arguments;
}

thread_local std::uint64_t current_seed = 0;

// An assertion has no seed to print.
void on_abort(int) {
  char text[96];
  const int length = std::snprintf(text, sizeof text, "pp_simulate: in seed %llu\n",
                                   static_cast<unsigned long long>(current_seed));
  [[maybe_unused]] const ssize_t written = write(2, text, static_cast<std::size_t>(length));
  std::signal(SIGABRT, SIG_DFL);
}

void report(const Arguments& arguments, std::uint64_t seed, const Outcomes& outcomes) {
  std::cout << "seed " << seed << " FAILED: " << outcomes.failure
            << "\n  replay: pp_simulate --seed " << seed << arguments.given << " --trace"
            << std::endl;
}

int one(const Arguments& arguments) {
  Plan plan = arguments.plan;
  plan.seed = current_seed = arguments.first;
  plan.most_lines = arguments.trace ? 10'000'000 : 150;
  const Outcomes outcomes = simulate(plan);
  if (arguments.trace || !outcomes.failure.empty())
    for (const std::string& line : outcomes.lines) std::cout << line << '\n';
  std::cout << "seed " << plan.seed << ", history " << std::hex << outcomes.hash << std::dec << ", "
            << outcomes.nodes << " nodes, " << outcomes.jobs << " jobs, " << outcomes.executions
            << " executions, " << outcomes.messages << " messages, " << outcomes.steps << " steps, "
            << outcomes.virtual_time.count() / 1'000'000 << " ms\n";
  if (outcomes.failure.empty()) return 0;
  report(arguments, plan.seed, outcomes);
  return 1;
}

int many(const Arguments& arguments) {
  std::atomic<std::uint64_t> next{arguments.first};
  std::atomic<std::uint64_t> failed{0};
  std::mutex mutex;
  Outcomes sum;
  std::uint64_t histories = 0, busiest = 0, most_steps = 0;
  const auto begun = std::chrono::steady_clock::now();
  const auto work = [&] {
    for (;;) {
      const std::uint64_t seed = next.fetch_add(1);
      if (seed > arguments.last || (failed > 0 && !arguments.keep_going)) return;
      Plan plan = arguments.plan;
      plan.seed = current_seed = seed;
      const Outcomes one = simulate(plan);
      const std::lock_guard lock(mutex);
      ++histories;
      sum.virtual_time += one.virtual_time;
      for (std::size_t i = 0; i < kFaults; ++i) sum.faults[i] += one.faults[i];
      sum.nodes += one.nodes;
      sum.steps += one.steps;
      if (one.steps > most_steps) {
        most_steps = one.steps;
        busiest = seed;
      }
      sum.messages += one.messages;
      sum.words += one.words;
      sum.sessions += one.sessions;
      sum.jobs += one.jobs;
      sum.executions += one.executions;
      sum.again += one.again;
      sum.roots += one.roots;
      sum.values += one.values;
      sum.failures += one.failures;
      sum.hash ^= mixed(one.hash ^ seed);
      sum.largest_backlog = std::max(sum.largest_backlog, one.largest_backlog);
      sum.largest_kept = std::max(sum.largest_kept, one.largest_kept);
      sum.most_deaths = std::max(sum.most_deaths, one.most_deaths);
      sum.most_shared = std::max(sum.most_shared, one.most_shared);
      if (!one.failure.empty()) {
        ++failed;
        report(arguments, seed, one);
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < arguments.jobs; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::printf("%llu histories in %.1f s, %.0f s of virtual time, together %016llx\n",
              static_cast<unsigned long long>(histories), took.count(),
              std::chrono::duration<double>(sum.virtual_time).count(),
              static_cast<unsigned long long>(sum.hash));
  std::printf("busiest: seed %llu with %llu steps\n", static_cast<unsigned long long>(busiest),
              static_cast<unsigned long long>(most_steps));
  std::printf("faults:");
  for (std::size_t i = 0; i < kFaults; ++i)
    std::printf(" %s %llu", std::string(to_string(static_cast<Fault>(i))).c_str(),
                static_cast<unsigned long long>(sum.faults[i]));
  std::printf(
      "\nnodes %llu, sessions %llu, messages %llu, words %llu, courier's steps %llu, largest "
      "backlog %llu bytes\n"
      "jobs %llu (%llu roots), executions %llu, of these %llu of later attempts; outcomes: %llu "
      "values, %llu failures\n"
      "at most %llu bytes of results kept, and %llu nodes killed by one job; who ended with a "
      "value "
      "bore up to %llu %% of the shared blame at which jobs fail\n"
      "%llu histories FAILED\n",
      static_cast<unsigned long long>(sum.nodes), static_cast<unsigned long long>(sum.sessions),
      static_cast<unsigned long long>(sum.messages), static_cast<unsigned long long>(sum.words),
      static_cast<unsigned long long>(sum.steps),
      static_cast<unsigned long long>(sum.largest_backlog),
      static_cast<unsigned long long>(sum.jobs), static_cast<unsigned long long>(sum.roots),
      static_cast<unsigned long long>(sum.executions), static_cast<unsigned long long>(sum.again),
      static_cast<unsigned long long>(sum.values), static_cast<unsigned long long>(sum.failures),
      static_cast<unsigned long long>(sum.largest_kept),
      static_cast<unsigned long long>(sum.most_deaths),
      static_cast<unsigned long long>(sum.most_shared),
      static_cast<unsigned long long>(failed.load()));
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace pp::simulation

int main(int argc, char** argv) {
  using namespace pp::simulation;
  const Arguments arguments = read(argc, argv);
  std::signal(SIGABRT, on_abort);
  return arguments.single ? one(arguments) : many(arguments);
}
