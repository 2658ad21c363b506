// Trace file: the spool, and the JSON that comes of it.
#include "trace_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <pp/error.hpp>
#include <unordered_map>
#include <utility>

namespace pp::runtime {

namespace {

// In the spool, in front of records of one node.
struct Head {
  std::uint32_t node;
  std::uint32_t records;
};

// So long the rest of the room lasts at the pace of the last second before jobs are shown together
// that were not before.
constexpr std::uint64_t kSecondsLeft = 60;
// A node may send twice as fast for a while.
constexpr std::uint64_t kSecondsAtMost = 30;
constexpr std::uint32_t kLeastPerSecond = 100;
constexpr std::chrono::nanoseconds kCoarsest{1'000'000'000};

// A file that nobody else sees and that ends with us.
std::FILE* nameless(const std::string& beside) {
  std::string name = beside + ".XXXXXX";
  const int descriptor = ::mkostemp(name.data(), 0);
  if (descriptor < 0) return nullptr;
  std::remove(name.c_str());
  return ::fdopen(descriptor, "w+e");
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20 || byte >= 0x7f) {  // also what may be no UTF-8
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", byte);
      json += code.data();
    } else {
      json += c;
    }
  }
  return json + '"';
}

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "\"%016llx\"", static_cast<unsigned long long>(number));
  return text.data();
}

std::string size(std::uint64_t bytes) {
  std::array<char, 32> text{};
  if (bytes < 10'000'000) {
    std::snprintf(text.data(), text.size(), "%.0f kB", static_cast<double>(bytes) / 1e3);
  } else {
    std::snprintf(text.data(), text.size(), "%.0f MB", static_cast<double>(bytes) / 1e6);
  }
  return text.data();
}

// Lines of the list of events.
class Events {
 public:
  explicit Events(std::FILE* file) : file_(file) {}

  void add(const std::string& event) {
    text_ += first_ ? "\n" : ",\n";
    first_ = false;
    text_ += event;
    if (text_.size() > (std::size_t{1} << 18)) flush();
  }
  void flush() {
    std::fwrite(text_.data(), 1, text_.size(), file_);
    text_.clear();
  }

 private:
  std::FILE* file_;
  std::string text_;
  bool first_ = true;
};

std::string metadata(unsigned pid, int tid, const char* name, const std::string& arguments) {
  std::string event = "{\"ph\":\"M\",\"pid\":" + std::to_string(pid);
  if (tid >= 0) event += ",\"tid\":" + std::to_string(tid);
  return event + ",\"name\":\"" + name + "\",\"args\":{" + arguments + "}}";
}

}  // namespace

std::string TraceFile::microseconds(std::int64_t nanoseconds) {
  std::array<char, 40> text{};
  const bool negative = nanoseconds < 0;
  const auto absolute =
      negative ? -static_cast<std::uint64_t>(nanoseconds) : static_cast<std::uint64_t>(nanoseconds);
  std::snprintf(text.data(), text.size(), "%s%llu.%03u", negative ? "-" : "",
                static_cast<unsigned long long>(absolute / 1000),
                static_cast<unsigned>(absolute % 1000));
  return text.data();
}

TraceFile::TraceFile(std::string file, const NodeId& self, std::string name, std::int64_t now)
    : file_(std::move(file)), self_(self), origin_(now), out_(std::fopen(file_.c_str(), "we")) {
  // Valid, should this process not come to its end.
  if (!out_ || std::fputs("{\"traceEvents\":[]}\n", out_.get()) < 0 || std::fflush(out_.get()) != 0)
    throw Error("pp: the trace " + file_ + " cannot be written: " + std::strerror(errno) +
                " (PP_TRACE names a file in a folder that exists)");
  auto contents = contents_.lock();
  contents->spool.reset(nameless(file_));
  if (!contents->spool)
    throw Error("pp: beside the trace " + file_ +
                " a temporary file is needed and cannot be made: " + std::strerror(errno));
  KnownNode& own = known(*contents, self);
  own.name = std::move(name);
  own.clock.same_clock();
}

TraceFile::~TraceFile() = default;

TraceFile::KnownNode& TraceFile::known(Contents& contents, const NodeId& node) {
  const auto number = static_cast<unsigned>(contents.nodes.size());
  const auto [entry, is_new] = contents.nodes.try_emplace(node);
  if (is_new) {
    entry->second.number = number;
    entry->second.id = node;
    entry->second.name = node.short_name();
  }
  return entry->second;
}

void TraceFile::meet(const NodeId& node, std::string_view name) {
  known(*contents_.lock(), node).name = name;
}

std::size_t TraceFile::tell_clock(const NodeId& node, bool same, std::int64_t asked,
                                  std::int64_t heard, std::int64_t said, std::int64_t answered) {
  auto contents = contents_.lock();
  KnownNode& one = known(*contents, node);
  if (same) one.clock.same_clock();
  one.clock.add(asked, heard, said, answered);
  return ++one.answers;
}

