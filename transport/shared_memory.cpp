// SharedMemory on memfd_create, seals and mmap.
#include "shared_memory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "ring.hpp"

namespace pp::transport {
namespace {

// Nobody changes its size any more, nor these seals.
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr std::size_t kRingBytes = ring_bytes(SharedMemory::kRing);
static_assert(2 * kRingBytes <= SharedMemory::kBytes && kRingBytes % alignof(RingHeader) == 0);

std::string failed(const char* call) { return std::string(call) + ": " + std::strerror(errno); }

}  // namespace

std::byte* SharedMemory::map(int file, std::string& why) {
  void* const at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) {
    why = failed("mmap");
    return nullptr;
  }
  // A child of this process has no business there, and must not keep it alive.
  ::madvise(at, kBytes, MADV_DONTFORK);
  return static_cast<std::byte*>(at);
}

std::unique_ptr<SharedMemory> SharedMemory::make(std::string& why) {
  // Where the system may insist that nobody can run such a file, it is to be said (Linux 6.3);
  // older ones do not know the word.
  constexpr unsigned kNotToBeRun = 8;
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  Descriptor file(::memfd_create("pp", kFlags | kNotToBeRun));
  if (file.get() < 0 && errno == EINVAL) file = Descriptor(::memfd_create("pp", kFlags));
  if (file.get() < 0) {
    why = failed("memfd_create");
    return nullptr;
  }
  if (::ftruncate(file.get(), static_cast<off_t>(kBytes)) != 0) {
    why = failed("ftruncate");
    return nullptr;
  }
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) {
    why = failed("fcntl(F_ADD_SEALS)");
    return nullptr;
  }
  std::byte* const bytes = map(file.get(), why);
  if (bytes == nullptr) return nullptr;
  return std::unique_ptr<SharedMemory>(new SharedMemory(bytes, true, std::move(file)));
}

// Seals exist on memory files alone, and none whose size is sealed can fault for its length. But a
// memory file of huge pages may have none to give when it is touched, which is a SIGBUS: the plain
// kind only.
std::unique_ptr<SharedMemory> SharedMemory::join(Descriptor file, std::string& why,
                                                 bool& misbehaved) {
  misbehaved = true;
  struct stat status {};
  struct statfs system {};
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    why = "the peer's memory is not sealed: its size could change under our feet";
    return nullptr;
  }
  if (::fstatfs(file.get(), &system) != 0 ||
      static_cast<unsigned long>(system.f_type) != TMPFS_MAGIC) {
    why = "the peer's memory is not of plain pages";
    return nullptr;
  }
  if (::fstat(file.get(), &status) != 0 || status.st_size != static_cast<off_t>(kBytes)) {
    why = "the peer's memory has " + std::to_string(status.st_size) + " bytes where " +
          std::to_string(kBytes) + " are expected";
    return nullptr;
  }
  misbehaved = false;
  std::byte* const bytes = map(file.get(), why);
  if (bytes == nullptr) return nullptr;
  return std::unique_ptr<SharedMemory>(new SharedMemory(bytes, false, Descriptor()));
}

SharedMemory::~SharedMemory() { ::munmap(bytes_, kBytes); }

std::span<std::byte> SharedMemory::ring(std::size_t index) const {
  return {bytes_ + index * kRingBytes, kRingBytes};
}

}  // namespace pp::transport
