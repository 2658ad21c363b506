// Fabric's remote memory: what is exposed, and what is read.
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <algorithm>
#include <cassert>

#include "fabric_endpoint.hpp"

namespace pp::transport {
namespace {

// Buffers for reads, taken as they are needed: 8 MiB at most. Two large pieces under way keep a
// link busy while a third is being opened; nobody holds more than a share, so that one who does not
// answer blocks nobody else.
constexpr std::size_t kReads = 32;
constexpr std::size_t kReadsPerPeer = 8;
// At once, here; a limit of the memory that strangers' libfabric may reach and that stays locked.
constexpr std::size_t kExposures = 4096;

}  // namespace

std::string_view Fabric::why_no_remote_memory() const { return endpoint_->no_remote_memory; }

std::size_t Fabric::longest_read() const {
  if (!endpoint_->no_remote_memory.empty()) return 0;
  return std::min<std::size_t>(kLongestPiece, endpoint_->info->ep_attr->max_msg_size);
}

std::optional<Exposure> Fabric::expose(std::span<const std::byte> memory, std::string& why) {
  Endpoint& e = *endpoint_;
  why = e.no_remote_memory;
  if (memory.empty()) why = "there are no bytes";
  if (e.exposures.size() == kExposures)
    why = std::to_string(kExposures) + " pieces of memory are exposed already";
  if (!why.empty()) return std::nullopt;
  const Meter::Running running(e.meter);
  Owned<fid_mr> registration = e.registrar->add(memory, FI_REMOTE_READ);
  if (registration == nullptr) {
    why = e.registrar->why();
    return std::nullopt;
  }
  const RemoteMemory exposed{e.registrar->address_of(memory), fi_mr_key(registration.get()),
                             memory.size()};
  const std::uint64_t number = ++e.last_exposure;
  e.exposures.emplace(number, std::move(registration));
  return Exposure{ExposureId{number}, exposed};
}

void Fabric::withdraw(ExposureId exposure) {
  Endpoint& e = *endpoint_;
  const auto found = e.exposures.find(static_cast<std::uint64_t>(exposure));
  if (found == e.exposures.end()) return;
  const Meter::Running running(e.meter);
  e.registrar->remove(std::move(found->second));
  e.exposures.erase(found);
}

// Null: all are in use, or another one cannot be had now.
Fabric::Endpoint::Read* Fabric::Endpoint::free_read() {
  if (!free_reads.empty()) return free_reads.back();
  if (reads.size() == kReads) return nullptr;
  auto read = std::make_unique<Read>();
  read->kind = Operation::Kind::kRead;
  read->memory = page_aligned(kLongestPiece);
  read->buffer = read->memory.get();
  if (registrar->local_wanted()) {
    read->registration = registrar->add({read->buffer, kLongestPiece}, FI_READ);
    if (read->registration == nullptr) return nullptr;
    read->descriptor = fi_mr_desc(read->registration.get());
  }
  free_reads.push_back(read.get());
  reads.push_back(std::move(read));
  return free_reads.back();
}

void Fabric::Endpoint::release(Read& read) {
  const auto peer = peers.find(static_cast<std::uint64_t>(read.peer));
  if (peer != peers.end()) --peer->second.reads;
  free_reads.push_back(&read);
}

Fabric::Sent Fabric::read(FabricPeer peer, const RemoteMemory& from, std::uint64_t ticket) {
  assert(from.bytes > 0 && from.bytes <= longest_read());
  Endpoint& e = *endpoint_;
  const auto found = e.peers.find(static_cast<std::uint64_t>(peer));
  if (found == e.peers.end()) return Sent::kGone;
  Endpoint::Destination& to = found->second;
  if (to.reads == kReadsPerPeer) return Sent::kAgain;
  const Meter::Running running(e.meter);
  Endpoint::Read* const read = e.free_read();
  if (read == nullptr) {
    if (!e.reads.empty()) return Sent::kAgain;
    // Not one can be had, and none is under way whose end would help.
    e.failures.push_back({peer, "no buffer to read into: " + e.registrar->why(), ticket});
    return Sent::kSent;
  }
  read->peer = peer;
  read->ticket = ticket;
  read->bytes = static_cast<std::size_t>(from.bytes);
  const ssize_t code = fi_read(e.endpoint.get(), read->buffer, read->bytes, read->descriptor,
                               to.index, from.address, from.key, &read->context);
  if (code == -FI_EAGAIN) return Sent::kAgain;
  to.inserted->connected = code == 0;
  e.nap = kShortestNap;
  if (code == 0) {
    e.free_reads.pop_back();
    ++to.reads;
  } else {
    e.failures.push_back({peer, e.says(static_cast<int>(code)), ticket});
  }
  return Sent::kSent;
}

}  // namespace pp::transport
