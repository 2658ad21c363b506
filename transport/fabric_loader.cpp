// FabricLoader: a thread with one thing to do.
#include "fabric_loader.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <pp/error.hpp>
#include <system_error>

#include "libfabric.hpp"
#include "undisturbed.hpp"

namespace pp::transport {

FabricLoader::FabricLoader() : done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (done_.get() < 0) throw Error(std::string("eventfd: ") + std::strerror(errno));
  try {
    thread_ = std::thread([bell = done_.get()] {
      try {
        const Undisturbed undisturbed;
        Libfabric::library();
      } catch (const std::exception&) {  // whoever opens a fabric is told
      }
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t put = ::write(bell, &one, sizeof one);
    });
  } catch (const std::system_error& error) {
    throw Error(std::string("no thread to load libfabric in: ") + error.what());
  }
}

FabricLoader::~FabricLoader() { thread_.join(); }

}  // namespace pp::transport
