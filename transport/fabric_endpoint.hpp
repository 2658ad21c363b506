// Fabric::Endpoint: what is behind a Fabric, in the hands of its three files.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "callers.hpp"
#include "fabric.hpp"
#include "fabric_provider.hpp"
#include "libfabric.hpp"
#include "meter.hpp"
#include "registration.hpp"

namespace pp::transport {

struct FreeAligned {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<std::byte[], FreeAligned>;
AlignedMemory page_aligned(std::size_t bytes);

// fabric_open.cpp opens it, fabric.cpp sends and takes frames, fabric_remote.cpp is remote memory.
struct Fabric::Endpoint {
  // What libfabric hands back with a completion. Providers may write into `context`, so it comes
  // first.
  struct Operation {
    enum class Kind : std::uint8_t { kReceive, kSend, kRead };
    fi_context2 context{};
    std::byte* buffer = nullptr;
    FabricPeer peer{};  // not of a receive; outlives libfabric's own index, which is used again
    Kind kind = Kind::kReceive;
    bool posted = false;  // of a receive buffer: libfabric has it
  };
  struct Read : Operation {
    AlignedMemory memory;
    Owned<fid_mr> registration;
    void* descriptor = nullptr;
    std::uint64_t ticket = 0;
    std::size_t bytes = 0;
  };

  // An address in libfabric's vector. Two sessions with one node (both dialled at once) share it:
  // libfabric gives a second insertion the same index, and removing it once would take the other
  // session's connection along.
  struct Inserted {
    fi_addr_t index = FI_ADDR_UNSPEC;  // of the provider's own kind: a number or a pointer
    std::size_t peers = 0;
    bool connected = false;  // the last thing sent was accepted
  };

  struct Destination {
    fi_addr_t index = FI_ADDR_UNSPEC;
    Inserted* inserted = nullptr;  // stays where it is while peers use it
    std::string address;           // of Inserted
    std::size_t under_way = 0;     // send buffers it holds
    std::size_t reads = 0;         // buffers for reads that it holds
  };

  // A step of opening that a provider did not take.
  struct Refused {
    std::string why;
    bool lacks_memory = false;
  };

  explicit Endpoint(const Options& options);
  ~Endpoint();

  // ---- fabric_open.cpp
  void open();
  void open_objects(const Candidate& candidate);
  void open_queue();
  void register_pools();
  void make_receives();
  void close_objects();
  void must(std::string_view step, int code) const;
  std::string says(int code) const;

  // ---- fabric.cpp
  void post(Operation& receive);
  void release(Operation& send);
  std::size_t take_error(FabricHandler& handler);
  void complete(const fi_cq_data_entry& entry, FabricHandler& handler);
  void deliver(std::byte* frame, std::size_t bytes, FabricHandler& handler);
  std::size_t tell_failures(FabricHandler& handler);

  // ---- fabric_remote.cpp
  Read* free_read();
  void release(Read& read);

  Options options;
  const Libfabric* library = nullptr;
  AlignedMemory receive_memory, send_memory;
  std::vector<Operation> receives;
  std::size_t unposted = 0;         // of them: libfabric would not have them yet
  std::size_t receive_bytes = 0;    // of each
  std::uint64_t receive_flags = 0;  // FI_MULTI_RECV, if the provider fills a buffer bit by bit
  void* receive_descriptor = nullptr;
  void* send_descriptor = nullptr;
  std::vector<Operation> sends;
  std::vector<Operation*> free_sends;
  std::unordered_map<std::uint64_t, Destination> peers;
  std::unordered_map<std::string, Inserted> inserted;  // by the address's bytes
  std::uint64_t last_peer = 0;
  // What libfabric refused on the spot for good; told in the next poll().
  struct Failure {
    FabricPeer peer{};
    std::string why;
    std::optional<std::uint64_t> ticket;  // of a read
  };
  std::vector<Failure> failures;
  alignas(8) std::array<std::byte, kMaxFrame> aligned{};
  FabricAddress own;
  std::string passed_over;
  int wait_fd = -1;
  std::chrono::microseconds nap = kShortestNap;  // without a descriptor
  std::vector<std::unique_ptr<Read>> reads;
  std::vector<Read*> free_reads;
  std::uint64_t last_exposure =
      0;  // begins anywhere: a number of an earlier Fabric means nothing here
  std::string no_remote_memory;                // why there is none
  Meter meter;                                 // what the provider holds
  std::int64_t opened_with = 0;                // of it, when it was opened
  std::optional<pp::transport::Callers> port;  // unless the provider has no sockets

  std::optional<Providers> providers;  // own what `info` points at
  const fi_info* info = nullptr;

  // Closed from the bottom up, by close_objects().
  Owned<fid_fabric> fabric;
  Owned<fid_domain> domain;
  std::optional<Registrar> registrar;
  Owned<fid_av> av;
  Owned<fid_cq> cq;
  Owned<fid_mr> receive_registration, send_registration;
  Owned<fid_ep> endpoint;
  std::unordered_map<std::uint64_t, Owned<fid_mr>> exposures;
};

}  // namespace pp::transport
