// pp-bench: the command line of the benchmark suite.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <pp/error.hpp>
#include <pp/usable_cores.hpp>
#include <regex>
#include <string>
#include <vector>

#include "compare.hpp"
#include "plots.hpp"
#include "provenance.hpp"
#include "registry.hpp"
#include "runner.hpp"
#include "table.hpp"

namespace pp::bench {
namespace {

constexpr int kFailed = 1;  // exit code: something could not be measured
constexpr int kUsage = 2;   // exit code: the command line makes no sense

constexpr char kExamples[] = R"(Examples:
  pp-bench --list                           the cases, and who is asked
  pp-bench                                  all of them; the table goes to the standard output
  pp-bench --only 'fork|latency' --repeat 9 some of them, more often
  pp-bench --only grain --without 'dask|Python'  without these peers
  pp-bench --json now.json --plots plots    and a file to keep, and charts as SVG
  pp-bench compare before.json now.json     what has changed by more than repetition explains
  pp-bench --quick                          does everything work? No figures for anybody
  pp-bench --only uts --shape 1x1 --shape 2x1 --shape 4x1
  pp-bench --only rate --lane fabric --lane 'other:PP_FABRIC=net,PP_DEAD=5000'

Every measurement is a process of its own, or a launch of pp-launch, and alternates with its
yardsticks. Figures are medians with quartiles; "pp / it" is the median of the ratios within a
repetition. Peers that are not installed are skipped by name, with what to install. Run it on a
machine that does nothing else.

Exit code: 0; 1 something could not be measured; 2 the command line makes no sense.)";

struct Wish {
  bool list = false, quick = false;
  std::string only, without;
  unsigned repeat = 0;
  long long limit = 300;  // seconds
  std::string json, plots;
  std::vector<std::string> lanes, shapes;
};

class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: pp-bench [OPTIONS]\n       pp-bench compare BEFORE.json AFTER.json\n";
  }
};

int complain(const std::string& sentence, int code) {
  std::cerr << "pp-bench: " << sentence << '\n';
  return code;
}

std::filesystem::path first_that_exists(const std::vector<std::filesystem::path>& places) {
  for (const auto& place : places) {
    if (std::filesystem::exists(place)) return place;
  }
  return {};
}

Settings settings_for(const Wish& wish) {
  Settings settings;
  settings.quick = wish.quick;
  settings.cores = usable_cores();
  settings.self = std::filesystem::read_symlink("/proc/self/exe");
  const auto folder = settings.self.parent_path();
  // Beside us when installed, in the next room when built.
  settings.launcher = first_that_exists({folder / "pp-launch", folder / "../tools/pp-launch"});
  if (settings.launcher.empty())
    throw Error("pp-launch is not beside pp-bench (" + folder.string() + "), expected it there");
  settings.peers = folder / "peers";
  const char* const path = std::getenv("PATH");
  settings.path = path != nullptr ? path : "/usr/bin:/bin";
  // The system's Python has Debian's packages; another one in PATH may not have them.
  settings.python = first_that_exists({"/usr/bin/python3"});
  if (settings.python.empty()) settings.python = settings.program("python3").value_or("");
  settings.dask =
      !settings.python.empty() && run_process({settings.python, "-c",
                                               "import importlib.util as u, sys; "
                                               "sys.exit(u.find_spec('distributed') is None)"},
                                              {}, std::chrono::seconds(60))
                                      .good;
  for (const std::string& text : wish.lanes) settings.lanes.push_back(parse_lane(text));
  if (settings.lanes.empty()) settings.lanes = default_lanes();
  for (const std::string& text : wish.shapes) settings.shapes.push_back(parse_shape(text));
  if (settings.shapes.empty()) settings.shapes = shapes_for(settings.cores);
  return settings;
}

std::regex pattern_of(const std::string& option, const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error&) {
    throw Error(option + " " + text + ": expected a regular expression");
  }
}

// pp itself is always measured.
void leave_out(const std::string& without, std::vector<Case>& cases) {
  const std::regex pattern = pattern_of("--without", without);
  for (Case& each : cases)
    std::erase_if(each.contenders, [&pattern](const Contender& contender) {
      return contender.who != "pp" && std::regex_search(contender.who, pattern);
    });
}

std::vector<Case> chosen(const std::string& only) {
  std::vector<Case> cases = all_cases();
  if (only.empty()) return cases;
  const std::regex pattern = pattern_of("--only", only);
  std::string names;
  for (const Case& each : cases) names += " " + each.name;
  std::erase_if(cases,
                [&pattern](const Case& each) { return !std::regex_search(each.name, pattern); });
  if (cases.empty()) throw Error("--only " + only + " finds no case, expected some of:" + names);
  return cases;
}

