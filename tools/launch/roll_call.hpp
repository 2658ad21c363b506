// RollCall: which of the launched nodes are there, and at which stage the others stand.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "exit_status.hpp"
#include "farewell.hpp"
#include "report_line.hpp"

namespace pp::tools {

// Told what is seen (a process was started, said a line, ended), it answers whether the roll is
// complete and, if it will not be, who is missing and why. It starts nothing, reads nothing and
// knows no clock but the times it is told. Node 0 is the driver. One thread.
class RollCall {
 public:
  struct Limits {
    std::chrono::milliseconds join{30'000};
    // Once somebody is known to have failed the others may still say how they fare: one cause
    // usually fails many, and the reader should see them all.
    std::chrono::milliseconds settle{300};
    // Once the driver says that all are there, the workers' own words may still be on their way.
    std::chrono::milliseconds stragglers{500};
  };

  enum class Verdict {
    kGathering,
    kComplete,
    kIncomplete,  // it can not become complete any more, or not in time
  };

  enum class Stage {
    kWaiting,    // not started yet: workers are started when the driver's address is known
    kStarted,    // it runs
    kListening,  // its control port is open
    kJoined,     // worker: its session with the driver is up; driver: all nodes are there
  };

  // `workers` is what each node was told to run, shown until a node's own word is known.
  RollCall(unsigned nodes, unsigned workers, Limits limits, Time start);

  // Once more when it replaces a process that has ended; what that one said is forgotten.
  void started(unsigned node, int pid, Time now);
  // It could not be started; `why` is the rest of a sentence ("./app: command not found").
  void not_started(unsigned node, std::string why, Time now);
  void said(unsigned node, const Report& report, Time now);
  void ended(unsigned node, const ExitStatus& status, Time now);

  Verdict verdict(Time now) const;
  // When the verdict may change although nothing happens.
  Time due() const;

  // Where the driver listens; empty as long as it does not.
  const std::string& driver_address() const { return rows_.front().address; }
  bool driver_ended() const { return rows_.front().exit.has_value(); }

  Time start() const { return start_; }
  // The join table, a line per node.
  std::string table() const;
  // One line for each node that is not there: stage and reason. Meant for kIncomplete.
  std::string missing() const;
  // How many nodes are there (the driver is when it listens).
  unsigned present() const;

 private:
  struct Row {
    int pid = 0;
    Stage stage = Stage::kWaiting;
    Time started{};
    std::optional<std::chrono::milliseconds> joined_after;
    std::string address;
    std::string provider;
    unsigned workers = 0;
    std::string refusal;      // the last one
    std::string unreachable;  // the last one
    std::string error;
    std::string not_started;
    std::optional<ExitStatus> exit;
  };

  bool is_there(unsigned node) const;
  std::string why_missing(unsigned node) const;
  void meet(unsigned node, const Report& joined);
  void failed(Time now);

  Limits limits_;
  Time start_;
  std::vector<Row> rows_;
  std::optional<Time> first_failure_;
  std::optional<Time> driver_ready_;
  bool driver_gave_up_ = false;
};

}  // namespace pp::tools
