// What a Fabric does all day: peers, frames out, completions in.
#include "fabric.hpp"

#include <netinet/in.h>
#include <rdma/fi_errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <pp/error.hpp>
#include <utility>

#include "fabric_endpoint.hpp"

namespace pp::transport {
namespace {

// A peer that takes nothing (stopped, or its host is gone) holds at most this share of the send
// buffers, so that it blocks nobody else.
constexpr std::size_t kSendsPerPeer = 64;
// One poll() ends after this many completions even if more are there: the caller has other work
// too.
constexpr std::size_t kCompletionsPerPoll = 256;

}  // namespace

void Fabric::Endpoint::post(Operation& receive) {
  if (std::exchange(receive.posted, false)) ++unposted;
  const iovec where{receive.buffer, receive_bytes};
  fi_msg message{};
  message.msg_iov = &where;
  message.desc = &receive_descriptor;
  message.iov_count = 1;
  message.addr = FI_ADDR_UNSPEC;
  message.context = &receive.context;
  if (fi_recvmsg(endpoint.get(), &message, receive_flags) != 0) return;  // then in the next poll()
  receive.posted = true;
  --unposted;
}

void Fabric::Endpoint::release(Operation& send) {
  const auto peer = peers.find(static_cast<std::uint64_t>(send.peer));
  if (peer != peers.end()) --peer->second.under_way;
  free_sends.push_back(&send);
}

void Fabric::Endpoint::deliver(std::byte* frame, std::size_t bytes, FabricHandler& handler) {
  if (bytes == 0 || bytes > kMaxFrame) return;  // none of ours
  // A stranger's message of odd length shifts all that follow it in the same buffer.
  if (reinterpret_cast<std::uintptr_t>(frame) % 8 != 0) {
    std::memcpy(aligned.data(), frame, bytes);
    frame = aligned.data();
  }
  handler.on_frame({frame, bytes});
}

void Fabric::Endpoint::complete(const fi_cq_data_entry& entry, FabricHandler& handler) {
  auto* operation = static_cast<Operation*>(entry.op_context);
  if (operation == nullptr) return;
  switch (operation->kind) {
    case Operation::Kind::kSend:
      release(*operation);
      return;
    case Operation::Kind::kRead: {
      auto& read = static_cast<Read&>(*operation);
      if (peers.contains(static_cast<std::uint64_t>(read.peer)))
        handler.on_read(read.peer, read.ticket, {read.buffer, read.bytes});
      release(read);
      return;
    }
    case Operation::Kind::kReceive:
      break;
  }
  if (receive_flags == 0) {  // one message a buffer
    deliver(operation->buffer, entry.len, handler);
    post(*operation);
    return;
  }
  if ((entry.flags & FI_RECV) != 0) {
    deliver(static_cast<std::byte*>(entry.buf), entry.len, handler);
  }
  if ((entry.flags & FI_MULTI_RECV) != 0) post(*operation);  // it is full and ours again
}

std::size_t Fabric::Endpoint::take_error(FabricHandler& handler) {
  fi_cq_err_entry error{};
  if (fi_cq_readerr(cq.get(), &error, 0) != 1) return 0;
  auto* operation = static_cast<Operation*>(error.op_context);
  if (operation == nullptr) return 1;
  const FabricPeer peer = operation->peer;
  switch (operation->kind) {
    case Operation::Kind::kReceive:
      // A stranger's message larger than what was left of the buffer. rxm has let go of the buffer
      // without saying so (no FI_MULTI_RECV); kept back, four such messages would end all
      // receiving.
      post(*operation);
      return 1;
    case Operation::Kind::kSend:
      release(*operation);
      if (peers.contains(static_cast<std::uint64_t>(peer)))
        handler.on_send_failed(peer, says(error.err));
      return 1;
    case Operation::Kind::kRead: {
      auto& read = static_cast<Read&>(*operation);
      release(read);
      if (peers.contains(static_cast<std::uint64_t>(peer)))
        handler.on_read_failed(peer, read.ticket, says(error.err));
      return 1;
    }
  }
  return 1;
}

std::size_t Fabric::Endpoint::tell_failures(FabricHandler& handler) {
  const auto told = std::exchange(failures, {});
  for (const auto& [peer, why, ticket] : told) {
    if (!peers.contains(static_cast<std::uint64_t>(peer))) continue;
    if (ticket) {
      handler.on_read_failed(peer, *ticket, why);
    } else {
      handler.on_send_failed(peer, why);
    }
  }
  return told.size();
}

Fabric::Fabric(const Options& options) : endpoint_(std::make_unique<Endpoint>(options)) {}

Fabric::~Fabric() = default;

FabricAddress Fabric::address() const { return endpoint_->own; }

bool Fabric::is_device() const { return transport::is_device(*endpoint_->info); }

const std::string& Fabric::passed_over() const { return endpoint_->passed_over; }

namespace {

constexpr std::size_t kLongestText = 256;

// The provider copies these bytes as they are; what it would stumble over is refused here.
std::string_view fault_of(const FabricAddress& address, const FabricAddress& own,
                          std::uint32_t format) {
  if (format == FI_ADDR_STR ? address.bytes.size() > kLongestText
                            : address.bytes.size() != own.bytes.size()) {
    return "its length is not that of our own address";
  }
  const auto* bytes = address.bytes.data();
  switch (format) {
    case FI_SOCKADDR_IN: {
      sockaddr_in in{};
      if (address.bytes.size() != sizeof in) return "it is no socket address";
      std::memcpy(&in, bytes, sizeof in);
      if (in.sin_family != AF_INET) return "it is no IPv4 address";
      if (in.sin_port == 0) return "its port is 0";
      if (in.sin_addr.s_addr == 0 || IN_MULTICAST(ntohl(in.sin_addr.s_addr)) ||
          in.sin_addr.s_addr == 0xffffffff) {
        return "it is not the address of one host";
      }
      return {};
    }
    case FI_SOCKADDR_IN6: {
      sockaddr_in6 in{};
      if (address.bytes.size() != sizeof in) return "it is no socket address";
      std::memcpy(&in, bytes, sizeof in);
      if (in.sin6_family != AF_INET6) return "it is no IPv6 address";
      if (in.sin6_port == 0) return "its port is 0";
      if (IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr) || IN6_IS_ADDR_MULTICAST(&in.sin6_addr)) {
        return "it is not the address of one host";
      }
      return {};
    }
    case FI_ADDR_STR:
      if (address.bytes.empty() || bytes[address.bytes.size() - 1] != std::byte{0}) {
        return "its text has no end";
      }
      return {};
    default:
      return {};  // opaque to us: the length was held against our own
  }
}

}  // namespace

