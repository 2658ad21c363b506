// Straight calls of libfabric.
#include "raw_fabric.hpp"

#include <poll.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>

#include <array>
#include <cstring>
#include <pp/error.hpp>

#include "libfabric.hpp"
#include "pin.hpp"

namespace pp::bench {
namespace {

using transport::Libfabric;

// It looks at its descriptor only; a connection being made must be polled (libfabric 1.17).
constexpr int kConnectingNap = 2, kNap = 100;  // milliseconds

void must(const char* step, long code) {
  if (code < 0) {
    throw Error(std::string("libfabric: ") + step + ": " +
                Libfabric::library().strerror(static_cast<int>(-code)));
  }
}

template <class T>
struct Close {
  void operator()(T* object) const { fi_close(&object->fid); }
};
template <class T>
using Owned = std::unique_ptr<T, Close<T>>;

struct FreeInfo {
  void operator()(fi_info* info) const { Libfabric::library().freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, FreeInfo>;

Info loopback() {
  const Libfabric& library = Libfabric::library();
  const Info hints(library.dupinfo(nullptr));
  hints->caps = FI_MSG;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->av_type = FI_AV_TABLE;
  hints->fabric_attr->prov_name = ::strdup("tcp;ofi_rxm");
  fi_info* found = nullptr;
  must("getinfo",
       library.getinfo(FI_VERSION(1, 17), "127.0.0.1", nullptr, FI_SOURCE, hints.get(), &found));
  return Info(found);
}

template <class T, class Open>
Owned<T> open(const char* step, const Open& how) {
  T* object = nullptr;
  must(step, how(&object));
  return Owned<T>(object);
}

}  // namespace

// Closed from the bottom up.
struct RawFabric::Objects {
  Info info = loopback();
  Owned<fid_fabric> fabric;
  Owned<fid_domain> domain;
  Owned<fid_av> addresses;
  Owned<fid_cq> completions;
  Owned<fid_ep> endpoint;
  fi_addr_t peer = FI_ADDR_UNSPEC;
  int descriptor = -1;
  // Few operations are under way at a time; a context is used again long after its completion.
  std::array<fi_context2, 64> contexts{};
  std::size_t next_context = 0;
};

RawFabric::RawFabric(Waiting waiting) : objects_(std::make_unique<Objects>()), waiting_(waiting) {
  Objects& all = *objects_;
  fi_info* const info = all.info.get();
  all.fabric = open<fid_fabric>("fabric", [info](fid_fabric** made) {
    return Libfabric::library().fabric(info->fabric_attr, made, nullptr);
  });
  all.domain = open<fid_domain>("domain", [&all, info](fid_domain** made) {
    return fi_domain(all.fabric.get(), info, made, nullptr);
  });
  all.addresses = open<fid_av>("address vector", [&all](fid_av** made) {
    fi_av_attr attributes{};
    attributes.type = FI_AV_TABLE;
    return fi_av_open(all.domain.get(), &attributes, made, nullptr);
  });
  all.completions = open<fid_cq>("completion queue", [&all](fid_cq** made) {
    fi_cq_attr attributes{};
    attributes.format = FI_CQ_FORMAT_MSG;
    attributes.wait_obj = FI_WAIT_FD;
    return fi_cq_open(all.domain.get(), &attributes, made, nullptr);
  });
  all.endpoint = open<fid_ep>("endpoint", [&all, info](fid_ep** made) {
    return fi_endpoint(all.domain.get(), info, made, nullptr);
  });
  must("bind", fi_ep_bind(all.endpoint.get(), &all.addresses->fid, 0));
  must("bind", fi_ep_bind(all.endpoint.get(), &all.completions->fid, FI_TRANSMIT | FI_RECV));
  must("enable", fi_enable(all.endpoint.get()));
  must("descriptor", fi_control(&all.completions->fid, FI_GETWAIT, &all.descriptor));
}

RawFabric::~RawFabric() = default;

std::string RawFabric::address() const {
  std::string bytes(128, '\0');
  std::size_t size = bytes.size();
  must("name", fi_getname(&objects_->endpoint->fid, bytes.data(), &size));
  bytes.resize(size);
  return bytes;
}

void RawFabric::connect(const std::string& address) {
  must("insert",
       fi_av_insert(objects_->addresses.get(), address.data(), 1, &objects_->peer, 0, nullptr) - 1);
}

void RawFabric::post_receive(std::span<std::byte> bytes) {
  Objects& all = *objects_;
  auto* const context = &all.contexts[all.next_context++ % all.contexts.size()];
  long code = -FI_EAGAIN;
  while (code == -FI_EAGAIN) {
    code =
        fi_recv(all.endpoint.get(), bytes.data(), bytes.size(), nullptr, FI_ADDR_UNSPEC, context);
    if (code == -FI_EAGAIN) poll();
  }
  must("receive", code);
}

void RawFabric::post_send(std::span<const std::byte> bytes) {
  Objects& all = *objects_;
  auto* const context = &all.contexts[all.next_context++ % all.contexts.size()];
  long code = -FI_EAGAIN;
  while (code == -FI_EAGAIN) {
    code = fi_send(all.endpoint.get(), bytes.data(), bytes.size(), nullptr, all.peer, context);
    if (code == -FI_EAGAIN) poll();
  }
  must("send", code);
}

void RawFabric::poll() {
  std::array<fi_cq_msg_entry, 16> entries;
  const long count = fi_cq_read(objects_->completions.get(), entries.data(), entries.size());
  if (count == -FI_EAGAIN) return;
  if (count == -FI_EAVAIL) {
    fi_cq_err_entry error{};
    fi_cq_readerr(objects_->completions.get(), &error, 0);
    must("completion", -error.err);
  }
  must("completion queue", count);
  for (long i = 0; i < count; ++i) {
    std::uint64_t& done =
        (entries[static_cast<std::size_t>(i)].flags & FI_RECV) != 0 ? received_ : sent_;
    ++done;
  }
}

bool RawFabric::await(const std::uint64_t& done, std::uint64_t count,
                      const std::atomic<bool>& stop) {
  for (;;) {
    poll();
    if (done >= count) return true;
    if (stop) return false;
    if (waiting_ == Waiting::kAwake && received_ > 0) continue;
    fid* waiting = &objects_->completions->fid;
    if (fi_trywait(objects_->fabric.get(), &waiting, 1) != 0) continue;
    pollfd descriptor{objects_->descriptor, POLLIN, 0};
    ::poll(&descriptor, 1, received_ == 0 ? kConnectingNap : kNap);
  }
}

bool RawFabric::await_receives(std::uint64_t count, const std::atomic<bool>& stop) {
  return await(received_, count, stop);
}
bool RawFabric::await_sends(std::uint64_t count, const std::atomic<bool>& stop) {
  return await(sent_, count, stop);
}

FabricEcho::FabricEcho(std::size_t bytes, Answer answer, Waiting waiting)
    : message_(bytes),
      answer_(answer == Answer::kAll ? bytes : 8),
      arriving_(bytes),
      here_(waiting),
      there_(waiting) {
  here_.connect(there_.address());
  there_.connect(here_.address());
  there_.post_receive(arriving_);
  other_ = std::thread([this, answer] {
    const Pin pin(1);
    echo(answer);
  });
  ping();  // connects
}

FabricEcho::~FabricEcho() {
  stop_ = true;
  other_.join();
}

void FabricEcho::echo(Answer answer) {
  std::vector<std::byte> back(answer == Answer::kAll ? arriving_.size() : 8);
  for (std::uint64_t count = 1; there_.await_receives(count, stop_); ++count) {
    if (answer == Answer::kAll) std::memcpy(back.data(), arriving_.data(), back.size());
    there_.post_receive(arriving_);
    there_.post_send(back);
    if (!there_.await_sends(count, stop_)) return;
  }
}

void FabricEcho::ping() {
  static const std::atomic<bool> never{false};
  ++pings_;
  here_.post_receive(answer_);
  here_.post_send(message_);
  here_.await_receives(pings_, never);
  here_.await_sends(pings_, never);
}

}  // namespace pp::bench
