// Trace file: what all nodes have written down, as one file that Perfetto and chrome://tracing
// show.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <pp/node_id.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "clock_offset.hpp"
#include "guarded.hpp"
#include "trace.hpp"
#include "trace_record.hpp"

namespace pp::runtime {

// Kept by the driver. Records come from the nodes as they are, and wait in a file without a name;
// written down as JSON they are at the end, when the clocks are known as well as they ever will be
// and nobody waits for anything any more. A node that died has in it what it had sent. Any thread.
class TraceFile {
 public:
  // More no viewer likes to read: some 300 MB.
  static constexpr std::uint64_t kMostRecords = 2'000'000;
  // Jobs that are shorter are shown together with those beside them; more when there are too many.
  static constexpr std::chrono::nanoseconds kGrain{100'000};

  // `file` is made, or made empty, at once: throws pp::Error if it cannot be. `self`: whose clock
  // is the one shown; `now` is its 0.
  TraceFile(std::string file, const NodeId& self, std::string name, std::int64_t now);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  // What is known of a node.
  void meet(const NodeId& node, std::string_view name);
  // An answer to a question about its clock (ClockOffset::add); `same`: it is ours. Says how many
  // there have been.
  std::size_t tell_clock(const NodeId& node, bool same, std::int64_t asked, std::int64_t heard,
                         std::int64_t said, std::int64_t answered);
  // Records of this node, and how many jobs are missing between those before and these. False: it
  // is none of ours that says such things.
  bool add(const NodeId& node, std::span<const std::byte> records, std::uint64_t dropped);
  // Those of this node's workers.
  void collect(const NodeId& self, Trace& trace, bool growing);

  // What nodes are to be told, looked up once a second: how short a job must be to be shown
  // together with others, and how many records a second one of so many nodes may send.
  struct Measure {
    std::chrono::nanoseconds grain;
    std::uint32_t records_per_second;
  };
  Measure measure(std::size_t nodes);

  // The end. `name_of` names functions. Throws pp::Error when the disk is full. Says what there is
  // to say about the file, for the log; nothing if it is whole.
  using NameOf = std::function<std::string_view(std::uint64_t function)>;
  std::string write(const NameOf& name_of);

  // "10.000012": for people, and for tests of whoever reads it.
  static std::string microseconds(std::int64_t nanoseconds);

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using Stream = std::unique_ptr<std::FILE, Closer>;
  struct KnownNode {
    unsigned number = 0;  // in the trace
    NodeId id;
    std::string name;
    ClockOffset clock;
    std::size_t answers = 0;
    std::uint64_t dropped = 0;
  };
  struct Contents {
    std::map<NodeId, KnownNode> nodes;
    Stream spool;
    std::uint64_t records = 0;
    bool broken = false;     // the disk had no room: the spool ends in the middle of something
    std::uint64_t over = 0;  // records that came when it was full or broken
    std::uint64_t measured = 0;
    std::chrono::nanoseconds grain = kGrain;
  };

  static KnownNode& known(Contents& contents, const NodeId& node);

  const std::string file_;
  const NodeId self_;
  const std::int64_t origin_;
  Stream out_;
  Guarded<Contents> contents_;
};

}  // namespace pp::runtime
