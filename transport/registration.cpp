// Registrar on fi_mr_reg.
#include "registration.hpp"

#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace pp::transport {
namespace {

constexpr std::uint64_t kOthersMay = FI_REMOTE_READ | FI_REMOTE_WRITE;
constexpr int kTries = 8;  // for a random key that is not taken

// Pages behind every byte. They are read: whoever will read them over the network has had them
// written, and pages of our own buffers are written by who allocates them.
void touch(std::span<const std::byte> memory) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  volatile std::byte seen{};
  for (std::size_t at = 0; at < memory.size(); at += page) seen = memory[at];
  if (!memory.empty()) seen = memory.back();
  static_cast<void>(seen);
}

std::uint64_t random_key(std::size_t bytes) {
  std::uint64_t key = 0;
  bytes = std::min(bytes, sizeof key);
  while (key == 0)  // less than asked for: a signal came in between, or the system has none yet
    if (::getrandom(&key, bytes, 0) != static_cast<ssize_t>(bytes)) key = 0;
  return key;
}

std::string locked_memory() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "unknown";
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur >> 10) + " KiB";
}

}  // namespace

Registrar::Registrar(const Libfabric& library, fid_domain& domain, const fi_domain_attr& attributes)
    : library_(library),
      domain_(domain),
      modes_(attributes.mr_mode),
      most_(attributes.mr_cnt),
      key_bytes_(attributes.mr_key_size) {}

Owned<fid_mr> Registrar::refuse(const std::string& step, int code) {
  // Providers say one or the other for memory that the system does not let them pin.
  lacks_memory_ = code == -FI_ENOMEM || code == -FI_EPERM || code == -FI_EAGAIN;
  why_ = step + ": " + library_.strerror(-code) + " (" + std::to_string(code) + ")";
  if (lacks_memory_)
    why_ += "; memory for the network is locked, of which this process may have " +
            locked_memory() +
            ": raise the limit (`ulimit -l unlimited`, or LimitMEMLOCK= of the service)";
  return nullptr;
}

std::uint64_t Registrar::key_for(std::uint64_t access) {
  if ((modes_ & FI_MR_PROV_KEY) != 0) return 0;  // not looked at
  return (access & kOthersMay) != 0 ? random_key(key_bytes_) : ++last_key_;
}

Owned<fid_mr> Registrar::add(std::span<const std::byte> memory, std::uint64_t access) {
  lacks_memory_ = false;
  if (most_ != 0 && count_ >= most_) {
    why_ = "all " + std::to_string(most_) + " registrations of the provider are in use";
    return nullptr;
  }
  const bool others = (access & kOthersMay) != 0;
  constexpr std::size_t kShortestKey = 4;  // fewer bytes are guessed
  if (others && (modes_ & FI_MR_PROV_KEY) == 0 && key_bytes_ < kShortestKey) {
    why_ = "the provider's keys have " + std::to_string(key_bytes_) + " bytes, which is guessed";
    return nullptr;
  }
  if ((modes_ & FI_MR_ALLOCATED) != 0) touch(memory);
  fid_mr* made = nullptr;
  int code = 0;
  for (int i = 0; i < kTries; ++i) {
    code = fi_mr_reg(&domain_, memory.data(), memory.size(), access, 0, key_for(access), 0, &made,
                     nullptr);
    if (code != -FI_ENOKEY) break;
  }
  if (code != 0) return refuse("fi_mr_reg of " + std::to_string(memory.size()) + " bytes", code);
  Owned<fid_mr> registration(made);
  if (by_endpoint()) {
    code = fi_mr_bind(made, &endpoint_->fid, 0);
    if (code != 0) return refuse("fi_mr_bind", code);
    code = fi_mr_enable(made);
    if (code != 0) return refuse("fi_mr_enable", code);
  }
  if (others && fi_mr_key(made) == FI_KEY_NOTAVAIL) {
    why_ = "the provider's keys are too long to be sent";
    return nullptr;
  }
  ++count_;
  return registration;
}

void Registrar::remove(Owned<fid_mr> registration) {
  if (registration != nullptr) --count_;
}

std::uint64_t Registrar::address_of(std::span<const std::byte> memory) const {
  return (modes_ & FI_MR_VIRT_ADDR) != 0 ? reinterpret_cast<std::uint64_t>(memory.data()) : 0;
}

}  // namespace pp::transport
