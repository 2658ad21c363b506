// TemporaryKey: a cluster key that lives as long as one launch needs it.
#pragma once

#include <filesystem>

namespace pp::tools {

// A fresh key in a file of mode 0600 in a folder of its own that nobody else can enter, under
// $XDG_RUNTIME_DIR, else /tmp. Both are removed by remove() and by the destructor. Throws pp::Error
// when they cannot be made.
class TemporaryKey {
 public:
  TemporaryKey();
  ~TemporaryKey() { remove(); }
  TemporaryKey(const TemporaryKey&) = delete;
  TemporaryKey& operator=(const TemporaryKey&) = delete;

  const std::filesystem::path& file() const { return file_; }
  void remove() noexcept;

 private:
  std::filesystem::path folder_;
  std::filesystem::path file_;
};

}  // namespace pp::tools
