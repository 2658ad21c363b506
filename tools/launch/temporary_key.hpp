// TemporaryKey: a cluster key that lives as long as one launch needs it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "descriptor.hpp"

namespace pp::tools {

// A fresh key in a memory file: it has no name and lies on no disk, so nothing can stay behind,
// however the launch ends. Whoever inherits descriptor() finds it at file(). Throws pp::Error when
// the system has no such files.
class TemporaryKey {
 public:
  TemporaryKey();
  // The same of a key that came from elsewhere: what its file holds. Throws pp::Error if that is no
  // key.
  explicit TemporaryKey(std::span<const std::byte> content);

  // Closed by exec unless that is changed.
  int descriptor() const { return descriptor_.get(); }
  // "/proc/self/fd/7": the same in every process that has the descriptor.
  const std::filesystem::path& file() const { return file_; }

 private:
  template <class Write>
  void make(Write write);

  Descriptor descriptor_;
  std::filesystem::path file_;
};

}  // namespace pp::tools
