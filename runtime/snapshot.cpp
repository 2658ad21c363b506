// Snapshot: as JSON for pp-top and the page, and as text for Prometheus.
#include "snapshot.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace pp::runtime {

namespace {

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", std::isfinite(value) ? value : 0.0);
  return text;
}

std::int64_t milliseconds(std::chrono::system_clock::time_point when) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

// Bytes of the UTF-8 character at the front of `text`; 0 if there is none.
std::size_t character(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  // Too long, a surrogate, or past the last character.
  const unsigned char second = at(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
    return 0;
  return size;
}

// Writes one object or list, with the commas.
class Json {
 public:
  Json& open(char bracket) {
    separate();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  Json& close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  Json& key(std::string_view name) {
    separate();
    text_ += json_string(name) + ':';
    first_ = true;
    return *this;
  }
  Json& raw(std::string_view value) {
    separate();
    text_ += value;
    return *this;
  }
  Json& put(std::string_view name, std::string_view value) {
    return key(name).raw(json_string(value));
  }
  Json& put(std::string_view name, std::uint64_t value) {
    return key(name).raw(std::to_string(value));
  }
  Json& put_number(std::string_view name, double value) { return key(name).raw(number(value)); }
  Json& put_flag(std::string_view name, bool value) {
    return key(name).raw(value ? "true" : "false");
  }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  std::string text_;
  bool first_ = true;
};

// Families of metrics, in the order in which they are told.
class Metrics {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + ' ' + std::string(help) + "\n# TYPE " + name_ + ' ' +
             std::string(type) + '\n';
  }
  void value(const std::string& labels, double value, std::string_view suffix = {}) {
    text_ += name_ + std::string(suffix) + (labels.empty() ? "" : '{' + labels + '}') + ' ' +
             number(value) + '\n';
  }
  void count(const std::string& labels, std::uint64_t value, std::string_view suffix = {}) {
    text_ += name_ + std::string(suffix) + (labels.empty() ? "" : '{' + labels + '}') + ' ' +
             std::to_string(value) + '\n';
  }
  static std::string label(std::string_view name, std::string_view value) {
    std::string text = std::string(name) + "=\"";
    for (std::size_t i = 0; i < value.size();) {
      const std::size_t size = character(value.substr(i));
      const std::string_view one = value.substr(i, size == 0 ? 1 : size);
      i += one.size();
      if (size == 0) {
        text += "\xef\xbf\xbd";
      } else if (one == "\"" || one == "\\") {
        text += '\\' + std::string(one);
      } else if (one == "\n") {
        text += "\\n";
      } else {
        text += one;
      }
    }
    return text + '"';
  }
  std::string take() { return std::move(text_); }

 private:
  std::string name_, text_;
};

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = character(text.substr(i));
    const std::string_view one = text.substr(i, size == 0 ? 1 : size);
    i += one.size();
    const auto byte = static_cast<unsigned char>(one[0]);
    if (size == 0) {
      out += "\xef\xbf\xbd";
    } else if (byte == '"' || byte == '\\') {
      out += {'\\', one[0]};
    } else if (byte < 0x20 || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out += escaped;
    } else {
      out += one;
    }
  }
  return out + '"';
}

std::string to_json(const Snapshot& snapshot) {
  std::uint64_t workers = 0, busy = 0, queued = 0, jobs = 0, stolen = 0, lent = 0;
  for (const Snapshot::Node& node : snapshot.nodes) {
    jobs += node.jobs;
    stolen += node.stolen;
    lent += node.lent;
    if (node.state == "gone") continue;
    workers += node.workers;
    busy += node.busy;
    queued += node.queued;
  }
  Json json;
  json.open('{');
  json.put("pp", snapshot.version).put("node", snapshot.node).put("id", snapshot.id);
  json.put("role", snapshot.driver ? "driver" : "worker");
  json.put("time_ms", static_cast<std::uint64_t>(milliseconds(snapshot.when)));
  json.put_number("elapsed", snapshot.elapsed);
  json.key("progress").open('{');
  json.put("done", jobs).put("open", snapshot.open).put("elements", snapshot.elements);
  json.put("elements_done", snapshot.elements_done).close('}');
  json.key("totals").open('{');
  json.put("workers", workers).put("busy", busy).put("queued", queued).put("jobs", jobs);
  json.put("stolen", stolen).put("lent", lent).put("lost", snapshot.lost);
  json.put("late", snapshot.late).put("refused", snapshot.refused);
  json.put("misbehaved", snapshot.misbehaved).close('}');
  json.key("nodes").open('[');
  for (const Snapshot::Node& node : snapshot.nodes) {
    json.open('{').put("id", node.id).put("name", node.name).put_flag("self", node.self);
    json.put("state", node.state).put("address", node.address).put("provider", node.provider);
    json.put("workers", node.workers).put("busy", node.busy).put("queued", node.queued);
    json.put("jobs", node.jobs).put_number("busy_time", node.busy_time);
    json.put("stolen", node.stolen).put("lent", node.lent).put("memory", node.memory);
    if (node.round_trip) json.put_number("round_trip", *node.round_trip);
    // In the order of the functions below.
    json.key("times").open('[');
    for (const auto& [name, figures] : snapshot.functions) {
      const auto one = node.functions.find(name);
      json.raw(one == node.functions.end() ? "0" : number(one->second.first));
    }
    json.close(']').key("now").open('[');
    for (const auto& [name, figures] : snapshot.functions) {
      const auto one = node.functions.find(name);
      json.raw(one == node.functions.end() ? "0" : std::to_string(one->second.second));
    }
    json.close(']');
    json.close('}');
  }
  json.close(']');
  json.key("running").open('[');
  for (const Snapshot::Running& one : snapshot.running) {
    json.open('{').put("worker", one.worker).put("function", one.function);
    json.put_number("since", one.since).close('}');
  }
  json.close(']');
  json.key("functions").open('[');
  for (const auto& [name, figures] : snapshot.functions) {
    json.open('{').put("name", name).put("runs", figures.runs()).put("failed", figures.failed);
    json.put("running", figures.running);
    json.put_number("time", static_cast<double>(figures.nanoseconds) * 1e-9);
    json.put_number("p50", figures.quantile(0.5) * 1e-9);
    json.put_number("p99", figures.quantile(0.99) * 1e-9).close('}');
  }
  json.close(']');
  json.key("events").open('[');
  for (const Chronicle::Happening& event : snapshot.events) {
    json.open('{').put("number", event.number);
    json.put("time_ms", static_cast<std::uint64_t>(milliseconds(event.when)));
    json.put("kind", to_string(event.kind)).put("text", event.text).close('}');
  }
  json.close(']').close('}');
  return json.take() + '\n';
}

