// LaunchFolder: a folder for the sockets of one launch, which nobody else may enter.
#pragma once

#include <string>

namespace pp::tools {

// In $XDG_RUNTIME_DIR or /tmp, of mode 0700; removed with what is in it. What a launch left that
// was killed is removed when the next of the same user begins. Throws pp::Error when none can be
// made.
class LaunchFolder {
 public:
  LaunchFolder();
  ~LaunchFolder();
  LaunchFolder(const LaunchFolder&) = delete;
  LaunchFolder& operator=(const LaunchFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace pp::tools
