// Meter: the functions that count.
#include "meter.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "import_table.hpp"

namespace pp::transport {
namespace {

thread_local Meter* running = nullptr;

std::int64_t size_of(void* memory) {
  return memory == nullptr ? 0 : static_cast<std::int64_t>(malloc_usable_size(memory));
}

void* counted(void* memory) {
  Meter::count(size_of(memory));
  return memory;
}

void* counted_malloc(std::size_t bytes) { return counted(std::malloc(bytes)); }
void* counted_calloc(std::size_t count, std::size_t bytes) {
  return counted(std::calloc(count, bytes));
}
void* counted_aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return counted(std::aligned_alloc(alignment, bytes));
}
void* counted_memalign(std::size_t alignment, std::size_t bytes) {
  return counted(::memalign(alignment, bytes));
}
int counted_posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  const int failed = ::posix_memalign(memory, alignment, bytes);
  if (failed == 0) counted(*memory);
  return failed;
}
void* counted_realloc(void* memory, std::size_t bytes) {
  const std::int64_t before = size_of(memory);
  void* const moved = std::realloc(memory, bytes);
  if (moved != nullptr || bytes == 0) Meter::count(size_of(moved) - before);
  return moved;
}
void counted_free(void* memory) {
  Meter::count(-size_of(memory));
  std::free(memory);
}
void* counted_mmap(void* where, std::size_t bytes, int access, int flags, int fd, off_t offset) {
  void* const memory = ::mmap(where, bytes, access, flags, fd, offset);
  if (memory != MAP_FAILED) Meter::count(static_cast<std::int64_t>(bytes));
  return memory;
}
int counted_munmap(void* memory, std::size_t bytes) {
  const int failed = ::munmap(memory, bytes);
  if (failed == 0) Meter::count(-static_cast<std::int64_t>(bytes));
  return failed;
}

}  // namespace

bool Meter::install(void* library) {
  return redirect_imports(library, {{"malloc", address_of(counted_malloc)},
                                    {"calloc", address_of(counted_calloc)},
                                    {"realloc", address_of(counted_realloc)},
                                    {"free", address_of(counted_free)},
                                    {"posix_memalign", address_of(counted_posix_memalign)},
                                    {"aligned_alloc", address_of(counted_aligned_alloc)},
                                    {"memalign", address_of(counted_memalign)},
                                    {"mmap", address_of(counted_mmap)},
                                    {"mmap64", address_of(counted_mmap)},
                                    {"munmap", address_of(counted_munmap)}});
}

void Meter::count(std::int64_t bytes) {
  if (running != nullptr) running->bytes_ += bytes;
}

Meter::Running::Running(Meter& meter) : outer_(std::exchange(running, &meter)) {}

Meter::Running::~Running() { running = outer_; }

}  // namespace pp::transport
