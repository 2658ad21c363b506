// TopView: what goes where, at any size of the terminal.
#include "top_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace pp::tools {
namespace {

using Line = TopView::Line;
using Style = Line::Style;

constexpr std::size_t kWide = 120;  // from here on there is room for addresses

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// Columns, where each character of UTF-8 takes one.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string cut(const std::string& text, std::size_t width) {
  if (columns(text) <= width) return text;
  std::string out;
  std::size_t seen = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 && ++seen > width) break;
    out += c;
  }
  if (width > 1) {  // the last character makes room for a sign that something is missing
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
    if (!out.empty()) out.pop_back();
    out += '~';
  }
  return out;
}

std::string last_columns(const std::string& text, std::size_t count) {
  std::size_t at = text.size();
  while (at > 0 && count > 0) {
    --at;
    count -= (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80 ? 1u : 0u;
  }
  return text.substr(at);
}

// The end of a node's name tells it from others of its host: what is missing is in the middle.
std::string squeezed(const std::string& text, std::size_t width) {
  if (columns(text) <= width) return text;
  const std::size_t end = width / 3;
  return cut(text, width - end) + last_columns(text, end);
}

std::string left(const std::string& text, std::size_t width) {
  std::string out = cut(text, width);
  out.append(width - columns(out), ' ');
  return out;
}

std::string right(const std::string& text, std::size_t width) {
  const std::string out = cut(text, width);
  return std::string(width - columns(out), ' ') + out;
}

std::string clock_time(std::int64_t milliseconds) {
  const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  return text;
}

std::string bar(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(
      std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width)));
  return '[' + std::string(full, '#') + std::string(width - full, '.') + ']';
}

const char* name_of(TopView::Sort sort) {
  switch (sort) {
    case TopView::Sort::kBusy:
      return "busy";
    case TopView::Sort::kRate:
      return "jobs/s";
    case TopView::Sort::kDone:
      return "done";
    case TopView::Sort::kQueue:
      return "queue";
    case TopView::Sort::kMemory:
      return "memory";
    case TopView::Sort::kName:
      return "name";
  }
  return "";
}

// The first column: what the others leave of the width, but no more than the longest entry needs.
std::size_t first_column(std::size_t width, std::size_t others, std::size_t longest) {
  constexpr std::size_t kLeast = 8;  // the heading's
  return std::clamp(width > others ? width - others : 0, kLeast, std::max(longest, kLeast));
}

constexpr std::size_t kNodeColumns = 62;      // but for the name
constexpr std::size_t kWideColumns = 36;      // address and provider
constexpr std::size_t kFunctionColumns = 52;  // but for the name

std::string nodes_heading(bool wide, std::size_t names) {
  std::string line = left(" NODE", names);
  if (wide) line += ' ' + left("ADDRESS", 23) + ' ' + left("VIA", 11);
  return line + ' ' + left("STATE", 7) + ' ' + right("BUSY", 7) + ' ' + right("QUEUE", 5) + ' ' +
         right("DONE", 6) + ' ' + right("JOBS/S", 6) + ' ' + right("STOLEN", 6) + ' ' +
         right("LENT", 5) + ' ' + right("MEM", 5) + ' ' + right("RTT", 6);
}

std::string functions_heading(std::size_t names) {
  return left("FUNCTION", names) + ' ' + right("RUNS", 6) + ' ' + right("RUNS/S", 6) + ' ' +
         right("FAILED", 6) + ' ' + right("NOW", 5) + ' ' + right("TIME", 7) + ' ' +
         right("P50", 7) + ' ' + right("P99", 7);
}

}  // namespace

std::string compact(double number) {
  if (number < 0 || !std::isfinite(number)) number = 0;
  if (number < 10 && number != std::floor(number)) return formatted("%.1f", number);
  if (number < 9999.5) return formatted("%.0f", number);
  const char* units = "kMGTPE";
  number /= 1000;
  for (; number >= 999.5 && units[1] != '\0'; ++units) number /= 1000;
  return formatted(number < 9.995 ? "%.2f" : number < 99.95 ? "%.1f" : "%.0f", number) + *units;
}

