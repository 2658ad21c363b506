// TemporaryKey: a memory file, sealed.
#include "temporary_key.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <string>

namespace pp::tools {

template <class Write>
void TemporaryKey::make(Write write) {
  descriptor_ = Descriptor(::memfd_create("pp-cluster-key", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  try {
    if (!descriptor_.open() || ::fchmod(descriptor_.get(), 0600) != 0)
      throw Error(std::strerror(errno));
    write(descriptor_.get());
    if (::fcntl(descriptor_.get(), F_ADD_SEALS,
                F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
      throw Error(std::strerror(errno));
    }
    file_ = "/proc/self/fd/" + std::to_string(descriptor_.get());
    if (::access(file_.c_str(), R_OK) != 0) throw Error("/proc is not mounted");
  } catch (const Error& error) {
    throw Error(std::string("no memory file for this launch's key can be made (") + error.what() +
                "); make a key with pp-keygen and give it with --key-file");
  }
}

TemporaryKey::TemporaryKey() {
  make([](int descriptor) { ClusterKey::generate().write_to(descriptor); });
}

TemporaryKey::TemporaryKey(std::span<const std::byte> content) {
  make([content](int descriptor) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written != static_cast<ssize_t>(content.size())) throw Error(std::strerror(errno));
  });
  ClusterKey::load(file_);
}

}  // namespace pp::tools