FabricPeer Fabric::add(const FabricAddress& address) {
  Endpoint& e = *endpoint_;
  const auto refuse = [&e](const std::string& why) {
    throw Error("cannot use a peer's fabric address: " + why +
                "; expected an address of provider '" + e.own.provider +
                "': give all nodes the same provider");
  };
  if (address.provider != e.own.provider)
    refuse("it belongs to provider '" + address.provider + "'");
  const std::string_view fault = fault_of(address, e.own, e.info->addr_format);
  if (!fault.empty()) refuse(std::string(fault));
  const Meter::Running running(e.meter);
  Endpoint::Destination destination;
  destination.address.assign(reinterpret_cast<const char*>(address.bytes.data()),
                             address.bytes.size());
  Endpoint::Inserted& shared = e.inserted[destination.address];
  if (shared.index == FI_ADDR_UNSPEC) {
    const int done = fi_av_insert(e.av.get(), address.bytes.data(), 1, &shared.index, 0, nullptr);
    if (done != 1) {
      e.inserted.erase(destination.address);
      refuse("fi_av_insert: " + e.says(done < 0 ? done : FI_EINVAL));
    }
  }
  ++shared.peers;
  destination.inserted = &shared;
  destination.index = shared.index;
  const std::uint64_t peer = ++e.last_peer;
  e.peers.emplace(peer, destination);
  return FabricPeer{peer};
}

void Fabric::remove(FabricPeer peer) {
  Endpoint& e = *endpoint_;
  const auto found = e.peers.find(static_cast<std::uint64_t>(peer));
  if (found == e.peers.end()) return;
  const auto shared = e.inserted.find(found->second.address);
  e.peers.erase(found);  // first: what is cancelled now is not told
  if (--shared->second.peers > 0) return;
  // rxm 1.17 crashes when an address is removed whose connection is being set up or could not be (a
  // bound address from which there is no way to the peer). Nothing is queued for it then, so
  // nothing needs to be given up; it stays for the next session.
  if (!shared->second.connected) return;
  const Meter::Running running(e.meter);
  fi_av_remove(e.av.get(), &shared->second.index, 1, 0);
  e.inserted.erase(shared);
}