bool TraceFile::add(const NodeId& node, std::span<const std::byte> records, std::uint64_t dropped) {
  if (records.size() % sizeof(TraceRecord) != 0) return false;
  const std::size_t count = records.size() / sizeof(TraceRecord);
  for (std::size_t i = 0; i < count; ++i)
    if (!trace_record(records, i)) return false;
  auto contents = contents_.lock();
  KnownNode& one = known(*contents, node);
  one.dropped += dropped;
  if (count == 0) return true;
  const Head head{one.number, static_cast<std::uint32_t>(count)};
  std::FILE* spool = contents->spool.get();
  if (contents->broken || contents->records + count > kMostRecords) {
    contents->over += count;
  } else if (std::fwrite(&head, sizeof head, 1, spool) != 1 ||
             std::fwrite(records.data(), 1, records.size(), spool) != records.size()) {
    contents->over += count;
    contents->broken = true;  // the disk is full: what came behind half a block could not be read
  } else {
    contents->records += count;
  }
  return true;
}

void TraceFile::collect(const NodeId& self, Trace& trace, bool growing) {
  std::vector<TraceRecord> records;
  trace.take([&records](const TraceRecord& record) { records.push_back(record); }, growing);
  add(self, std::as_bytes(std::span(records)), trace.take_dropped());
}

TraceFile::Measure TraceFile::measure(std::size_t nodes) {
  auto contents = contents_.lock();
  const std::uint64_t lately =
      contents->records - std::exchange(contents->measured, contents->records);
  const std::uint64_t left = kMostRecords - contents->records;
  if (lately > left / kSecondsLeft && contents->grain < kCoarsest) contents->grain *= 2;
  const std::uint64_t each = left / kSecondsAtMost / std::max<std::uint64_t>(nodes, 1);
  return {contents->grain,
          static_cast<std::uint32_t>(std::max<std::uint64_t>(each, kLeastPerSecond))};
}

