// Loading libfabric at the versions of its interface that we were compiled against.
#include "libfabric.hpp"

#include <dlfcn.h>

#include <pp/error.hpp>
#include <string>

#include "meter.hpp"

namespace pp::transport {

namespace {

template <class Function>
Function function(void* library, const char* name, const char* version) {
  void* address = dlvsym(library, name, version);
  if (address == nullptr) {
    throw Error("this libfabric.so.1 has no " + std::string(name) + " of version " + version +
                ": install libfabric 1.17 or later");
  }
  return reinterpret_cast<Function>(address);
}

Libfabric load() {
  void* library = dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(std::string("cannot load libfabric: ") + dlerror() +
                "; install it (Debian: libfabric1), or set PP_FABRIC=off to do without");
  }
  Meter::install(library);  // where it cannot be, Fabric::held() says 0
  return {
      function<decltype(Libfabric::getinfo)>(library, "fi_getinfo", "FABRIC_1.3"),
      function<decltype(Libfabric::freeinfo)>(library, "fi_freeinfo", "FABRIC_1.3"),
      function<decltype(Libfabric::dupinfo)>(library, "fi_dupinfo", "FABRIC_1.3"),
      function<decltype(Libfabric::fabric)>(library, "fi_fabric", "FABRIC_1.1"),
      function<decltype(Libfabric::strerror)>(library, "fi_strerror", "FABRIC_1.0"),
  };
}

}  // namespace

const Libfabric& Libfabric::library() {
  static const Libfabric loaded = load();
  return loaded;
}

}  // namespace pp::transport
