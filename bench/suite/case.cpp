// Lanes, shapes, and the command lines of runs.
#include "case.hpp"

#include <algorithm>
#include <charconv>
#include <pp/error.hpp>
#include <utility>

#include "child.hpp"

namespace pp::bench {

Lane parse_lane(const std::string& text) {
  if (text == "fabric") return {text, {"PP_SHM=off", "PP_FABRIC=tcp;ofi_rxm"}};
  if (text == "control") return {text, {"PP_SHM=off", "PP_FABRIC=off"}};
  if (text == "shm") return {text, {"PP_SHM=on"}};
  const std::size_t colon = text.find(':');
  Lane lane{text.substr(0, colon), {}};
  for (std::size_t begin = colon; begin != std::string::npos && begin < text.size();) {
    const std::size_t end = text.find(',', begin + 1);
    lane.environment.push_back(text.substr(begin + 1, end - begin - 1));
    begin = end;
  }
  const bool sound =
      !lane.environment.empty() &&
      std::ranges::all_of(lane.environment, [](const std::string& variable) {
        return variable.rfind("PP_", 0) == 0 && variable.find('=') != std::string::npos;
      });
  if (lane.name.empty() || !sound)
    throw Error("\"" + text +
                "\" is no lane, expected fabric, control, shm, or NAME:PP_VARIABLE=VALUE,...");
  return lane;
}

std::vector<Lane> default_lanes() {
  return {parse_lane("shm"), parse_lane("fabric"), parse_lane("control")};
}

std::string Shape::text() const { return std::to_string(nodes) + " x " + std::to_string(workers); }

Shape parse_shape(const std::string& text) {
  Shape shape{0, 0};
  const char* const end = text.data() + text.size();
  const auto nodes = std::from_chars(text.data(), end, shape.nodes);
  if (nodes.ec == std::errc() && nodes.ptr != end && *nodes.ptr == 'x') {
    const auto workers = std::from_chars(nodes.ptr + 1, end, shape.workers);
    const bool sound = workers.ec == std::errc() && workers.ptr == end;
    if (sound && shape.nodes > 0 && shape.nodes <= 4096 && shape.workers > 0 &&
        shape.workers <= 1024)
      return shape;
  }
  throw Error("\"" + text + "\" is no shape, expected NODESxWORKERS, such as 2x1");
}

std::vector<Shape> shapes_for(unsigned cores) {
  std::vector<Shape> shapes{{1, 1}};
  for (unsigned count = 2; count <= cores; count *= 2) {
    shapes.push_back({1, count});
    shapes.push_back({count, 1});
  }
  return shapes;
}

std::optional<std::filesystem::path> Settings::peer(const std::string& name) const {
  std::error_code ignored;
  const std::filesystem::path file = peers / name;
  return std::filesystem::exists(file, ignored) ? std::optional(file) : std::nullopt;
}

std::optional<std::filesystem::path> Settings::program(const std::string& name) const {
  const auto found = tools::find_program(name, path);
  const std::string* const file = std::get_if<std::string>(&found);
  return file ? std::optional<std::filesystem::path>(*file) : std::nullopt;
}

Run own_run(const Settings& settings, const std::string& body,
            const std::vector<std::string>& arguments) {
  Run run{{settings.self.string(), "run", body}, {}, std::nullopt};
  run.words.insert(run.words.end(), arguments.begin(), arguments.end());
  if (settings.quick) run.words.push_back("quick=1");
  return run;
}

Run cluster_run(const Settings& settings, const std::string& body, Shape shape, const Lane& lane,
                const std::vector<std::string>& arguments) {
  Run run = own_run(settings, body, arguments);
  run.words.push_back("lane=" + lane.name);
  run.environment = lane.environment;
  run.shape = shape;
  return run;
}

}  // namespace pp::bench
