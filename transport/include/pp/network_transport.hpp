// The transport between processes and hosts: a control connection per peer, and beside it shared
// memory or a libfabric endpoint for the data.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <pp/cluster_key.hpp>
#include <pp/transport.hpp>

#pragma GCC visibility push(default)

namespace pp::transport {

struct Libfabric;

// Every wait has a limit, and every limit a name. Seconds unless the type says otherwise.
struct Limits {
  std::chrono::milliseconds connect{2000};     // TCP connect
  std::chrono::milliseconds handshake{2000};   // from accepted or connected to proven
  std::chrono::milliseconds fabric{5000};      // from proven to both data directions open
  std::chrono::milliseconds heartbeat{1000};   // what was received is acknowledged within this time
  std::chrono::milliseconds dead{3000};        // no answer for so long: a session is over
  std::chrono::milliseconds keepalive{1000};   // an idle session says that it lives
  // For so long a node that has just heard from a peer in shared memory looks for the next word
  // before it sleeps: about what it costs to be woken. It yields its core to whoever wants it, and
  // gives the looking up, for a while, where it comes to nothing. 0: never.
  std::chrono::microseconds spin{20};
  std::uint32_t unproven = 64;                 // connections under handshake (protocol.md rule 26)
  std::uint32_t unproven_per_source = 8;
  std::uint32_t credit_frames = 128;           // data frames a peer may have in flight towards us
  // The fabric accepts everybody before our proof (protocol.md rule 28). Past either limit it is
  // closed, the sessions on it with it, and opened anew; the fourth time within an hour it stays
  // closed and data goes by the control connections. Each proven session may add some to both.
  // (A pool of the provider grows by 8 MiB at a time: it holds some of those by itself.)
  std::size_t fabric_memory = std::size_t{64} << 20;  // bytes that the provider may hold
  std::uint32_t fabric_callers = 256;                 // connections to its port
  std::chrono::milliseconds fabric_silence{2000};     // a caller that has said nothing is cut off
};

struct NetworkOptions {
  Introduction introduction;
  // Where the control port listens; port 0 takes any free one. An empty host chooses: `interface` if
  // given; otherwise every interface that is up, is not loopback and is not a container's or a virtual
  // bridge. If there are several, the addresses of all are published, in the order: the one that leads
  // `towards`, or over which the first contact came; then the system's. The fabric is bound to the first
  // of them, and carries the data of sessions that run over it.
  Address listen;
  std::vector<Address> towards;                // who will be dialled
  std::string interface;                       // "eth0"; empty = choose
  // "auto": the best libfabric provider that opens here, which is that of a network card with transport
  // of its own (verbs;ofi_rxm, efa, cxi, ...) before TCP's, and the control connection where none does. A
  // provider by name or by its core's ("verbs"): that one. "off": the same sealed frames on the control
  // connection and no fabric port open (protocol.md rule 28). Two nodes whose providers differ speak by
  // the control connection. "auto" opens the fabric when somebody comes who may be on another host (or
  // shares no memory), on whom that waits: nodes of one host do not load libfabric.
  std::string fabric = "auto";
  // Whether nodes of the same user on this host are spoken to through memory that both map, if they
  // want it too; it comes before the fabric and before the control connection.
  bool shared_memory = true;
  std::uint16_t fabric_port = 0;               // 0: control port + 1 if the control port was given, else any
  Limits limits;
  const Libfabric* libfabric = nullptr;        // null: the system's; tests put theirs in front of it
};

// Opens the control port, and the fabric endpoint unless that has time. (Where there is no shared memory to be had, it goes
// without.) Throws pp::Error that names what was tried: an address in
// use, an interface that does not exist (with those considered and why they were skipped), no provider.
// The process's signal handlers stay as they are, and its environment but for IPATH_NO_BACKTRACE=1,
// which keeps a library that libfabric brings from taking them over. REQUIRES: no other thread reads
// or writes the environment meanwhile.
std::unique_ptr<Transport> open_network(ClusterKey key, NetworkOptions options);

}  // namespace pp::transport

#pragma GCC visibility pop