std::string compact_bytes(std::uint64_t bytes) {
  auto number = static_cast<double>(bytes);
  if (bytes < 1024) return std::to_string(bytes);
  const char* units = "KMGTPE";
  number /= 1024;
  for (; number >= 999.5 && units[1] != '\0'; ++units) number /= 1024;
  return formatted(number < 9.95 ? "%.1f" : "%.0f", number) + *units;
}

std::string compact_time(double seconds) {
  const auto number = [](double value) { return formatted(value < 9.95 ? "%.1f" : "%.0f", value); };
  if (!(seconds > 0)) return "0";
  if (seconds < 0.9995e-6) return formatted("%.0f", seconds * 1e9) + "ns";
  if (seconds < 0.9995e-3) return number(seconds * 1e6) + "us";
  if (seconds < 0.9995) return number(seconds * 1e3) + "ms";
  if (seconds < 99.5) return number(seconds) + "s";
  if (seconds < 99.5 * 60) return formatted("%.0f", seconds / 60) + "m";
  return number(seconds / 3600) + "h";
}

void TopView::take(Status status) {
  Rates rates;
  // Before the second one comes: the mean since the start.
  const bool since_start = !any_ || status.time_ms <= status_.time_ms;
  const double time =
      since_start ? status.elapsed : static_cast<double>(status.time_ms - status_.time_ms) / 1000;
  const auto rate = [&](std::uint64_t now, std::uint64_t before) {
    return time > 0 && now > before ? static_cast<double>(now - before) / time : 0;
  };
  std::map<std::string, std::uint64_t> jobs, runs;
  if (!since_start) {
    for (const Status::Node& node : status_.nodes) jobs[node.id] = node.jobs;
    for (const Status::Function& one : status_.functions) runs[one.name] = one.runs;
  }
  for (const Status::Node& node : status.nodes)
    rates.nodes[node.id] = rate(node.jobs, jobs[node.id]);
  for (const Status::Function& one : status.functions)
    rates.functions[one.name] = rate(one.runs, runs[one.name]);
  for (const auto& [id, one] : rates.nodes) rates.jobs += one;
  rates_ = std::move(rates);
  status_ = std::move(status);
  any_ = true;
  complaint.clear();
}

std::vector<const Status::Node*> TopView::sorted() const {
  std::vector<const Status::Node*> nodes;
  for (const Status::Node& node : status_.nodes) nodes.push_back(&node);
  const auto rate = [&](const Status::Node& node) {
    const auto found = rates_.nodes.find(node.id);
    return found == rates_.nodes.end() ? 0 : found->second;
  };
  std::sort(nodes.begin(), nodes.end(), [&](const Status::Node* a, const Status::Node* b) {
    const bool a_gone = a->state == "gone";
    const bool b_gone = b->state == "gone";
    if (a_gone != b_gone) return b_gone;
    switch (sort) {
      case Sort::kBusy:
        if (a->busy != b->busy) return a->busy > b->busy;
        if (a->jobs != b->jobs) return a->jobs > b->jobs;
        break;
      case Sort::kRate:
        if (rate(*a) != rate(*b)) return rate(*a) > rate(*b);
        break;
      case Sort::kDone:
        if (a->jobs != b->jobs) return a->jobs > b->jobs;
        break;
      case Sort::kQueue:
        if (a->queued != b->queued) return a->queued > b->queued;
        break;
      case Sort::kMemory:
        if (a->memory != b->memory) return a->memory > b->memory;
        break;
      case Sort::kName:
        if (a->name != b->name) return a->name < b->name;
        break;
    }
    return a < b;  // they lie in one vector: as the node told them
  });
  return nodes;
}