std::string TraceFile::write(const NameOf& name_of) {
  auto contents = contents_.lock();
  std::FILE* out = out_.get();
  std::rewind(out);
  std::vector<const KnownNode*> nodes(contents->nodes.size());
  std::unordered_map<std::uint64_t, const KnownNode*> by_brief;
  for (const auto& [id, node] : contents->nodes) {
    nodes[node.number] = &node;
    by_brief.emplace(brief(id), &node);
  }
  const auto name_of_node = [&](std::uint64_t id) {
    const auto node = by_brief.find(id);
    return node == by_brief.end() ? std::string("a node that is not known") : node->second->name;
  };

  std::fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", out);
  Events events(out);
  std::vector<std::vector<bool>> threads(nodes.size());  // those that were seen, by node
  const auto thread = [&](const KnownNode& node, std::size_t tid) {
    std::vector<bool>& seen = threads[node.number];
    if (seen.size() <= tid) seen.resize(tid + 1);
    if (seen[tid]) return;
    seen[tid] = true;
    const std::string name = tid == 0 ? "network" : "worker " + std::to_string(tid - 1);
    events.add(
        metadata(node.number, static_cast<int>(tid), "thread_name", "\"name\":" + quoted(name)));
    events.add(metadata(node.number, static_cast<int>(tid), "thread_sort_index",
                        "\"sort_index\":" + std::to_string(tid)));
  };
  std::uint64_t serial = 0;
  const auto add = [&](const KnownNode& node, const TraceRecord& record) {
    // (Of a node whose clock was never told nothing can be said but what it says itself.)
    const auto ours = [&](std::int64_t time) {
      return (node.clock.known() ? node.clock.ours(time) : time) - origin_;
    };
    const std::int64_t begin = ours(record.begin);
    const std::int64_t end = std::max(begin, ours(record.end));
    const bool by_worker = record.kind <= TraceRecord::Kind::kWait;
    const std::size_t tid = by_worker ? record.worker + std::size_t{1} : 0;
    thread(node, tid);
    std::string name;
    std::string arguments;
    const char* category = "";
    const auto argument = [&](const char* key, const std::string& json) {
      arguments += (arguments.empty() ? "\"" : ",\"") + std::string(key) + "\":" + json;
    };
    const auto function = [&] {
      name = record.what == 0 ? "a callback" : std::string(name_of(record.what));
      argument("job", hexadecimal(record.job));
      argument("attempt", std::to_string(record.attempt));
    };
    switch (record.kind) {
      case TraceRecord::Kind::kNone:
        return;
      case TraceRecord::Kind::kJob:
        category = "job";
        function();
        argument("owner", quoted(record.other == 0 ? node.name : name_of_node(record.other)));
        if (record.count > 1) {
          name += " x " + std::to_string(record.count);
          argument("jobs", std::to_string(record.count));
        }
        break;
      case TraceRecord::Kind::kIdle:
        category = "idle";
        name = "idle";
        break;
      case TraceRecord::Kind::kWait:
        category = "wait";
        name = "waits for other jobs";
        break;
      case TraceRecord::Kind::kSteal:
        category = "steal";
        name = "steal from " + name_of_node(record.other);
        argument("victim", quoted(name_of_node(record.other)));
        argument("jobs", std::to_string(record.count));
        break;
      case TraceRecord::Kind::kLoan:
      case TraceRecord::Kind::kLost:
        category = record.kind == TraceRecord::Kind::kLoan ? "loan" : "lost";
        function();
        if (record.kind == TraceRecord::Kind::kLost) name += " lost";
        argument("borrower", quoted(name_of_node(record.other)));
        break;
      case TraceRecord::Kind::kTransfer:
        category = "transfer";
        name = size(record.what) + " from " + name_of_node(record.other);
        argument("bytes", std::to_string(record.what));
        argument("giver", quoted(name_of_node(record.other)));
        break;
    }
    const std::string where = ",\"pid\":" + std::to_string(node.number) +
                              ",\"tid\":" + std::to_string(tid) + ",\"cat\":\"" + category +
                              "\",\"name\":" + quoted(name);
    if (by_worker) {
      events.add("{\"ph\":\"X\",\"ts\":" + microseconds(begin) + ",\"dur\":" +
                 microseconds(end - begin) + where + ",\"args\":{" + arguments + "}}");
      return;
    }
    const std::string id = ",\"id\":" + std::to_string(++serial);
    events.add("{\"ph\":\"b\",\"ts\":" + microseconds(begin) + id + where + ",\"args\":{" +
               arguments + "}}");
    events.add("{\"ph\":\"e\",\"ts\":" + microseconds(end) + id + where + "}");
  };

  std::string said;
  const auto say = [&said](const std::string& sentence) {
    said += (said.empty() ? "" : "; ") + sentence;
  };
  std::uint64_t dropped = 0;
  for (const KnownNode* node : nodes) {
    dropped += node->dropped;
    const bool driver = node->id == self_;
    events.add(metadata(node->number, -1, "process_name",
                        "\"name\":" + quoted(node->name + (driver ? " (driver)" : ""))));
    events.add(metadata(node->number, -1, "process_sort_index",
                        "\"sort_index\":" + std::to_string(node->number)));
    if (!node->clock.known()) {
      say("nothing is known of the clock of " + node->name);
    } else if (!node->clock.is_same_clock()) {
      events.add(metadata(
          node->number, -1, "process_labels",
          "\"labels\":" + quoted("clock within " + microseconds(node->clock.largest_error()) +
                                 " us of the driver's")));
    }
  }
  std::FILE* spool = contents->spool.get();
  if (std::fflush(spool) != 0) contents->broken = true;
  std::rewind(spool);
  Head head{};
  std::vector<std::byte> records;
  while (std::fread(&head, sizeof head, 1, spool) == 1) {
    records.resize(head.records * sizeof(TraceRecord));
    if (head.node >= nodes.size() ||
        std::fread(records.data(), 1, records.size(), spool) != records.size())
      break;
    for (std::size_t i = 0; i < head.records; ++i)
      if (const auto record = trace_record(records, i)) add(*nodes[head.node], *record);
  }
  events.flush();
  std::fputs("\n],\"otherData\":{\"nodes\":[", out);
  for (const KnownNode* node : nodes) {
    std::fprintf(out, "%s\n{\"pid\":%u,\"name\":%s,\"node\":%s", node->number == 0 ? "" : ",",
                 node->number, quoted(node->name).c_str(), quoted(node->id.to_string()).c_str());
    if (node->clock.known())
      std::fprintf(out, ",\"clock_error_us\":%s",
                   microseconds(node->clock.largest_error()).c_str());
    std::fprintf(out, ",\"jobs_not_shown\":%llu}", static_cast<unsigned long long>(node->dropped));
  }
  std::fprintf(out, "\n],\"grain_us\":%s,\"records_not_shown\":%llu}}\n",
               microseconds(contents->grain.count()).c_str(),
               static_cast<unsigned long long>(contents->over));
  if (std::fflush(out) != 0 || std::ferror(out))
    throw Error("pp: the trace " + file_ + " is not whole: " + std::strerror(errno));
  if (dropped > 0) say(std::to_string(dropped) + " jobs are not in it: too much happened at once");
  if (contents->broken) {
    say("the disk was full before the end: later records are not in it");
  } else if (contents->over > 0) {
    say(std::to_string(contents->over) + " records are not in it: it is full");
  }
  return said.empty() ? said : "the trace " + file_ + ": " + said;
}

}  // namespace pp::runtime