Fabric::Sent Fabric::send(FabricPeer peer, std::span<const std::byte> frame) {
  assert(!frame.empty() && frame.size() % 8 == 0 && frame.size() <= kMaxFrame);
  Endpoint& e = *endpoint_;
  const auto found = e.peers.find(static_cast<std::uint64_t>(peer));
  if (found == e.peers.end()) return Sent::kGone;
  Endpoint::Destination& to = found->second;

  const Meter::Running running(e.meter);
  ssize_t code = 0;
  if (frame.size() <= e.info->tx_attr->inject_size) {
    code = fi_inject(e.endpoint.get(), frame.data(), frame.size(), to.index);
  } else {
    if (to.under_way == kSendsPerPeer || e.free_sends.empty()) return Sent::kAgain;
    Endpoint::Operation& operation = *e.free_sends.back();
    operation.peer = peer;
    std::memcpy(operation.buffer, frame.data(), frame.size());
    code = fi_send(e.endpoint.get(), operation.buffer, frame.size(), e.send_descriptor, to.index,
                   &operation.context);
    if (code == 0) {
      e.free_sends.pop_back();
      ++to.under_way;
    }
  }
  if (code == -FI_EAGAIN) return Sent::kAgain;
  to.inserted->connected = code == 0;
  e.nap = kShortestNap;
  if (code != 0) e.failures.push_back({peer, e.says(static_cast<int>(code)), std::nullopt});
  return Sent::kSent;
}

std::size_t Fabric::poll(FabricHandler& handler) {
  Endpoint& e = *endpoint_;
  const Meter::Running running(e.meter);
  if (e.unposted > 0) {
    for (Endpoint::Operation& receive : e.receives)
      if (!receive.posted) e.post(receive);
  }
  std::size_t moved = e.tell_failures(handler);
  std::array<fi_cq_data_entry, 32> entries;
  while (moved < kCompletionsPerPoll) {
    const ssize_t read = fi_cq_read(e.cq.get(), entries.data(), entries.size());
    if (read == -FI_EAVAIL) {
      const std::size_t errors = e.take_error(handler);
      if (errors == 0) break;
      moved += errors;
      continue;
    }
    if (read <= 0) break;
    for (ssize_t i = 0; i < read; ++i) e.complete(entries[static_cast<std::size_t>(i)], handler);
    moved += static_cast<std::size_t>(read);
  }
  if (moved > 0) e.nap = kShortestNap;
  return moved;
}

std::size_t Fabric::held() const {
  return static_cast<std::size_t>(
      std::max<std::int64_t>(0, endpoint_->meter.bytes() - endpoint_->opened_with));
}

Fabric::Callers Fabric::look_at_callers() {
  if (!endpoint_->port) return {};
  const pp::transport::Callers::Seen seen = endpoint_->port->look();
  return {seen.connected, seen.cut_off};
}

std::size_t Fabric::cut_off_silent_callers() {
  return endpoint_->port ? endpoint_->port->cut_off(pp::transport::Callers::Which::kSilent) : 0;
}

void Fabric::cut_off_all_callers(FabricHandler& handler) {
  if (!endpoint_->port) return;
  // It takes what one look at its sockets finds in each round; the kernel may have more in store.
  constexpr int kRounds = 64;
  for (int round = 0; round < kRounds; ++round) {
    if (endpoint_->port->cut_off(pp::transport::Callers::Which::kAll) == 0) return;
    poll(handler);
  }
}

int Fabric::wait_fd() const { return endpoint_->wait_fd; }

bool Fabric::may_sleep() {
  Endpoint& e = *endpoint_;
  if (!e.failures.empty()) return false;
  if (e.wait_fd < 0) {
    e.nap = std::min(2 * e.nap, kLongestNap);
    return true;
  }
  fid* waiting[] = {&e.cq->fid};
  return fi_trywait(e.fabric.get(), waiting, 1) == 0;
}

std::chrono::microseconds Fabric::longest_nap() const {
  return endpoint_->wait_fd < 0 ? endpoint_->nap : kAnyNap;
}

}  // namespace pp::transport
