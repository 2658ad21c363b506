// Lanes: a yardstick that knows no lanes stands beside pp over each of them.
#pragma once

#include <string>
#include <vector>

#include "arguments.hpp"
#include "case.hpp"

namespace pp::bench {

// "lanes=fabric,control", for a body that is not measured over lanes.
inline std::string lanes_argument(const Settings& settings) {
  std::string all;
  for (const Lane& lane : settings.lanes) all += (all.empty() ? "" : ",") + lane.name;
  return "lanes=" + all;
}

inline std::vector<std::string> lanes_of(const Arguments& arguments) {
  std::vector<std::string> names(1);
  for (const char c : arguments.text("lanes", arguments.text("lane", ""))) {
    if (c == ',') {
      names.emplace_back();
    } else {
      names.back() += c;
    }
  }
  return names;
}

// A yardstick in a process of its own.
inline Contender beside_lanes(std::string who, const std::string& body,
                              std::vector<std::string> arguments = {}) {
  return {std::move(who), [body, arguments = std::move(arguments)](const Settings& settings) {
            std::vector<std::string> all = arguments;
            all.push_back(lanes_argument(settings));
            return std::vector<Run>{own_run(settings, body, all)};
          }};
}

}  // namespace pp::bench
