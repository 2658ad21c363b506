// Which of the providers that a libfabric offers carry our frames, the best first.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fabric.hpp"
#include "libfabric.hpp"

namespace pp::transport {

struct FreeInfo {
  const Libfabric* library = nullptr;
  void operator()(fi_info* info) const { library->freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, FreeInfo>;

// What we do for a provider that asks for it: registration.hpp says how.
inline constexpr int kRegistrationModes =
    FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT;

struct Candidate {
  const fi_info* info = nullptr;
  bool exact = false;          // the very name that was asked for
  bool device = false;         // hardware of its own, not the system's sockets
  std::size_t speed = 0;       // of its link, bits a second; 0: not told
  bool drops_sends = false;    // what is queued for a peer that is given up comes back
  bool remote_memory = false;  // peers may read memory that is exposed to them
};

// Asks a libfabric what there is and keeps the answers, among them those that were no use.
class Providers {
 public:
  // Throws pp::Error if libfabric cannot answer. `library` must outlive this.
  Providers(const Libfabric& library, const Fabric::Options& options);

  // The best first. With the provider "auto": devices before the system's sockets, the faster link
  // first; without those that were measured to be no use (unusable_because).
  const std::vector<Candidate>& candidates() const { return candidates_; }
  // Why there is nothing, or nothing more: the answers that were declined with the reason, and the
  // names that could be asked for instead.
  std::string declined() const;

 private:
  void ask(std::uint64_t caps, bool at_host);
  void sort(Info answers, bool at_host);

  const Libfabric& library_;
  const Fabric::Options& options_;
  int last_code_ = 0;
  std::vector<Info> answers_;
  std::vector<Candidate> candidates_;
  std::vector<std::string> declined_;
};

// Why this one cannot carry our frames; empty: it can.
std::string fault_of(const fi_info& info);

// Why no provider of this name is chosen by "auto"; empty: it may be. Measured facts only.
std::string_view unusable_because(std::string_view name);

// Whether it has hardware of its own. REQUIRES: the attributes are there.
bool is_device(const fi_info& info);

}  // namespace pp::transport