Line TopView::node_line(const Status::Node& node, bool wide, std::size_t names) const {
  const bool gone = node.state == "gone";
  std::string line = (node.self ? '*' : ' ') + left(squeezed(node.name, names - 1), names - 1);
  if (wide) {
    line += ' ' + left(node.address, 23) + ' ' +
            left(node.self               ? "(here)"
                 : node.provider.empty() ? "-"
                                         : node.provider,
                 11);
  }
  const auto found = rates_.nodes.find(node.id);
  const std::string rate = gone || found == rates_.nodes.end() ? "-" : compact(found->second);
  const std::string busy = gone ? "-"
                                : compact(static_cast<double>(node.busy)) + '/' +
                                      compact(static_cast<double>(node.workers));
  line += ' ' + left(node.state, 7) + ' ' + right(busy, 7) + ' ' +
          right(gone ? "-" : compact(static_cast<double>(node.queued)), 5) + ' ' +
          right(compact(static_cast<double>(node.jobs)), 6) + ' ' + right(rate, 6) + ' ' +
          right(compact(static_cast<double>(node.stolen)), 6) + ' ' +
          right(compact(static_cast<double>(node.lent)), 5) + ' ' +
          right(gone || node.memory == 0 ? "-" : compact_bytes(node.memory), 5) + ' ' +
          right(node.round_trip && !gone ? compact_time(*node.round_trip) : "-", 6);
  return {line, gone                        ? Style::kFaint
                : node.state == "suspect"   ? Style::kWarning
                : node.busy == node.workers ? Style::kGood
                                            : Style::kPlain};
}

// Each table has a heading; the last line tells the keys. Functions and events get a third each if
// they need it, nodes what is left, and what these do not need goes to the others.
TopView::Room TopView::room(std::size_t height) const {
  const std::size_t functions = status_.functions.size();
  const std::size_t events = status_.events.size();
  constexpr std::size_t kEventsOnce = 20;
  if (height == 0) return {status_.nodes.size(), functions, std::min(events, kEventsOnce)};
  const std::size_t fixed = (complaint.empty() ? 3u : 4u) + 4;
  const std::size_t free = height > fixed ? height - fixed : 0;
  Room room{};
  room.functions = std::min(functions, free / 3);
  room.events = std::min(events, free / 3);
  room.nodes = std::min(status_.nodes.size(), free - room.functions - room.events);
  std::size_t spare = free - room.nodes - room.functions - room.events;
  const std::size_t more = std::min(spare, functions - room.functions);
  room.functions += more;
  spare -= more;
  room.events = std::min(room.events + spare, events);
  return room;
}

void TopView::scroll(std::ptrdiff_t by, std::size_t height) {
  const std::size_t shown = room(height).nodes;
  const auto last =
      static_cast<std::ptrdiff_t>(status_.nodes.size() > shown ? status_.nodes.size() - shown : 0);
  const auto now = std::min(static_cast<std::ptrdiff_t>(scrolled), last);
  scrolled =
      static_cast<std::size_t>(by > last - now ? last : std::max<std::ptrdiff_t>(now + by, 0));
}

