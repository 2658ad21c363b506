// Registrar: memory made known to a provider, in whatever way that provider asks for.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "libfabric.hpp"

namespace pp::transport {

// Closes what libfabric opened. A failure to close has no cure (after error completions rxm's
// domain may stay busy) and is not told.
template <typename T>
struct Close {
  void operator()(T* object) const { fi_close(&object->fid); }
};
template <typename T>
using Owned = std::unique_ptr<T, Close<T>>;

// Knows the modes of memory registration (fi_mr(3)), each of which a domain asks for or not:
//   FI_MR_LOCAL      what is sent and received from must be registered, and its descriptor passed;
//   FI_MR_VIRT_ADDR  remote memory is addressed by the pointer there, otherwise by an offset;
//   FI_MR_ALLOCATED  there must be pages behind the memory when it is registered;
//   FI_MR_PROV_KEY   the provider chooses the key, otherwise we do;
//   FI_MR_ENDPOINT   a registration counts for an endpoint, to which it is bound.
// REQUIRES: one thread. The domain and the endpoint must outlive it, the memory its registration.
class Registrar {
 public:
  Registrar(const Libfabric& library, fid_domain& domain, const fi_domain_attr& attributes);

  // REQUIRES: enabled, and before the first registration.
  void serve(fid_ep& endpoint) { endpoint_ = &endpoint; }

  // Whether memory that our own operations name must be registered.
  bool local_wanted() const { return (modes_ & FI_MR_LOCAL) != 0; }

  // Null: it could not be, and why() says why and what to do about it. `access` in libfabric's
  // bits. Costs a call of the system and pins the pages where there is hardware: for memory that is
  // used for long or is large. Memory that others may read gets a key that nobody can guess.
  Owned<fid_mr> add(std::span<const std::byte> memory, std::uint64_t access);
  void remove(Owned<fid_mr> registration);
  const std::string& why() const { return why_; }
  bool lacks_memory() const { return lacks_memory_; }  // the last add() failed for want of it

  // What a reader must say to reach the first byte of a registration.
  std::uint64_t address_of(std::span<const std::byte> memory) const;

  bool by_endpoint() const { return (modes_ & FI_MR_ENDPOINT) != 0; }

 private:
  Owned<fid_mr> refuse(const std::string& step, int code);
  std::uint64_t key_for(std::uint64_t access);

  const Libfabric& library_;
  fid_domain& domain_;
  const int modes_;
  const std::size_t most_, key_bytes_;
  fid_ep* endpoint_ = nullptr;
  std::size_t count_ = 0;
  std::uint64_t last_key_ = 0;  // of memory that nobody else reads
  std::string why_;
  bool lacks_memory_ = false;
};

}  // namespace pp::transport
