// KeeperScript: the shell scripts that pp-launch runs on a host by ssh, and the command that does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stage_plan.hpp"

namespace pp::tools {

// How a host is spoken to. A command line names a small shell that reads the rest of its script
// from standard input, because everybody on both hosts may read command lines, and because the
// user's shell over there need not be of Bourne's family:
//
//   ssh ... host 'exec /bin/sh -c '\''eval "$(dd bs=1 count=1234 2>/dev/null)"'\'' pp-keeper'
//
// What follows the script on standard input is the script's: the key, then a line for each order.
// The end of standard input means that nobody is there any more, however that came: then all that
// the script has started is ended, within 3 s.
struct SshCommand {
  std::vector<std::string> program{"ssh"};  // and options of the user's own
  std::string target;
  std::string control;          // the socket of the host's shared connection; empty: none
  bool opens_it = false;        // this one makes it
  unsigned connect_limit = 10;  // seconds

  // argv; `script` is what goes to standard input first.
  std::vector<std::string> words(std::string_view script) const;
};

// For any text in a POSIX shell: 'it'\''s'.
std::string quoted(std::string_view text);

// A script's words come among the lines of its standard error, marked with this in front: who
// prints them cannot know it by accident. `token` has no blanks.
std::string keeper_mark(std::string_view token);

// What a host is asked when it is first reached. It says
//   lacks HASH         for each file that is to be staged and is not in the host's cache yet
//   here LINUX X86_64 CORES UID SECONDS.NANOSECONDS KIBIBYTES
// and then stays until its standard input ends: the connection that it opened is shared. Each line
// of that is answered:
//   clock SECONDS.NANOSECONDS
struct VisitOrder {
  std::string token;
  const StagePlan* stage = nullptr;  // null: nothing is staged
};
std::string visit_script(const VisitOrder& order);

// Puts a file, which follows it on standard input up to its end, into the host's cache, when that
// has room or what has not been used for longest has made some. REQUIRES: order.stage. It says
//   staged HASH
//   failed stage WHY
std::string copy_script(const VisitOrder& order, const StagedFile& file);

struct NodeOrder {
  std::string token;
  std::string tag;      // no other node of any launch has it
  std::string workdir;  // empty: `usual_workdir` if there is one, else the home
  std::string usual_workdir;
  std::vector<std::string> command;      // the program and its arguments
  std::vector<std::string> environment;  // NAME=value, on top of what the host gives
  std::string driver;                    // where the driver says that it listens
  std::string key_file;                  // of the host; empty: the key follows the script
  std::size_t key_bytes = 0;             // then it has so many
  const StagePlan* stage = nullptr;      // the program runs from the cache; null: as it is named
};

// Runs one node. In front of the key, and of orders ("signal TERM"), on standard input. It says
//   started PID
//   report LINE        what the node writes to PP_REPORT_FD (report_line.hpp)
//   box ...            before it says that the node has ended otherwise than well: what it noted of
//   boxed PID UPTIME   its jobs, as `od -A x -t x1` prints it; then whose that was, and when
//   ended CODE         as a shell says it: 128 + signal
//   failed STAGE WHY   stage: workdir, exec, key
// The node's standard output and error are its own. The key is a file of mode 0600 in
// $XDG_RUNTIME_DIR, /dev/shm or /tmp for as long as it takes to open it; then it has no name any
// more. The node finds the driver at `driver`, or at the address from which ssh came.
std::string node_script(const NodeOrder& order);

}  // namespace pp::tools
