// Descriptor: owns one of the system's file descriptors.
#pragma once

#include <unistd.h>

#include <utility>

namespace pp::discovery {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  // Somebody else closes it now.
  int release() { return std::exchange(fd_, -1); }
  // Closes it and says whether that succeeded: a network file system tells only now that there was
  // no room for what was written.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

}  // namespace pp::discovery
