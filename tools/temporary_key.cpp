// TemporaryKey: mkdtemp, key, gone.
#include "temporary_key.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <string>
#include <system_error>

namespace pp::tools {

TemporaryKey::TemporaryKey() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string folder;
  for (const std::string& base :
       {std::string(runtime != nullptr ? runtime : ""), std::string("/tmp")}) {
    if (base.empty()) continue;
    folder = base + "/pp-launch-XXXXXX";
    if (::mkdtemp(folder.data()) != nullptr) {
      folder_ = folder;
      break;
    }
  }
  if (folder_.empty()) {
    throw Error("no folder for this launch's key can be made (" + folder + ": " +
                std::strerror(errno) + "); make a key with pp-keygen and give it with --key-file");
  }
  file_ = folder_ / "key";
  try {
    ClusterKey::generate().save(file_);
  } catch (...) {
    remove();
    throw;
  }
}

void TemporaryKey::remove() noexcept {
  if (folder_.empty()) return;
  std::error_code ignored;  // it may have been cleaned away already
  std::filesystem::remove(file_, ignored);
  std::filesystem::remove(folder_, ignored);
  folder_.clear();
}

}  // namespace pp::tools
