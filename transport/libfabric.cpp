// Loading libfabric at the versions of its interface that we were compiled against.
#include "libfabric.hpp"

#include <dlfcn.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <pp/error.hpp>
#include <string>
#include <string_view>

#include "fabric.hpp"
#include "import_table.hpp"
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

// Read in the first fi_getinfo of the process and never again (seen by watching getenv; fabric_test
// opens a second endpoint and connects it to the first: rxm would refuse a peer with another buffer
// size). What the user has set comes first. A program that calls libfabric before us must set them
// itself.
struct Setting {
  const char* name;
  const char* value;
};
constexpr Setting kSettings[] = {
    {"FI_OFI_RXM_BUFFER_SIZE", "8192"},           // the eager limit = kMaxFrame
    {"FI_OFI_RXM_CM_PROGRESS_INTERVAL", "1000"},  // us; 10 ms delay each step of a connection
    {"FI_OFI_RXM_MSG_RX_SIZE", "512"},            // 11 MB an endpoint instead of 71
    {"FI_AV_REMOVE_CLEANUP", "1"},                // removing a peer gives up what is queued for it
    {"FI_MR_CACHE_MONITOR", "disabled"},          // we register long-lived pools: nothing to watch
};
static_assert(Fabric::kMaxFrame == 8192, "the text of FI_OFI_RXM_BUFFER_SIZE says so too");

// What libfabric finds in its environment. Ours is the user's, and other threads may read it.
char* read_setting(const char* name) {
  if (char* const users = std::getenv(name)) return users;
  for (const Setting& setting : kSettings)
    if (std::string_view(setting.name) == name) return const_cast<char*>(setting.value);
  return nullptr;
}

// When libfabric is first asked for anything, its verbs provider reads /proc/kallsyms to the end,
// to learn whether the kernel can register the memory of graphics cards: half a second in which the
// kernel writes 200,000 lines. We register ordinary memory alone, and it is told that the file is
// missing, as it is on many systems.
std::FILE* open_file(const char* name, const char* mode) {
  if (std::string_view(name) != "/proc/kallsyms") return std::fopen(name, mode);
  errno = ENOENT;
  return nullptr;
}

Libfabric load() {
  void* library = dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(std::string("cannot load libfabric: ") + dlerror() +
                "; install it (Debian: libfabric1), or set PP_FABRIC=off to do without");
  }
  Meter::install(library);  // where it cannot be, Fabric::held() says 0
  const bool redirected = redirect_imports(library, {{"getenv", address_of(read_setting)},
                                                     {"fopen", address_of(open_file)},
                                                     {"fopen64", address_of(open_file)}});
  if (!redirected) {
    for (const Setting& setting : kSettings) ::setenv(setting.name, setting.value, 0);
  }
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