int list(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    std::string who;
    for (const Contender& contender : each.contenders)
      who += (who.empty() ? "" : ", ") + contender.who;
    std::cout << each.name << ": " << each.what << "\n    " << who << '\n';
  }
  return 0;
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  if (!out.flush()) throw Error(file.string() + ": cannot be written");
}

int measure(const Wish& wish) {
  std::vector<Case> cases = chosen(wish.only);
  if (!wish.without.empty()) leave_out(wish.without, cases);
  if (wish.list) return list(cases);
  const Settings settings = settings_for(wish);
  if (!wish.plots.empty()) std::filesystem::create_directories(wish.plots);
  if (!wish.json.empty()) write(wish.json, "");  // better now than in the end

  Results results{provenance(),
                  wish.repeat > 0 ? wish.repeat
                  : wish.quick    ? 2u
                                  : 5u,
                  wish.quick,
                  {}};
  std::cout << heading(results) << std::flush;
  const bool watched = ::isatty(STDERR_FILENO) != 0;
  const Start start = [&](const Run& run) {
    return run_process(command_line(run, settings), run.environment,
                       std::chrono::seconds(wish.limit));
  };
  const Watch watch = [watched](const std::string& sentence) {
    if (watched) std::fprintf(stderr, "\r\033[K%s", sentence.c_str());
  };
  for (const Case& each : cases) {
    results.cases.push_back(run_case(each, settings, results.repetitions, start, watch));
    if (watched) std::fprintf(stderr, "\r\033[K");
    std::cout << table(results.cases.back()) << std::flush;
    // After each case, so that an interrupted run keeps what it has.
    if (!wish.json.empty()) write(wish.json, to_json(results));
  }
  std::cout << closing(results) << std::flush;
  if (!wish.plots.empty()) write_plots(results, wish.plots);
  return results.any_failed() ? kFailed : 0;
}

int run_body(const std::vector<std::string>& words) {
  const std::vector<Case> cases = all_cases();
  const Body* const body = words.empty() ? nullptr : find_body(cases, words.front());
  if (body == nullptr) {
    std::string names;
    for (const Case& each : cases) {
      for (const Body& one : each.bodies) names += " " + one.name;
    }
    throw Error("no measurement is called \"" + (words.empty() ? "" : words.front()) +
                "\", expected one of:" + names);
  }
  return body->measure(Arguments({words.begin() + 1, words.end()}));
}

int run(int argc, char** argv) {
  // For pp-bench itself; in front of all else, since workers of a launch come this way too.
  if (argc > 1 && std::string(argv[1]) == "run") return run_body({argv + 2, argv + argc});

  Wish wish;
  std::string before, after;
  CLI::App app("Measures pp beside yardsticks of the same run.", "pp-bench");
  app.formatter(std::make_shared<Help>());
  app.footer(kExamples);
  app.set_version_flag("--version", "pp-bench " PP_VERSION);
  app.add_flag("--list", wish.list, "Name the cases and measure nothing");
  app.add_option("--only", wish.only, "Cases whose name this regular expression finds");
  app.add_option("--without", wish.without, "Leave out peers whose name this one finds");
  app.add_flag("--quick", wish.quick, "The smallest sizes: does it work, not how fast is it");
  app.add_option("--repeat", wish.repeat, "Repetitions (default 5, with --quick 2)")
      ->check(CLI::Range(1u, 1000u));
  app.add_option("--json", wish.json, "Write all readings to this file");
  app.add_option("--plots", wish.plots, "Write charts as SVG files into this folder");
  app.add_option("--lane", wish.lanes,
                 "A way between nodes: fabric, control, shm, or NAME:PP_VARIABLE=VALUE,... "
                 "(may be repeated; default: all three)");
  app.add_option("--shape", wish.shapes,
                 "NODESxWORKERS for what is measured over cores (may be repeated; default: up to "
                 "all cores, in one node and in nodes of one worker)");
  app.add_option("--limit", wish.limit, "Seconds that one process or launch may take")
      ->capture_default_str()
      ->check(CLI::Range(1ll, 86'400ll));
  CLI::App* const comparison =
      app.add_subcommand("compare", "Two files of --json: what has changed");
  comparison->add_option("before", before)->required();
  comparison->add_option("after", after)->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return complain(std::string(error.what()) + " (pp-bench --help tells more)", kUsage);
  }
  if (comparison->parsed()) {
    std::cout << compare(results_from_file(before), results_from_file(after));
    return 0;
  }
  return measure(wish);
}

}  // namespace
}  // namespace pp::bench

int main(int argc, char** argv) {
  try {
    return pp::bench::run(argc, argv);
  } catch (const std::exception& error) {
    return pp::bench::complain(error.what(), pp::bench::kUsage);
  }
}
