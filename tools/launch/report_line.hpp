// Report: what a node says to whoever launched it, one line of text at a time.
#pragma once

#include <string>
#include <string_view>

namespace pp::tools {

// A node writes these lines to the pipe named by PP_REPORT_FD:
//
//   listening 127.0.0.1:40321                     its control port is open
//   joined 3f2a91c0 host:4711 127.0.0.1:40322 4 tcp;ofi_rxm
//                                a node is a member: node, name, address, workers, and what carries
//                                the data ("-": there is no session with it yet)
//   left 3f2a91c0 said goodbye   it is none any more, and how it went
//   refused SENTENCE             it refused somebody, or was refused
//   unreachable 127.0.0.1:40321 connection refused
//   ready                        driver: all nodes are there; worker: its driver is
//   drains                       driver: it was asked to end, and begins nothing more
//   version 0.1.0 (wire ...)     under --check: what it is linked with
//   box 4711 6                   worker without PP_BLACK_BOX: process and descriptor of its own;
//                                for who looks after it on its host
//   missing 2                    driver: the join limit has passed without so many nodes
//   http http://127.0.0.1:40323/?token=5f...      it can be watched there
//   error SENTENCE               it is about to end because of this
struct Report {
  enum class Kind {
    kListening,
    kJoined,
    kLeft,
    kRefused,
    kUnreachable,
    kReady,
    kDrains,
    kVersion,
    kMissing,
    kHttp,
    kError,
    kUnknown,  // a line of a later version, or malformed: to be ignored
  };

  Kind kind = Kind::kUnknown;
  std::string node;      // joined, left
  std::string name;      // joined
  std::string address;   // listening, joined, unreachable
  unsigned workers = 0;  // joined
  std::string provider;  // joined
  std::string text;      // left, refused, unreachable, error, version; http: where
  unsigned count = 0;    // missing
};

// Never fails: what cannot be read is kUnknown.
Report parse_report(std::string_view line);

// The text with every control character replaced, at most `longest` bytes: fit for a terminal,
// whoever wrote it.
std::string printable(std::string_view text, std::size_t longest = 512);

}  // namespace pp::tools
