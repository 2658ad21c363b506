// pp_chaos: kills, stops, cuts off and restarts the nodes of a cluster that works, and says whether
// every result was exact. CLI11 stays in this file.
#include <CLI/CLI.hpp>
#include <iostream>
#include <random>
#include <sstream>

#include "chaos.hpp"
#include "hosts.hpp"

namespace {

using namespace pp::test;

constexpr int kMistake = 2;
constexpr int kNotHere = 77;  // as test drivers have it: skipped

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');) words.push_back(word);
  return words;
}

std::string is_kinds(const std::string& text) {
  for (const std::string& word : words_of(text))
    if (!fault_kind(word)) return "\"" + word + "\" is none of kill, stop, cut, restart, term";
  return text.empty() ? "kinds of faults are missing" : "";
}

std::string is_work(const std::string& text) {
  for (const std::string& word : words_of(text))
    if (word != "uts" && word != "fib" && word != "map" && word != "bulk" && word != "lie" &&
        word != "all")
      return "\"" + word + "\" is none of uts, fib, map, bulk, all";
  return text.empty() ? "kinds of work are missing" : "";
}

}  // namespace

int main(int argc, char** argv) {
  ChaosSettings settings;
  settings.program = CHAOS_APP_PROGRAM;
  settings.keygen = PP_KEYGEN_PROGRAM;
  settings.seed = std::random_device{}();
  std::string mode = "processes";
  std::string kinds = "kill,stop,cut,restart,term";
  std::string work = "all";
  std::int64_t limit = 0;
  std::int64_t round_limit = settings.round_limit.count();

  CLI::App app(
      "Runs a cluster at work whose results are known, does to its nodes what happens to nodes, "
      "and "
      "checks that every result is exact and delivered once. Exit code 0: so it was. 1: it was "
      "not, or something hung. 2: a mistake on the command line. 77: there are no hosts here.");
  app.add_option("--mode", mode,
                 "processes: on loopback; hosts: network namespaces on a bridge, for root only")
      ->check(CLI::IsMember({"processes", "hosts"}))
      ->capture_default_str();
  app.add_option("--nodes", settings.nodes, "the driver included, at most at a time")
      ->check(CLI::Range(2, 200))
      ->capture_default_str();
  app.add_option("--workers", settings.workers, "jobs at a time, of each node")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--faults", settings.faults)->check(CLI::Range(0, 1000000))->capture_default_str();
  app.add_option("--rate", settings.rate, "faults a second, on average")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  app.add_option("--kinds", kinds,
                 "what happens: kill (-9), stop (SIGSTOP for a while), cut (the cable, in hosts "
                 "only), restart (a new process), term (SIGTERM)")
      ->check(is_kinds)
      ->capture_default_str();
  app.add_option("--work", work,
                 "uts, fib, map, bulk, several of them, or all; lie is wrong on purpose")
      ->check(is_work)
      ->capture_default_str();
  app.add_option("--seed", settings.seed, "draws the same faults again; else one by chance");
  app.add_option(
         "--fabric", settings.fabric,
         "shm: shared memory; off: sealed frames on the control connection; else what PP_FABRIC "
         "takes; auto: what a user gets")
      ->capture_default_str();
  app.add_option("--retries", settings.retries, "PP_RETRIES of all nodes")->capture_default_str();
  app.add_flag("--launch", settings.launch,
               "the nodes are those of one launch: workers leave when the driver does");
  app.add_option("--limit", limit, "seconds for all of it; 0: several times what the faults take")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--round-limit", round_limit, "seconds without the end of a round: a hang")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--timeline", settings.timeline,
                 "a file for every fault and every line that a node prints (with PP_LOG=info), and "
                 "for stacks where something hangs, if there is gdb");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kMistake;
  }
  settings.on_hosts = mode == "hosts";
  settings.limit = std::chrono::seconds(limit);
  settings.round_limit = std::chrono::seconds(round_limit);
  if (work.find("all") == std::string::npos) settings.work = work;
  settings.kinds.clear();
  for (const std::string& word : words_of(kinds)) settings.kinds.insert(*fault_kind(word));
  if (!settings.on_hosts && settings.kinds.erase(FaultKind::kCut) > 0) {
    if (settings.kinds.empty()) {
      std::cerr << "pp_chaos: processes on loopback have no cable to cut: --mode hosts\n";
      return kMistake;
    }
  }
  if (settings.on_hosts) {
    if (const std::string why = Hosts::why_not(); !why.empty()) {
      std::cerr << "pp_chaos: " << why << '\n';
      return kNotHere;
    }
  }

  std::cout << "seed: " << settings.seed << std::endl;
  try {
    const ChaosReport report = cause_chaos(settings);
    print(std::cout, report);
    return report.exact() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "pp_chaos: " << error.what() << '\n';
    return 1;
  }
}