std::vector<Line> TopView::lines(std::size_t width, std::size_t height) const {
  std::vector<Line> out;
  const bool all = height == 0;
  const auto add = [&](const std::string& text, Style style = Style::kPlain) {
    out.push_back({cut(text, width), style});
  };
  if (!any_) {
    add(complaint.empty() ? "pp-top: nothing heard yet" : complaint, Style::kBad);
    return out;
  }
  std::size_t present = 0;
  std::size_t suspects = 0;
  for (const Status::Node& node : status_.nodes) {
    present += node.state != "gone" ? 1u : 0u;
    suspects += node.state == "suspect" ? 1u : 0u;
  }
  add("pp-top  " + status_.node + " (" + status_.role + ")  up " + compact_time(status_.elapsed) +
          "  " + std::to_string(present) + (present == 1 ? " node" : " nodes") +
          (suspects > 0 ? ", " + std::to_string(suspects) + " suspect" : "") + "  " +
          clock_time(status_.time_ms),
      Style::kTitle);
  if (!complaint.empty()) add(complaint, Style::kBad);

  const double known = static_cast<double>(status_.done + status_.open);
  const double share = known > 0 ? static_cast<double>(status_.done) / known : 0;
  std::string left_time;
  if (status_.open > 0 && rates_.jobs > 0)
    left_time = "  ~" + compact_time(static_cast<double>(status_.open) / rates_.jobs) + " left";
  add("jobs " + bar(share, width >= kWide ? 40 : 10) + ' ' + formatted("%3.0f", share * 100) +
      " %  " + compact(static_cast<double>(status_.done)) + " done  " +
      compact(static_cast<double>(status_.open)) + " open  " + compact(rates_.jobs) + "/s" +
      left_time);
  const double busy = status_.workers > 0
                          ? static_cast<double>(status_.busy) / static_cast<double>(status_.workers)
                          : 0;
  std::string line = "busy " + bar(busy, width >= kWide ? 40 : 10) + ' ' +
                     formatted("%3.0f", busy * 100) + " %  " + std::to_string(status_.busy) + "/" +
                     std::to_string(status_.workers) + " workers  " +
                     compact(static_cast<double>(status_.queued)) + " queued";
  if (status_.lost > 0) line += "  " + compact(static_cast<double>(status_.lost)) + " lost";
  if (status_.refused > 0)
    line += "  " + compact(static_cast<double>(status_.refused)) + " refused";
  add(line);

  const std::vector<const Status::Node*> nodes = sorted();
  std::vector<const Status::Function*> functions;
  for (const Status::Function& one : status_.functions) functions.push_back(&one);
  std::sort(functions.begin(), functions.end(), [](const auto* a, const auto* b) {
    return a->time != b->time ? a->time > b->time : a < b;
  });

  std::size_t longest_node = 0;
  for (const Status::Node* node : nodes)
    longest_node = std::max(longest_node, columns(node->name) + 1);
  std::size_t longest_function = 0;
  for (const Status::Function* one : functions)
    longest_function = std::max(longest_function, columns(one->name));
  const bool wide = width >= kWide;
  const std::size_t node_names =
      first_column(width, kNodeColumns + (wide ? kWideColumns : 0), longest_node);
  const std::size_t function_names = first_column(width, kFunctionColumns, longest_function);

  const Room rows = room(height);
  const std::size_t first =
      all ? 0 : std::min(scrolled, nodes.size() > rows.nodes ? nodes.size() - rows.nodes : 0);
  add(nodes_heading(wide, node_names), Style::kHeading);
  for (std::size_t i = first; i < std::min(nodes.size(), first + rows.nodes); ++i) {
    Line one = node_line(*nodes[i], wide, node_names);
    add(one.text, one.style);
  }
  add(functions_heading(function_names), Style::kHeading);
  for (std::size_t i = 0; i < rows.functions; ++i) {
    const Status::Function& one = *functions[i];
    const auto rate = rates_.functions.find(one.name);
    add(left(one.name, function_names) + ' ' + right(compact(static_cast<double>(one.runs)), 6) +
            ' ' + right(rate == rates_.functions.end() ? "-" : compact(rate->second), 6) + ' ' +
            right(compact(static_cast<double>(one.failed)), 6) + ' ' +
            right(compact(static_cast<double>(one.running)), 5) + ' ' +
            right(compact_time(one.time), 7) + ' ' +
            right(one.runs > 0 ? compact_time(one.p50) : "-", 7) + ' ' +
            right(one.runs > 0 ? compact_time(one.p99) : "-", 7),
        one.failed > 0 ? Style::kWarning : Style::kPlain);
  }
  if (functions.empty() && all) add("(none has run)", Style::kFaint);
  add("EVENT", Style::kHeading);
  for (std::size_t i = 0; i < rows.events; ++i) {
    const Status::Event& event = status_.events[status_.events.size() - 1 - i];  // the newest first
    const bool bad = event.kind == "died" || event.kind == "failed" || event.kind == "silent";
    const bool warning =
        event.kind == "suspected" || event.kind == "refused" || event.kind == "misbehaved";
    add(clock_time(event.time_ms) + ' ' + left(event.kind, 10) + ' ' + event.text,
        bad       ? Style::kBad
        : warning ? Style::kWarning
                  : Style::kPlain);
  }
  if (all) return out;
  out.resize(std::min(out.size(), height > 0 ? height - 1 : 0));
  while (out.size() + 1 < height) out.push_back({});
  std::string keys = "q quit  s sort: " + std::string(name_of(sort));
  if (nodes.size() > rows.nodes) {
    keys += "  arrows, page keys: nodes " + std::to_string(first + 1) + "-" +
            std::to_string(first + rows.nodes) + " of " + std::to_string(nodes.size());
  }
  add(keys, Style::kFaint);
  return out;
}

}  // namespace pp::tools
