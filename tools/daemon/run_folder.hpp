// RunFolder: an empty folder in which a lease's processes run, removed with all they left in it.
#pragma once

#include <filesystem>

#include "descriptor.hpp"

namespace pp::tools::daemon {

// Locked as long as this lives, however its process ends: so what one has left that was killed can
// be told from what another one uses.
class RunFolder {
 public:
  // In `parent`, for its owner alone. Throws pp::Error.
  explicit RunFolder(const std::filesystem::path& parent);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Removes those in `parent` whose owner is gone.
  static void remove_abandoned(const std::filesystem::path& parent);

 private:
  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace pp::tools::daemon
