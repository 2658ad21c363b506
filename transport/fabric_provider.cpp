// Providers by what fi_getinfo says of them.
#include "fabric_provider.hpp"

#include <net/if.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <pp/error.hpp>
#include <tuple>

#include "hello.hpp"

namespace pp::transport {
namespace {

// The oldest interface that we need; libfabric 2 answers it as well. What else a version can do is
// seen in its answers.
constexpr std::uint32_t kApi = FI_VERSION(1, 17);

// What we would like and what we can do without, in this order: reading of remote memory, receive
// buffers for many messages. (What is not asked for keeps rxm's fast path: no tags, no atomics, no
// source addresses.)
constexpr std::uint64_t kFrames = FI_MSG;
constexpr std::uint64_t kReading = FI_RMA | FI_READ | FI_REMOTE_READ;
constexpr std::array<std::uint64_t, 4> kWishes = {
    kFrames | FI_MULTI_RECV | kReading, kFrames | FI_MULTI_RECV, kFrames | kReading, kFrames};

constexpr std::uint64_t kModes = FI_CONTEXT | FI_CONTEXT2;  // Operation has room for either

bool is_internet(std::uint32_t format) {
  return format == FI_SOCKADDR || format == FI_SOCKADDR_IN || format == FI_SOCKADDR_IN6;
}

// Formats that only hardware has.
bool is_native(std::uint32_t format) {
  return !is_internet(format) && format != FI_SOCKADDR_IB && format != FI_ADDR_STR &&
         format != FI_FORMAT_UNSPEC;
}

bool is_better(const Candidate& a, const Candidate& b) {
  const auto rank = [](const Candidate& c) {
    return std::tuple(c.exact, c.device, c.speed, c.drops_sends, c.remote_memory);
  };
  return rank(a) > rank(b);
}

std::string_view name_of(const fi_info& info) {
  const char* name = info.fabric_attr->prov_name;
  return name == nullptr ? std::string_view() : name;
}

Info hints_for(const Libfabric& library, const std::string& provider, std::uint64_t caps) {
  Info hints(library.dupinfo(nullptr), FreeInfo{&library});  // of nothing: a fresh one
  if (hints == nullptr) throw std::bad_alloc();
  hints->caps = caps;
  hints->mode = kModes;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  hints->domain_attr->mr_mode = kRegistrationModes;
  hints->tx_attr->msg_order = FI_ORDER_SAS;  // frames are numbered: a gap is a loss
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  if (provider != "auto") hints->fabric_attr->prov_name = ::strdup(provider.c_str());
  return hints;
}

}  // namespace

std::string fault_of(const fi_info& info) {
  if (info.ep_attr->type != FI_EP_RDM) return "it has no reliable datagrams";
  if ((info.caps & FI_MSG) == 0) return "it sends no messages";
  if ((info.mode & FI_MSG_PREFIX) != 0) return "it wants room in front of every message";
  if ((info.mode & ~kModes) != 0)
    return "it asks for something that pp does not do (mode " + std::to_string(info.mode) + ")";
  if ((info.domain_attr->mr_mode & ~kRegistrationModes) != 0)
    return "it wants memory registered in a way that pp does not know (mr_mode " +
           std::to_string(info.domain_attr->mr_mode) + ")";
  if (info.ep_attr->max_msg_size < Fabric::kMaxFrame)
    return "its longest message has " + std::to_string(info.ep_attr->max_msg_size) +
           " bytes, a frame " + std::to_string(Fabric::kMaxFrame);
  if ((info.tx_attr->msg_order & FI_ORDER_SAS) == 0) return "it does not keep messages in order";
  if (info.tx_attr->size == 0 || info.rx_attr->size == 0) return "it has no queue";
  if (info.src_addrlen > kMaxFabricAddress)
    return "its addresses have " + std::to_string(info.src_addrlen) + " bytes, at most " +
           std::to_string(kMaxFabricAddress) + " travel in a handshake";
  if (name_of(info).empty() || name_of(info).size() > kMaxName) return "its name is too long";
  return {};
}

// libfabric.md has the measurements. By name, because no attribute tells: these promise what others
// keep.
std::string_view unusable_because(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kMeasured[] = {
      {"shm", "a peer that is killed leaves a lock held"},
      {"sm2", "it reaches this host only, where pp has shared memory of its own"},
      {"lnx", "it leads over shm"},
      {"net", "its descriptor never lets a sleeper sleep, and it queues without limit"},
      {"sockets", "it is deprecated, and its fi_inject was seen to hang"},
      {"udp", "it has no descriptor to wait on and crashes in places"},
      {"ofi_rxd", "it has no descriptor to wait on and crashes in places"},
      {"ofi_mrail", "it was never tried"},
  };
  for (std::size_t begin = 0; begin <= name.size();) {  // "core;layer;layer"
    const std::size_t end = std::min(name.find(';', begin), name.size());
    for (const auto& [part, why] : kMeasured)
      if (name.substr(begin, end - begin) == part) return why;
    begin = end + 1;
  }
  return {};
}

bool is_device(const fi_info& info) {
  if (is_native(info.addr_format)) return true;
  if (info.nic == nullptr || info.nic->device_attr == nullptr) return false;
  // A description of the card below the system's sockets makes no device of them: their domain is
  // one of the system's network interfaces.
  const char* domain = info.domain_attr->name;
  return domain == nullptr || ::if_nametoindex(domain) == 0;
}

Providers::Providers(const Libfabric& library, const Fabric::Options& options)
    : library_(library), options_(options) {
  for (const std::uint64_t caps : kWishes) {
    // Those with internet addresses are bound to the interface that was chosen. Hardware with
    // addresses of its own knows nothing of that and may not answer when it is named.
    ask(caps, true);
    ask(caps, false);
  }
}

void Providers::ask(std::uint64_t caps, bool at_host) {
  const Info hints = hints_for(library_, options_.provider, caps);
  const std::string service = std::to_string(options_.port);
  fi_info* found = nullptr;
  const int code = at_host ? library_.getinfo(kApi, options_.host.c_str(),
                                              options_.port == 0 ? nullptr : service.c_str(),
                                              FI_SOURCE | FI_NUMERICHOST, hints.get(), &found)
                           : library_.getinfo(kApi, nullptr, nullptr, 0, hints.get(), &found);
  if (code != 0) {
    if (at_host) last_code_ = code;
    return;
  }
  sort(Info(found, FreeInfo{&library_}), at_host);
}

void Providers::sort(Info answers, bool at_host) {
  const bool any = options_.provider == "auto";
  for (const fi_info* info = answers.get(); info != nullptr; info = info->next) {
    if (!at_host && !is_native(info->addr_format)) continue;  // would be bound to any interface
    const std::string name(name_of(*info));
    std::string fault = fault_of(*info);
    if (fault.empty() && any) fault = unusable_because(name);
    const bool device = is_device(*info);
    const fi_link_attr* link = info->nic == nullptr ? nullptr : info->nic->link_attr;
    if (fault.empty() && link != nullptr && link->state == FI_LINK_DOWN) fault = "its link is down";
    // It answers every question; once is enough.
    const auto known = [&](const Candidate& c) {
      const auto same = [](const char* a, const char* b) {
        return a == b || (a != nullptr && b != nullptr && std::strcmp(a, b) == 0);
      };
      return name_of(*c.info) == name && same(c.info->domain_attr->name, info->domain_attr->name) &&
             same(c.info->fabric_attr->name, info->fabric_attr->name);
    };
    if (std::any_of(candidates_.begin(), candidates_.end(), known)) continue;
    if (!fault.empty()) {
      std::string line = "'" + name + "': " + fault;
      if (std::find(declined_.begin(), declined_.end(), line) == declined_.end())
        declined_.push_back(std::move(line));
      continue;
    }
    Candidate candidate;
    candidate.info = info;
    candidate.exact = name == options_.provider;
    candidate.device = device;
    candidate.speed = device && link != nullptr ? link->speed : 0;
    // Measured: rxm alone does so (FI_AV_REMOVE_CLEANUP); with a native tcp of libfabric 2 a peer
    // that hangs keeps its send buffers for good.
    candidate.drops_sends = name.find("ofi_rxm") != std::string::npos;
    candidate.remote_memory = (info->caps & kReading) == kReading;
    // Behind its equals: libfabric's own order counts where ours is silent.
    candidates_.insert(
        std::upper_bound(candidates_.begin(), candidates_.end(), candidate, is_better), candidate);
  }
  answers_.push_back(std::move(answers));
}

std::string Providers::declined() const {
  std::string text;
  for (const std::string& line : declined_) text += (text.empty() ? "" : "; ") + line;
  if (!text.empty()) return text;
  text = "fi_getinfo: " + std::string(library_.strerror(std::abs(last_code_))) + " (" +
         std::to_string(last_code_) + ")";
  const Info hints = hints_for(library_, "auto", kFrames);
  fi_info* found = nullptr;
  if (library_.getinfo(kApi, nullptr, nullptr, 0, hints.get(), &found) != 0) return text;
  const Info all(found, FreeInfo{&library_});
  std::vector<std::string> names;
  for (const fi_info* info = all.get(); info != nullptr; info = info->next) {
    const std::string name = "'" + std::string(name_of(*info)) + "'";
    if (fault_of(*info).empty() && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  }
  text += "; this libfabric has here:";
  for (const std::string& name : names) text += ' ' + name;
  return text;
}

}  // namespace pp::transport
