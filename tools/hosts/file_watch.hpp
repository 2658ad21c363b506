// FileWatch: a descriptor that is readable when a file has changed.
#pragma once

#include <filesystem>
#include <string>

#include "descriptor.hpp"

namespace pp::tools {

// Also when the file was replaced by another, removed, or made: its folder is what is watched.
// Throws pp::Error when the folder cannot be.
class FileWatch {
 public:
  explicit FileWatch(const std::filesystem::path& file);

  int descriptor() const { return descriptor_.get(); }
  // Whether it may have changed since the last call.
  bool changed();

 private:
  std::string name_;
  Descriptor descriptor_;
};

}  // namespace pp::tools
