// LaunchPlan: what shall run here, and what each node is told about it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "output_rate.hpp"

namespace pp::tools {

struct LaunchPlan {
  unsigned nodes = 1;
  unsigned begin_with = 0;  // the driver waits for so many nodes; 0: for all
  unsigned workers = 0;  // per node; 0: the usable cores are shared out evenly, at least one each
  std::filesystem::path key_file;  // empty: a key of this launch's own
  std::chrono::seconds join_limit{30};
  std::string listen =
      "127.0.0.1:0";    // the driver's control port; workers take any port of the same host
  std::string joblog;   // where the driver keeps what its maps have finished; empty: nowhere
  bool resume = false;  // from what is there
  std::uint64_t output_rate = OutputRate::kUsual;  // bytes a second of each worker; 0: any
  std::string progress;  // PP_PROGRESS of the driver; empty: as it is inherited
  std::string trace;     // where the driver draws what all nodes do; empty: nowhere
  std::string http;      // where the driver can be watched, as in PP_HTTP; empty: nowhere
  bool quiet = false;    // no join table
  bool check = false;    // only whether the nodes come together: nothing is run
  unsigned respawn = 0;  // so many workers that died are replaced, in all
  std::vector<std::string> command;  // the program and its arguments
  // The last of the nodes run elsewhere: for each the arguments with which this very program is
  // started here in its stead (deputy.hpp).
  std::vector<std::vector<std::string>> deputies;

  bool is_deputy(unsigned node) const { return node >= nodes - deputies.size(); }
};

// Descriptors of ours that a node keeps, under the same numbers; -1: none.
struct Inherited {
  int report = -1;
  int black_box = -1;
};

// The environment of one node: `inherited` without any PP_ variable that the launch itself sets,
// then those.
//
//   PP_ROLE          driver (node 0) or worker
//   PP_WORKERS       jobs it runs at a time
//   PP_LAUNCH        the launch it belongs to: nodes of other launches are refused
//   PP_REPORT_FD     the descriptor on which it writes report lines (report_line.hpp)
//   PP_CHECK         on, if the program's body is not to be run
//   PP_BLACK_BOX     the descriptor of the memory file in which it notes what it runs, if there is
//   one
// and, unless it is alone,
//   PP_LISTEN        where its control port listens; that it is set opens the network
//   PP_KEY_FILE      the cluster key
//   PP_NODES         driver: how many nodes to wait for before the program's body runs
//   PP_JOIN_TIMEOUT  driver: for so many seconds
//   PP_JOBLOG        driver: its job log, if one is named (also when it is alone)
//   PP_RESUME        driver: on, if that is to be resumed
//   PP_PROGRESS      driver: as it was inherited or, if the plan has a word on it, that
//   PP_TRACE         driver: its trace, if one is named (also when it is alone)
//   PP_PEERS         workers: the driver's address
//   PP_HTTP          driver: where it can be watched, if anywhere (also when it is alone)
std::vector<std::string> node_environment(const LaunchPlan& plan, unsigned node,
                                          std::string_view launch, std::string_view driver_address,
                                          Inherited descriptors,
                                          const std::vector<std::string>& inherited);

// Whether the launch itself sets that variable ("PP_ROLE" or "PP_ROLE=worker").
bool is_set_by_launch(std::string_view variable);

// 32 random hexadecimal digits.
std::string fresh_launch_id();

}  // namespace pp::tools
