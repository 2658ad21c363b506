// How well work spreads over a simulated cluster of any size, and what that costs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "steal_cluster.hpp"

namespace pp::bench {
namespace {

constexpr char kHelp[] =
    R"(The unit of time is the round trip between two nodes. The same flags give the same figures.

Examples:
  steal_sim --nodes 1024 --round-trips 400
  steal_sim --nodes 128,1024 --load uneven --policy shipping,steal-one,chunk,hand-over

Loads:
  equal   a bag of jobs of one length (--job), submitted by --submitters nodes
  skewed  a bag whose lengths are Pareto-distributed over three decades; --job on average
  halves  divide and conquer: a job spawns two of half its work, down to --job
  uneven  the same, split at random places
Policies:
  shipping     what the runtime does: prefetch, half, weighted by workers, back through the owner
  no-prefetch  asks when it is idle, not before
  steal-one    one job at a time
  chunk        a hundred at a time
  hand-over    borrowed jobs go from thief to thief; their owner is only told
Columns: efficiency = work / (workers x time); the bound on it is explained in bench/README.md;
"first" = when the last node to begin a job begins its first.)";

struct Arguments {
  std::vector<std::uint32_t> nodes{128};
  std::vector<std::string> policies{"shipping"};
  double round_trips = 400;
  Setting setting;
};

const std::map<std::string, Policy> kPolicies{
    {"shipping", {}},
    {"no-prefetch", {.prefetch = false}},
    {"steal-one", {.amount = Policy::Amount::kOne}},
    {"chunk", {.amount = Policy::Amount::kChunk}},
    {"hand-over", {.hand_over = true}},
};
const std::map<std::string, Load::Kind> kLoads{{"equal", Load::Kind::kEqual},
                                               {"skewed", Load::Kind::kSkewed},
                                               {"halves", Load::Kind::kHalves},
                                               {"uneven", Load::Kind::kUneven}};

// No schedule is faster: the work is shared by all; a job travels there and its result home; an
// owner takes a first request of each other node and writes a grant for it, one after the other;
// and each job of a bag passes its owner's courier twice, the second time in a message of its own
// (jobs end at different times).
double least_time(const Setting& setting) {
  const double nodes = setting.nodes;
  const double share = setting.load.total / (nodes * setting.workers);
  const auto submitters = static_cast<double>(setting.load.submitters);
  if (setting.load.is_tree()) return share + 1;
  const Costs& costs = setting.costs;
  const double first_grants = nodes / submitters / 2 * (2 * costs.message + costs.job);
  const double passes =
      setting.load.total / setting.load.job / submitters * (2 * costs.job + costs.message);
  return std::max(share + 1 + first_grants, passes);
}

void print(const std::string& policy, const Setting& setting, const Outcome& outcome) {
  const double share = setting.load.total / (static_cast<double>(setting.nodes) * setting.workers);
  const auto per_job = [&](std::uint64_t count) {
    return static_cast<double>(count) / static_cast<double>(outcome.jobs);
  };
  std::printf(
      "| %5u | %-11s | %5.1f | %5.1f | %8llu | %6.3f | %6.3f | %6.3f | %6.3f | %6.3f | %6llu | "
      "%5.1f "
      "| %zu%s |\n",
      setting.nodes, policy.c_str(), 100 * share / outcome.time, 100 * share / least_time(setting),
      static_cast<unsigned long long>(outcome.jobs), per_job(outcome.messages),
      per_job(outcome.requests), per_job(outcome.redirects), per_job(outcome.lent),
      per_job(outcome.returned), static_cast<unsigned long long>(outcome.dials), outcome.last_first,
      outcome.never, outcome.stuck ? ", STUCK" : "");
  std::fflush(stdout);
}

void simulate(const Arguments& arguments) {
  std::printf(
      "| nodes | policy | efficiency %% | bound %% | jobs | messages per job | requests | "
      "redirects "
      "| lent | returned | dials | first | never |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const std::uint32_t nodes : arguments.nodes) {
    for (const std::string& policy : arguments.policies) {
      Setting setting = arguments.setting;
      setting.nodes = nodes;
      setting.policy = kPolicies.at(policy);
      setting.load.total = arguments.round_trips * nodes * setting.workers;
      print(policy, setting, SimCluster(setting).run());
    }
  }
}

}  // namespace
}  // namespace pp::bench

int main(int argc, char** argv) {
  pp::bench::Arguments arguments;
  pp::bench::Setting& setting = arguments.setting;
  std::string load = "equal";
  CLI::App app("Simulates how nodes steal work, with the runtime's own policy, in virtual time.",
               "steal_sim");
  app.footer(pp::bench::kHelp);
  app.add_option("--nodes", arguments.nodes, "So many; several: a row for each")
      ->delimiter(',')
      ->check(CLI::Range(2u, 20'000u))
      ->capture_default_str();
  app.add_option("--workers", setting.workers, "Of each node")
      ->check(CLI::Range(1u, 1024u))
      ->capture_default_str();
  app.add_option("--policy", arguments.policies, "One or several, see below")
      ->delimiter(',')
      ->check(CLI::IsMember(pp::bench::kPolicies))
      ->capture_default_str();
  app.add_option("--load", load, "One of those below")
      ->check(CLI::IsMember(pp::bench::kLoads))
      ->capture_default_str();
  app.add_option("--round-trips,--work", arguments.round_trips, "Of work, for each worker")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--job", setting.load.job, "Length of a job, in round trips")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--submitters", setting.load.submitters, "So many nodes share the submission")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--grant", setting.grant, "Jobs at most in one grant")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--message", setting.costs.message,
                 "Time of a courier to send a message, or to take one")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--per-job", setting.costs.job, "More of it for each job or result in a message")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--dial", setting.costs.dial, "Time to open a session")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", setting.seed, "Draws everything that is random")->capture_default_str();
  try {
    app.parse(argc, argv);
    for (const std::uint32_t nodes : arguments.nodes) {
      if (setting.load.submitters > nodes)
        throw CLI::ValidationError("--submitters", "there are more of them than --nodes");
    }
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "steal_sim: %s (steal_sim --help tells more)\n", error.what());
    return 2;
  }
  setting.load.kind = pp::bench::kLoads.at(load);
  pp::bench::simulate(arguments);
}
