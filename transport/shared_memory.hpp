// SharedMemory: an anonymous memory file with a ring for each direction, mapped by two processes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "socket.hpp"

namespace pp::transport {

// The file has no name and no owner but those who have it open or mapped: when the last of them is
// gone, however that came, it is gone. It can neither shrink nor grow (sealed), so that no access
// to it ever fails; join() believes nothing of what it is handed but what the kernel says of it.
// The system takes memory for it page by page, as the rings are used: kBytes at most.
class SharedMemory {
 public:
  // Of a ring. Large enough to keep both ends busy with frames of 8 KiB (32 of them), and small
  // enough to stay in a core's own cache.
  static constexpr std::size_t kRing = std::size_t{256} << 10;
  static constexpr std::size_t kBytes = (std::size_t{2} * kRing) + 4096;

  // Makes one. Null: the system has none to give; `why` says what it said.
  static std::unique_ptr<SharedMemory> make(std::string& why);
  // Maps the one that a peer has made. Null: `why` says why; `misbehaved` whether it is not what
  // make() makes.
  static std::unique_ptr<SharedMemory> join(Descriptor file, std::string& why, bool& misbehaved);

  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // To be passed on. REQUIRES: made here, and forget_file() was not called.
  int file() const { return file_.get(); }
  // The mapping is all that is needed from now on.
  void forget_file() { file_ = Descriptor(); }

  // The ring that this end writes, and the one that it reads.
  std::span<std::byte> outgoing() const { return ring(maker_ ? 0 : 1); }
  std::span<std::byte> incoming() const { return ring(maker_ ? 1 : 0); }

 private:
  SharedMemory(std::byte* bytes, bool maker, Descriptor file)
      : bytes_(bytes), maker_(maker), file_(std::move(file)) {}
  static std::byte* map(int file, std::string& why);
  std::span<std::byte> ring(std::size_t index) const;

  std::byte* const bytes_;
  const bool maker_;
  Descriptor file_;
};

}  // namespace pp::transport