std::string to_prometheus(const Snapshot& snapshot) {
  Metrics metrics;
  const auto label = &Metrics::label;
  metrics.family("pp_info", "gauge", "The node that tells this, and its version.");
  metrics.count(label("node", snapshot.node) + ',' + label("version", snapshot.version) + ',' +
                    label("role", snapshot.driver ? "driver" : "worker"),
                1);
  metrics.family("pp_uptime_seconds", "gauge", "Since the runtime of this node started.");
  metrics.value("", snapshot.elapsed);
  metrics.family("pp_jobs_open", "gauge",
                 "Jobs known to be queued or running, and elements of maps that are not done.");
  metrics.count("", snapshot.open);
  const auto total = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    metrics.family(name, "counter", help);
    metrics.count("", value);
  };
  total("pp_executions_lost_total", "Executions lost with a node and begun again.", snapshot.lost);
  total("pp_results_late_total", "Results that came for a loan already ended.", snapshot.late);
  total("pp_peers_refused_total", "Connections refused: wrong key, other build.", snapshot.refused);
  total("pp_breaches_total", "What members said against the protocol.", snapshot.misbehaved);

  metrics.family("pp_nodes", "gauge", "Nodes by state, this one included.");
  for (const std::string_view state : {"alive", "suspect", "gone"}) {
    std::uint64_t nodes = 0;
    for (const Snapshot::Node& node : snapshot.nodes) nodes += node.state == state ? 1u : 0u;
    metrics.count(label("state", state), nodes);
  }
  // Two nodes may have one name.
  const auto of = [&](const Snapshot::Node& node) {
    return label("node", node.name) + ',' + label("id", node.id);
  };
  const auto for_each = [&](std::string_view name, std::string_view type, std::string_view help,
                            auto value, bool gone_too) {
    metrics.family(name, type, help);
    for (const Snapshot::Node& node : snapshot.nodes)
      if (gone_too || node.state != "gone") metrics.value(of(node), value(node));
  };
  using Node = Snapshot::Node;
  const auto big = [](std::uint64_t value) { return static_cast<double>(value); };
  for_each(
      "pp_workers", "gauge", "Jobs that a node runs at a time.",
      [](const Node& node) { return node.workers; }, false);
  for_each(
      "pp_workers_busy", "gauge", "Of these, those with a job.",
      [](const Node& node) { return node.busy; }, false);
  for_each(
      "pp_jobs_queued", "gauge", "Jobs that wait at a node.",
      [](const Node& node) { return node.queued; }, false);
  for_each(
      "pp_memory_bytes", "gauge", "Memory that a node's process has in use.",
      [&](const Node& node) { return big(node.memory); }, false);
  for_each(
      "pp_jobs_total", "counter", "Executions that ended at a node.",
      [&](const Node& node) { return big(node.jobs); }, true);
  for_each(
      "pp_jobs_stolen_total", "counter", "Of these, for another node.",
      [&](const Node& node) { return big(node.stolen); }, true);
  for_each(
      "pp_jobs_lent_total", "counter", "Jobs of a node that it gave to others.",
      [&](const Node& node) { return big(node.lent); }, true);
  for_each(
      "pp_busy_seconds_total", "counter", "Time in jobs, summed over a node's workers.",
      [](const Node& node) { return node.busy_time; }, true);
  metrics.family("pp_round_trip_seconds", "gauge", "Of a word from this node to another and back.");
  for (const Node& node : snapshot.nodes)
    if (node.round_trip && node.state != "gone") metrics.value(of(node), *node.round_trip);

  metrics.family("pp_function_failures_total", "counter", "Executions of a function that failed.");
  for (const auto& [name, figures] : snapshot.functions)
    metrics.count(label("function", name), figures.failed);
  metrics.family("pp_function_seconds", "histogram", "How long executions of a function took.");
  for (const auto& [name, figures] : snapshot.functions) {
    const std::string function = label("function", name);
    std::uint64_t sum = 0;
    // A microsecond to a quarter of an hour, each four times the one before.
    for (std::size_t i = 0; i < figures.counts.size(); ++i) {
      sum += figures.counts[i];
      if (i < 9 || i % 2 == 0 || i + 1 == figures.counts.size()) continue;
      const double bound = static_cast<double>(std::uint64_t{1} << (i + 1)) * 1e-9;
      metrics.count(function + ',' + label("le", number(bound)), sum, "_bucket");
    }
    metrics.count(function + ',' + label("le", "+Inf"), sum, "_bucket");
    metrics.value(function, static_cast<double>(figures.nanoseconds) * 1e-9, "_sum");
    metrics.count(function, sum, "_count");
  }
  return metrics.take();
}

}  // namespace pp::runtime
