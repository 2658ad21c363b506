// Case: one question of the suite, who answers it, and what the answer should be.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "arguments.hpp"

namespace pp::bench {

// By which way nodes talk: a name, and the environment that makes them do so. A way that is added
// to pp is one more of these.
struct Lane {
  std::string name;
  std::vector<std::string> environment;  // NAME=value

  friend bool operator==(const Lane&, const Lane&) = default;
};
// "fabric", "control" and "shm", or NAME:VARIABLE=VALUE,... for any other. Throws pp::Error.
Lane parse_lane(const std::string& text);
// Those that are measured unless others are asked for.
std::vector<Lane> default_lanes();

// How many nodes, and how many workers each has.
struct Shape {
  unsigned nodes = 1;
  unsigned workers = 1;

  unsigned cores() const { return nodes * workers; }
  std::string text() const;  // "2 x 1"
  friend bool operator==(const Shape&, const Shape&) = default;
};
// "2x1". Throws pp::Error.
Shape parse_shape(const std::string& text);
// One core, then twice as many as long as there are as many, in one node and in nodes of one
// worker.
std::vector<Shape> shapes_for(unsigned cores);

// What was asked for, and what is here.
struct Settings {
  bool quick = false;  // the smallest sizes: does it work, not how fast is it
  unsigned cores = 1;
  std::vector<Lane> lanes;
  std::vector<Shape> shapes;
  std::filesystem::path self;      // pp-bench
  std::filesystem::path launcher;  // pp-launch
  std::filesystem::path peers;     // the folder with the programs of bench/peers
  std::string path;                // PATH
  std::filesystem::path python;    // empty: there is none
  bool dask = false;               // whether it has distributed

  // A file of bench/peers that was built; nothing: its package was not there.
  std::optional<std::filesystem::path> peer(const std::string& name) const;
  // A program in PATH.
  std::optional<std::filesystem::path> program(const std::string& name) const;
};

// One process to start, or, with nodes, one launch of pp-launch.
struct Run {
  std::vector<std::string> words;        // the program and its arguments
  std::vector<std::string> environment;  // NAME=value
  std::optional<Shape> shape;            // absent: the program alone
};

// A peer that is not there: what has to be installed to have it.
struct Absent {
  std::string needs;
};

// Who answers: pp itself or a yardstick. A run measures one or several rows; runs of different
// contenders alternate.
struct Contender {
  std::string who;
  std::function<std::variant<std::vector<Run>, Absent>(const Settings&)> runs;
};

// What pp should reach: a value, or a multiple of somebody's. At most that where less is better,
// else at least.
struct Reach {
  std::string rows;     // a regular expression that finds their names; empty: all
  std::string against;  // a contender; empty: an absolute value
  double bound = 1;
};

// A function of this program that measures, in a process of its own. Its name comes behind
// "pp-bench run". It prints samples (sample.hpp) and returns the exit code.
struct Body {
  std::string name;
  std::function<int(const Arguments&)> measure;
};

// How a chart of a case shows its rows.
struct Chart {
  std::string x;  // what the axis says; empty: no chart
  bool logarithmic_x = false;
  bool logarithmic_y = false;
};

struct Case {
  std::string name;
  std::string what;
  std::vector<Contender> contenders;  // pp first: "pp"
  std::vector<Reach> reach;
  std::vector<Body> bodies;
  Chart chart{};
};

inline const std::string kOurs = "pp";

// "pp-bench run BODY key=value...", alone or as a cluster of that shape over that lane.
Run own_run(const Settings& settings, const std::string& body,
            const std::vector<std::string>& arguments = {});
Run cluster_run(const Settings& settings, const std::string& body, Shape shape, const Lane& lane,
                const std::vector<std::string>& arguments = {});

}  // namespace pp::bench
