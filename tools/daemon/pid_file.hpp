// PidFile: says which process runs, and that none other may.
#pragma once

#include <filesystem>

#include "descriptor.hpp"

namespace pp::tools::daemon {

// The file holds the process id as long as this lives, and a lock that ends with the process
// however that ends: so a file that was left behind is taken over, and nobody has to guess from a
// number whether its process is still the one that wrote it. Removed at the end.
class PidFile {
 public:
  // Throws pp::Error: another process runs (and which), or the file cannot be written.
  explicit PidFile(std::filesystem::path file);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  const std::filesystem::path file_;
  Descriptor descriptor_;
};

}  // namespace pp::tools::daemon
