// The libfabric endpoint behind Fabric: opening it, its buffers, its completions, its end.
#include "fabric.hpp"

#include <netinet/in.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <pp/error.hpp>
#include <unordered_map>
#include <utility>

#include "callers.hpp"
#include "libfabric.hpp"
#include "meter.hpp"
#include "undisturbed.hpp"

namespace pp::transport {
namespace {

constexpr std::size_t kReceiveBuffers = 4;
constexpr std::size_t kReceiveBytes = 256 * 1024;
constexpr std::size_t kSendBuffers = 512;
// A peer that takes nothing (stopped, or its host is gone) holds at most this share of the send
// buffers, so that it blocks nobody else.
constexpr std::size_t kSendsPerPeer = 64;
// One poll() ends after this many completions even if more are there: the caller has other work
// too.
constexpr std::size_t kCompletionsPerPoll = 256;
constexpr std::uint32_t kApi = FI_VERSION(1, 17);

// All of these are read in the first fi_getinfo of the process and never again (seen by watching
// getenv; fabric_test opens a second endpoint without them and connects it to the first: rxm would
// refuse a peer with another buffer size). A program that calls libfabric before us must set them
// itself. PSM's library reads the last one in its constructor, when libfabric is loaded.
constexpr Undisturbed::Variable kEnvironment[] = {
    {"FI_OFI_RXM_BUFFER_SIZE", "8192"},           // the eager limit = kMaxFrame
    {"FI_OFI_RXM_CM_PROGRESS_INTERVAL", "1000"},  // us; 10 ms delay each step of a connection
    {"FI_OFI_RXM_MSG_RX_SIZE", "512"},            // 11 MB an endpoint instead of 71
    {"FI_AV_REMOVE_CLEANUP", "1"},                // removing a peer gives up what is queued for it
    {"FI_MR_CACHE_MONITOR", "disabled"},          // we register long-lived pools: nothing to watch
    {"IPATH_NO_BACKTRACE", "1"},                  // no signal handlers, no *.btr files
};
static_assert(Fabric::kMaxFrame == 8192, "the text of FI_OFI_RXM_BUFFER_SIZE says so too");

std::string libfabric_says(int code) {
  return std::string(Libfabric::library().strerror(code < 0 ? -code : code)) + " (" +
         std::to_string(code) + ")";
}

// Closes what libfabric opened. A failure to close has no cure (after error completions rxm's
// domain may stay busy) and is not told.
template <typename T>
struct Close {
  void operator()(T* object) const { fi_close(&object->fid); }
};
template <typename T>
using Owned = std::unique_ptr<T, Close<T>>;

struct FreeInfo {
  void operator()(fi_info* info) const { Libfabric::library().freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, FreeInfo>;

struct FreeAligned {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte[], FreeAligned>;

Memory page_aligned(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(4096, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return Memory(memory);
}

// What libfabric hands back with a completion. Providers may write into `context`, so it comes
// first.
struct Operation {
  fi_context2 context{};
  std::byte* buffer = nullptr;
  FabricPeer peer{};  // of a send; outlives libfabric's own index, which is used again at once
  bool is_send = false;
  bool posted = false;  // of a receive buffer: libfabric has it
};

// An address in libfabric's vector. Two sessions with one node (both dialled at once) share it:
// libfabric gives a second insertion the same index, and removing it once would take the other
// session's connection along.
struct Inserted {
  fi_addr_t index = FI_ADDR_UNSPEC;
  std::size_t peers = 0;
  bool connected = false;  // the last thing sent was accepted
};

struct Destination {
  fi_addr_t index = FI_ADDR_UNSPEC;
  Inserted* inserted = nullptr;  // stays where it is while peers use it
  std::string address;           // of Inserted
  std::size_t under_way = 0;     // send buffers it holds
};

Info hints_for(const Fabric::Options& options) {
  Info hints(Libfabric::library().dupinfo(nullptr));  // of nothing: a fresh one
  if (hints == nullptr) throw std::bad_alloc();
  hints->caps = FI_MSG | FI_MULTI_RECV;  // what is not asked for keeps rxm's fast path
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->av_type = FI_AV_TABLE;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  hints->tx_attr->msg_order = FI_ORDER_SAS;  // frames are numbered: a gap is a loss
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  hints->fabric_attr->prov_name = strdup(options.provider.c_str());
  return hints;
}

}  // namespace

struct Fabric::Endpoint {
  explicit Endpoint(const Options& options);

  [[noreturn]] void refuse(std::string_view step, int code) const;
  void must(std::string_view step, int code) const {
    if (code != 0) refuse(step, code);
  }
  void open_objects();
  void post(Operation& receive);
  void release(Operation& send);
  std::size_t take_error(FabricHandler& handler);
  void complete(const fi_cq_data_entry& entry, FabricHandler& handler);
  void deliver(std::byte* frame, std::size_t bytes, FabricHandler& handler);
  std::size_t tell_failures(FabricHandler& handler);

  Options options;
  Memory receive_memory, send_memory;
  std::array<Operation, kReceiveBuffers> receives;
  std::vector<Operation> sends = std::vector<Operation>(kSendBuffers);
  std::vector<Operation*> free_sends;
  std::unordered_map<std::uint64_t, Destination> peers;
  std::unordered_map<std::string, Inserted> inserted;  // by the address's bytes
  std::uint64_t last_peer = 0;
  // Sends that libfabric refused on the spot for good; told in the next poll().
  std::vector<std::pair<FabricPeer, std::string>> failures;
  alignas(8) std::array<std::byte, kMaxFrame> aligned{};
  FabricAddress own;
  int wait_fd = -1;
  Meter meter;                                 // what the provider holds
  std::int64_t opened_with = 0;                // of it, when it was opened
  std::optional<pp::transport::Callers> port;  // unless the provider has no sockets

  // Closed from the bottom up: endpoint, memory, queue, addresses, domain, fabric.
  Info info;
  Owned<fid_fabric> fabric;
  Owned<fid_domain> domain;
  Owned<fid_av> av;
  Owned<fid_cq> cq;
  Owned<fid_mr> receive_registration, send_registration;
  Owned<fid_ep> endpoint;
};

void Fabric::Endpoint::refuse(std::string_view step, int code) const {
  throw Error("cannot open the libfabric endpoint: provider '" + options.provider + "' at " +
              Address{options.host, options.port}.to_string() + ": " + std::string(step) + ": " +
              libfabric_says(code) +
              "; expected a provider of this libfabric that can send messages between reliable "
              "datagram endpoints, a numeric address of this host and a free port: check them, or "
              "choose the control connection alone (fabric \"off\")");
}

Fabric::Endpoint::Endpoint(const Options& wanted)
    : options(wanted),
      receive_memory(page_aligned(kReceiveBuffers * kReceiveBytes)),
      send_memory(page_aligned(kSendBuffers * kMaxFrame)) {
  if (options.host.empty()) refuse("no host given", FI_EINVAL);
  for (std::size_t i = 0; i < kReceiveBuffers; ++i) {
    receives[i].buffer = receive_memory.get() + i * kReceiveBytes;
  }
  free_sends.reserve(kSendBuffers);
  for (std::size_t i = 0; i < kSendBuffers; ++i) {
    sends[i].buffer = send_memory.get() + i * kMaxFrame;
    sends[i].is_send = true;
    free_sends.push_back(&sends[i]);
  }

  // libfabric reads its variables once per process, so the first endpoint sets them for all.
  static std::mutex opening;
  static bool environment_read = false;
  const std::lock_guard lock(opening);
  std::span<const Undisturbed::Variable> variables = kEnvironment;
  if (environment_read) variables = {};
  const Undisturbed undisturbed(variables);
  environment_read = true;
  Libfabric::library();  // its own memory is no endpoint's
  const Meter::Running running(meter);
  open_objects();
  opened_with = meter.bytes();
}

void Fabric::Endpoint::open_objects() {
  const Info hints = hints_for(options);
  const std::string service = std::to_string(options.port);
  fi_info* found = nullptr;
  must("fi_getinfo", Libfabric::library().getinfo(kApi, options.host.c_str(),
                                                  options.port == 0 ? nullptr : service.c_str(),
                                                  FI_SOURCE | FI_NUMERICHOST, hints.get(), &found));
  info.reset(found);
  if (info->ep_attr->max_msg_size < kMaxFrame) refuse("longest message too short", FI_EMSGSIZE);

  fid_fabric* new_fabric = nullptr;
  must("fi_fabric", Libfabric::library().fabric(info->fabric_attr, &new_fabric, nullptr));
  fabric.reset(new_fabric);
  fid_domain* new_domain = nullptr;
  must("fi_domain", fi_domain(fabric.get(), info.get(), &new_domain, nullptr));
  domain.reset(new_domain);

  fi_av_attr av_attr{};
  av_attr.type = FI_AV_TABLE;
  fid_av* new_av = nullptr;
  must("fi_av_open", fi_av_open(domain.get(), &av_attr, &new_av, nullptr));
  av.reset(new_av);

  fi_cq_attr cq_attr{};
  cq_attr.format = FI_CQ_FORMAT_DATA;
  cq_attr.wait_obj = FI_WAIT_FD;
  cq_attr.size = kSendBuffers + info->rx_attr->size;
  fid_cq* new_cq = nullptr;
  must("fi_cq_open", fi_cq_open(domain.get(), &cq_attr, &new_cq, nullptr));
  cq.reset(new_cq);
  must("no descriptor to wait on", fi_control(&cq->fid, FI_GETWAIT, &wait_fd));

  if ((info->domain_attr->mr_mode & FI_MR_LOCAL) != 0) {
    const auto registered = [this](std::byte* memory, std::size_t bytes, std::uint64_t access,
                                   std::uint64_t key) {
      fid_mr* registration = nullptr;
      must("fi_mr_reg",
           fi_mr_reg(domain.get(), memory, bytes, access, 0, key, 0, &registration, nullptr));
      return Owned<fid_mr>(registration);
    };
    receive_registration =
        registered(receive_memory.get(), kReceiveBuffers * kReceiveBytes, FI_RECV, 1);
    send_registration = registered(send_memory.get(), kSendBuffers * kMaxFrame, FI_SEND, 2);
  }

  fid_ep* new_endpoint = nullptr;
  must("fi_endpoint", fi_endpoint(domain.get(), info.get(), &new_endpoint, nullptr));
  endpoint.reset(new_endpoint);
  must("fi_ep_bind to the address vector", fi_ep_bind(endpoint.get(), &av->fid, 0));
  must("fi_ep_bind to the completion queue",
       fi_ep_bind(endpoint.get(), &cq->fid, FI_TRANSMIT | FI_RECV));
  // A message that does not fit into what is left of a receive buffer is lost and takes its
  // connection along: a buffer with less room than the largest frame is given back first.
  std::size_t room = kMaxFrame;
  must("fi_setopt FI_OPT_MIN_MULTI_RECV",
       fi_setopt(&endpoint->fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &room, sizeof room));
  must("fi_enable", fi_enable(endpoint.get()));
  for (Operation& receive : receives) post(receive);

  own.provider = info->fabric_attr->prov_name;
  std::size_t length = 0;
  fi_getname(&endpoint->fid, nullptr, &length);  // says -FI_ETOOSMALL and the length
  own.bytes.resize(length);
  must("fi_getname", fi_getname(&endpoint->fid, own.bytes.data(), &length));
  own.bytes.resize(length);
  if (info->addr_format == FI_SOCKADDR_IN || info->addr_format == FI_SOCKADDR_IN6) {
    sockaddr_storage at{};
    std::memcpy(&at, own.bytes.data(), std::min(length, sizeof at));
    port.emplace(at);
  }
}

void Fabric::Endpoint::post(Operation& receive) {
  const iovec where{receive.buffer, kReceiveBytes};
  void* registration =
      receive_registration == nullptr ? nullptr : fi_mr_desc(receive_registration.get());
  fi_msg message{};
  message.msg_iov = &where;
  message.desc = &registration;
  message.iov_count = 1;
  message.addr = FI_ADDR_UNSPEC;
  message.context = &receive.context;
  receive.posted = fi_recvmsg(endpoint.get(), &message, FI_MULTI_RECV) == 0;  // else: next poll()
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
  if (operation->is_send) {
    release(*operation);
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
  if (!operation->is_send) {
    // A stranger's message larger than what was left of the buffer. rxm has let go of the buffer
    // without saying so (no FI_MULTI_RECV); kept back, four such messages would end all receiving.
    post(*operation);
    return 1;
  }
  const FabricPeer peer = operation->peer;
  release(*operation);
  if (peers.contains(static_cast<std::uint64_t>(peer))) {
    handler.on_send_failed(peer, libfabric_says(error.err));
  }
  return 1;
}

std::size_t Fabric::Endpoint::tell_failures(FabricHandler& handler) {
  const auto told = std::exchange(failures, {});
  for (const auto& [peer, why] : told) {
    if (peers.contains(static_cast<std::uint64_t>(peer))) handler.on_send_failed(peer, why);
  }
  return told.size();
}

Fabric::Fabric(const Options& options) : endpoint_(std::make_unique<Endpoint>(options)) {}

Fabric::~Fabric() = default;

FabricAddress Fabric::address() const { return endpoint_->own; }

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
  Destination destination;
  destination.address.assign(reinterpret_cast<const char*>(address.bytes.data()),
                             address.bytes.size());
  Inserted& shared = e.inserted[destination.address];
  if (shared.index == FI_ADDR_UNSPEC) {
    const int done = fi_av_insert(e.av.get(), address.bytes.data(), 1, &shared.index, 0, nullptr);
    if (done != 1) {
      e.inserted.erase(destination.address);
      refuse("fi_av_insert: " + libfabric_says(done < 0 ? done : FI_EINVAL));
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
  Destination& to = found->second;

  const Meter::Running running(e.meter);
  ssize_t code = 0;
  if (frame.size() <= e.info->tx_attr->inject_size) {
    code = fi_inject(e.endpoint.get(), frame.data(), frame.size(), to.index);
  } else {
    if (to.under_way == kSendsPerPeer || e.free_sends.empty()) return Sent::kAgain;
    Operation& operation = *e.free_sends.back();
    operation.peer = peer;
    std::memcpy(operation.buffer, frame.data(), frame.size());
    void* registration =
        e.send_registration == nullptr ? nullptr : fi_mr_desc(e.send_registration.get());
    code = fi_send(e.endpoint.get(), operation.buffer, frame.size(), registration, to.index,
                   &operation.context);
    if (code == 0) {
      e.free_sends.pop_back();
      ++to.under_way;
    }
  }
  if (code == -FI_EAGAIN) return Sent::kAgain;
  to.inserted->connected = code == 0;
  if (code != 0) e.failures.emplace_back(peer, libfabric_says(static_cast<int>(code)));
  return Sent::kSent;
}

std::size_t Fabric::poll(FabricHandler& handler) {
  Endpoint& e = *endpoint_;
  const Meter::Running running(e.meter);
  for (Operation& receive : e.receives) {
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
  fid* waiting[] = {&e.cq->fid};
  return fi_trywait(e.fabric.get(), waiting, 1) == 0;
}

}  // namespace pp::transport
