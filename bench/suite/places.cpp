// Shapes times lanes.
#include "places.hpp"

#include <algorithm>
#include <map>

namespace pp::bench {

std::string Place::text() const { return shape.text() + (lane.empty() ? "" : ", " + lane); }

std::string Place::word() const {
  return std::to_string(shape.nodes) + "x" + std::to_string(shape.workers) +
         (lane.empty() ? "" : "/" + lane);
}

std::vector<Place> places_of(const Settings& settings) {
  std::vector<Place> places;
  for (const Shape& shape : settings.shapes) {
    if (shape.nodes == 1) {
      places.push_back({shape, ""});
      continue;
    }
    for (const Lane& lane : settings.lanes) places.push_back({shape, lane.name});
  }
  return places;
}

std::vector<Place> parallel_places(const Settings& settings) {
  std::vector<Place> places = places_of(settings);
  std::erase_if(places, [](const Place& place) { return place.shape.cores() < 2; });
  return places;
}

std::vector<Place> places_of(const Arguments& arguments) {
  std::vector<Place> places;
  std::string text = arguments.text("places", arguments.text("place", "1x1")) + ";";
  for (std::size_t end = text.find(';'); end != std::string::npos; end = text.find(';')) {
    const std::string word = text.substr(0, end);
    const std::size_t slash = std::min(word.find('/'), word.size());
    places.push_back({parse_shape(word.substr(0, slash)),
                      slash < word.size() ? word.substr(slash + 1) : std::string()});
    text.erase(0, end + 1);
  }
  return places;
}

std::string places_argument(const std::vector<Place>& places) {
  std::string all;
  for (const Place& place : places) all += (all.empty() ? "" : ";") + place.word();
  return "places=" + all;
}

std::vector<Run> runs_at(const Settings& settings, const std::vector<Place>& places,
                         const std::string& body, const std::vector<std::string>& arguments) {
  std::vector<Run> runs;
  for (const Place& place : places) {
    std::vector<std::string> told = arguments;
    told.push_back("place=" + place.word());
    Run run = own_run(settings, body, told);
    run.shape = place.shape;
    const auto lane = std::ranges::find(settings.lanes, place.lane, &Lane::name);
    if (lane != settings.lanes.end()) run.environment = lane->environment;
    runs.push_back(std::move(run));
  }
  return runs;
}

std::vector<Place> one_node(std::vector<Place> places) {
  std::erase_if(places, [](const Place& place) { return place.shape.nodes > 1; });
  return places;
}

std::vector<Place> single_workers(std::vector<Place> places) {
  std::erase_if(
      places, [](const Place& place) { return place.shape.nodes < 2 || place.shape.workers > 1; });
  std::map<unsigned, std::vector<Place>> by_count;
  for (const Place& place : places) by_count[place.shape.nodes].push_back(place);
  places.clear();
  for (const auto& [count, same] : by_count) places.insert(places.end(), same.begin(), same.end());
  return places;
}

std::vector<std::vector<Place>> by_nodes(const std::vector<Place>& places) {
  std::vector<std::vector<Place>> groups;
  for (const Place& place : places) {
    if (groups.empty() || groups.back().front().shape.nodes != place.shape.nodes)
      groups.emplace_back();
    groups.back().push_back(place);
  }
  return groups;
}

}  // namespace pp::bench
