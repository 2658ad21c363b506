// Libfabric: the library itself, loaded when the first fabric endpoint is opened.
#pragma once

#include <rdma/fabric.h>

namespace pp::transport {

// The few functions of libfabric that are not reached through an object's table of operations.
// Loading the library costs 0.2 s: libraries that it needs (PSM's) look for hardware in their
// constructors and take over signal handlers. A program that opens no fabric does not pay for it;
// that is why it is not linked.
struct Libfabric {
  decltype(&::fi_getinfo) getinfo;
  decltype(&::fi_freeinfo) freeinfo;
  decltype(&::fi_dupinfo) dupinfo;
  decltype(&::fi_fabric) fabric;
  decltype(&::fi_strerror) strerror;

  // Tests hand a Fabric another table than library(), in front of it: all that follows goes through
  // the tables of the objects that it makes, so no call for a message passes here.

  // Loaded by the first call, never unloaded. Throws pp::Error when it is not there. Any thread.
  static const Libfabric& library();
};

}  // namespace pp::transport
