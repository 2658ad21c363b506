// FabricLoader: loads libfabric without making the courier wait.
#pragma once

#include <thread>

#include "socket.hpp"

namespace pp::transport {

// What libfabric is linked with takes a quarter of a second to load (one library measures the
// processor's clock in the meantime). That has a thread of its own; fd() becomes readable when it
// is done, and Libfabric::library() returns, or throws, at once from then on.
class FabricLoader {
 public:
  // Throws Error if the system has no thread or descriptor left.
  FabricLoader();
  // Waits for the thread, which cannot be interrupted.
  ~FabricLoader();
  FabricLoader(const FabricLoader&) = delete;
  FabricLoader& operator=(const FabricLoader&) = delete;

  int fd() const { return done_.get(); }

 private:
  Descriptor done_;
  std::thread thread_;
};

}  // namespace pp::transport
