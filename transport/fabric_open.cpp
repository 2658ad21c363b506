// Opening a Fabric: the best provider that works, its objects, its buffers, and their end.
#include <netinet/in.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_errno.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <span>

#include "fabric_endpoint.hpp"
#include "hello.hpp"
#include "undisturbed.hpp"

namespace pp::transport {
namespace {

// One MiB of receive buffers, in few large ones or, where a buffer takes one message only, in many.
constexpr std::size_t kReceiveBuffers = 4;
constexpr std::size_t kReceiveBytes = 256 * 1024;
constexpr std::size_t kAllReceiveBytes = kReceiveBuffers * kReceiveBytes;
constexpr std::size_t kSendBuffers = 512;

// Makes an object by a call that fills in where it is.
template <typename T, typename Make>
int made(Owned<T>& object, const Make& make) {
  T* fresh = nullptr;
  const int code = make(&fresh);
  if (code == 0) object.reset(fresh);
  return code;
}

}  // namespace

AlignedMemory page_aligned(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(4096, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return AlignedMemory(memory);
}

std::string Fabric::Endpoint::says(int code) const {
  return std::string(library->strerror(code < 0 ? -code : code)) + " (" + std::to_string(code) +
         ")";
}

void Fabric::Endpoint::must(std::string_view step, int code) const {
  if (code != 0) throw Refused{std::string(step) + ": " + says(code)};
}

Fabric::Endpoint::Endpoint(const Options& wanted)
    : options(wanted),
      receive_memory(page_aligned(kAllReceiveBytes)),
      send_memory(page_aligned(kSendBuffers * kMaxFrame)),
      sends(kSendBuffers) {
  free_sends.reserve(kSendBuffers);
  for (std::size_t i = 0; i < kSendBuffers; ++i) {
    sends[i].buffer = send_memory.get() + i * kMaxFrame;
    sends[i].kind = Operation::Kind::kSend;
    free_sends.push_back(&sends[i]);
  }

  // One at a time: signal handlers are the process's.
  static std::mutex opening;
  const std::lock_guard lock(opening);
  const Undisturbed undisturbed;
  // Its own memory is no endpoint's.
  library = options.library == nullptr ? &Libfabric::library() : options.library;
  ::getrandom(&last_exposure, sizeof last_exposure, 0);
  const Meter::Running running(meter);
  open();
  opened_with = meter.bytes();
}

Fabric::Endpoint::~Endpoint() { close_objects(); }

void Fabric::Endpoint::open() {
  std::string why = "no host given";
  bool none = false, only_memory = false;
  if (!options.host.empty()) {
    providers.emplace(*library, options);
    none = providers->candidates().empty();
    only_memory = !none;
    for (const Candidate& candidate : providers->candidates()) {
      try {
        open_objects(candidate);
        return;
      } catch (const Refused& refused) {
        close_objects();
        only_memory = only_memory && refused.lacks_memory;
        passed_over += (passed_over.empty() ? "'" : "; '") +
                       std::string(candidate.info->fabric_attr->prov_name) + "': " + refused.why;
      }
    }
    why = passed_over.empty() ? providers->declined() : passed_over;
  }
  const std::string text =
      "cannot open the libfabric endpoint: provider '" + options.provider + "' at " +
      Address{options.host, options.port}.to_string() + ": " + why +
      "; expected a provider of this libfabric that can send messages between reliable datagram "
      "endpoints, a numeric address of this host and a free port: check them, or choose the "
      "control connection alone (fabric \"off\")";
  if (none) throw NoFabricError(NoFabricError::Lack::kProvider, text);
  if (only_memory) throw NoFabricError(NoFabricError::Lack::kLockedMemory, text);
  throw Error(text);
}

void Fabric::Endpoint::open_objects(const Candidate& candidate) {
  info = candidate.info;
  fi_info* const wanted = const_cast<fi_info*>(info);  // libfabric only reads it
  must("fi_fabric", made(fabric, [&](fid_fabric** it) {
         return library->fabric(wanted->fabric_attr, it, nullptr);
       }));
  must("fi_domain",
       made(domain, [&](fid_domain** it) { return fi_domain(fabric.get(), wanted, it, nullptr); }));
  registrar.emplace(*library, *domain, *info->domain_attr);

  fi_av_attr av_attr{};
  // What a peer is called is the provider's to choose; where it leaves that to us, by a number.
  av_attr.type =
      info->domain_attr->av_type == FI_AV_UNSPEC ? FI_AV_TABLE : info->domain_attr->av_type;
  must("fi_av_open",
       made(av, [&](fid_av** it) { return fi_av_open(domain.get(), &av_attr, it, nullptr); }));
  open_queue();

  must("fi_endpoint",
       made(endpoint, [&](fid_ep** it) { return fi_endpoint(domain.get(), wanted, it, nullptr); }));
  must("fi_ep_bind to the address vector", fi_ep_bind(endpoint.get(), &av->fid, 0));
  must("fi_ep_bind to the completion queue",
       fi_ep_bind(endpoint.get(), &cq->fid, FI_TRANSMIT | FI_RECV));
  receive_flags = info->caps & FI_MULTI_RECV;
  if (receive_flags != 0) {
    // A message that does not fit into what is left of a receive buffer is lost and takes its
    // connection along: a buffer with less room than the largest frame is given back first.
    std::size_t room = kMaxFrame;
    must("fi_setopt FI_OPT_MIN_MULTI_RECV",
         fi_setopt(&endpoint->fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &room, sizeof room));
  }
  must("fi_enable", fi_enable(endpoint.get()));
  registrar->serve(*endpoint);
  register_pools();
  make_receives();

  own.provider = info->fabric_attr->prov_name;
  std::size_t length = 0;
  fi_getname(&endpoint->fid, nullptr, &length);  // says -FI_ETOOSMALL and the length
  if (length == 0 || length > kMaxFabricAddress)
    throw Refused{"its address has " + std::to_string(length) + " bytes, at most " +
                  std::to_string(kMaxFabricAddress) + " travel in a handshake"};
  own.bytes.resize(length);
  must("fi_getname", fi_getname(&endpoint->fid, own.bytes.data(), &length));
  own.bytes.resize(length);
  if (!candidate.device &&
      (info->addr_format == FI_SOCKADDR_IN || info->addr_format == FI_SOCKADDR_IN6)) {
    sockaddr_storage at{};
    std::memcpy(&at, own.bytes.data(), std::min(length, sizeof at));
    port.emplace(at);
  }
  if (!candidate.remote_memory)
    no_remote_memory = "provider '" + own.provider + "' does not read remote memory";
}

// With a descriptor to sleep on if there can be one. Some say so at once, some when they are asked
// for it, some never.
void Fabric::Endpoint::open_queue() {
  fi_cq_attr attributes{};
  attributes.format = FI_CQ_FORMAT_DATA;
  attributes.wait_obj = FI_WAIT_FD;
  attributes.size = kSendBuffers + info->rx_attr->size;
  const auto open = [&] {
    return made(cq,
                [&](fid_cq** it) { return fi_cq_open(domain.get(), &attributes, it, nullptr); });
  };
  if (open() == 0 && fi_control(&cq->fid, FI_GETWAIT, &wait_fd) == 0 && wait_fd >= 0) return;
  wait_fd = -1;
  cq.reset();
  attributes.wait_obj = FI_WAIT_NONE;
  if (open() == 0) return;
  attributes.size = 0;  // as many as the provider likes
  must("fi_cq_open", open());
}

void Fabric::Endpoint::register_pools() {
  if (!registrar->local_wanted()) return;
  const auto registered = [this](std::span<const std::byte> memory, std::uint64_t access) {
    Owned<fid_mr> registration = registrar->add(memory, access);
    if (registration == nullptr) throw Refused{registrar->why(), registrar->lacks_memory()};
    return registration;
  };
  receive_registration = registered({receive_memory.get(), kAllReceiveBytes}, FI_RECV);
  receive_descriptor = fi_mr_desc(receive_registration.get());
  send_registration = registered({send_memory.get(), kSendBuffers * kMaxFrame}, FI_SEND);
  send_descriptor = fi_mr_desc(send_registration.get());
}

void Fabric::Endpoint::make_receives() {
  receive_bytes = receive_flags != 0 ? kReceiveBytes : kMaxFrame;
  receives = std::vector<Operation>(
      std::min(kAllReceiveBytes / receive_bytes, std::max<std::size_t>(info->rx_attr->size, 1)));
  unposted = receives.size();
  for (std::size_t i = 0; i < receives.size(); ++i) {
    receives[i].buffer = receive_memory.get() + i * receive_bytes;
    post(receives[i]);
  }
}

// Also what was only opened in part.
void Fabric::Endpoint::close_objects() {
  exposures.clear();
  // What is bound to the endpoint keeps it open; what it may still write to must outlive it.
  const auto forget = [this] {
    reads.clear();
    free_reads.clear();
    receive_registration.reset();
    send_registration.reset();
  };
  if (registrar && registrar->by_endpoint()) forget();
  endpoint.reset();
  forget();
  cq.reset();
  av.reset();
  registrar.reset();
  domain.reset();
  fabric.reset();
  receive_descriptor = send_descriptor = nullptr;
  wait_fd = -1;
  port.reset();
  no_remote_memory.clear();
}

}  // namespace pp::transport
