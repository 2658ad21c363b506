// Resolver: looks up host names without making the courier wait.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <pp/address.hpp>
#include <string>
#include <vector>

#include "socket.hpp"

namespace pp::transport {

// A name may take the system's resolver many seconds. Each lookup therefore has a thread of its own
// for as long as it lasts; fd() becomes readable when one is done. A lookup that nobody waits for
// any more is left to end by itself: it holds nothing of the Resolver's but what it shares. At most
// kMaxLookups are under way. REQUIRES: one thread calls.
class Resolver {
 public:
  static constexpr int kMaxLookups = 16;
  struct Result {
    std::uint64_t ticket = 0;
    std::vector<Endpoint> endpoints;  // empty: not found
    std::string why;
  };

  Resolver();
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Nothing: too many under way; try again later.
  std::optional<std::uint64_t> begin(const Address& address);
  std::optional<Result> next();
  int fd() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::uint64_t tickets_ = 0;
};

}  // namespace pp::transport
