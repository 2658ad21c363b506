// The command line of uts: UTS's own options, and the published trees by name. CLI11 stays in this
// file.
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <vector>

namespace uts {
namespace {

constexpr int kMistake = 2;

std::vector<std::string> tree_names() {
  std::vector<std::string> names;
  for (const Published& tree : published_trees()) names.emplace_back(tree.name);
  return names;
}

// The command line as it was typed, before it is known to make sense.
struct Typed {
  std::string tree;
  int kind = static_cast<int>(Kind::kGeometric);
  int shape = static_cast<int>(Shape::kLinear);
  bool portable = false;
  Options options;
};

void declare(CLI::App& app, Typed& typed) {
  Parameters& p = typed.options.parameters;
  app.get_formatter()->column_width(14);
  app.get_formatter()->label("Excludes", "not with");
  app.get_formatter()->label("UINT", "N");
  app.get_formatter()->label("FLOAT", "X");
  CLI::Option* tree = app.add_option("--tree", typed.tree, "a published tree instead of -t ... -f")
                          ->check(CLI::IsMember(tree_names()))
                          ->type_name("");
  const std::vector<CLI::Option*> makes_tree{
      app.add_option("-t", typed.kind, "kind: 0 binomial, 1 geometric, 2 hybrid")
          ->check(CLI::Range(0, 2))
          ->type_name("K"),
      app.add_option("-a", typed.shape, "shape: 0 linear, 1 exponential, 2 cyclic, 3 fixed")
          ->check(CLI::Range(0, 3))
          ->type_name("A"),
      app.add_option("-d", p.depth, "depth at which a geometric tree ends (gen_mx)"),
      app.add_option("-b", p.b0, "children of a binomial root; mean number in a geometric tree"),
      app.add_option("-r", p.seed, "seed of the root"),
      app.add_option("-q", p.q, "probability that a binomial node has children"),
      app.add_option("-m", p.m, "how many it has then"),
      app.add_option("-f", p.shift, "part of the depth at which a hybrid tree turns binomial"),
  };
  for (CLI::Option* option : makes_tree) option->capture_default_str()->excludes(tree);
  app.add_option("-g", p.granularity, "how often each hash is computed (cost only)")
      ->capture_default_str();
  app.add_flag("--sequential", typed.options.sequential, "one thread, no jobs: the baseline");
  app.add_flag("--portable", typed.portable, "do not use the processor's SHA instructions");
  app.add_flag("--stats", typed.options.stats, "print which node has run how many jobs");
}

Options understood(const Typed& typed) {
  Options options = typed.options;
  Parameters& p = options.parameters;
  if (const Published* tree = published(typed.tree)) {
    const std::uint32_t granularity = p.granularity;
    p = tree->parameters;
    p.granularity = granularity;
  } else {
    p.kind = static_cast<Kind>(typed.kind);
    p.shape = static_cast<Shape>(typed.shape);
  }
  p.sha1 = typed.portable ? Sha1::kPortable : fastest();
  return options;
}

}  // namespace

Asked read_command_line(int argc, char** argv) {
  CLI::App app{"Searches an unbalanced tree (UTS) and counts its nodes, on every core that joins."};
  Typed typed;
  declare(app, typed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error, std::cout, std::cerr) == 0 ? 0 : kMistake};
  }
  const Options options = understood(typed);
  if (const std::string complaint = options.parameters.complaint(); !complaint.empty()) {
    std::cerr << "uts: " << complaint << '\n';
    return {std::nullopt, kMistake};
  }
  return {options, 0};
}

}  // namespace uts
