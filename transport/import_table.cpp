// Import table: where a loaded library keeps the addresses of what it calls.
#include "import_table.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace pp::transport {
namespace {

// A loaded library's tables, as the dynamic linker has relocated them.
struct Tables {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  const ElfW(Rela) * lists[2] = {};
  std::size_t bytes[2] = {};
  bool other_format = false;
};

Tables tables_of(const link_map& library) {
  Tables tables;
  for (const ElfW(Dyn)* entry = library.l_ld; entry->d_tag != DT_NULL; ++entry) {
    const auto value = entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        tables.symbols = reinterpret_cast<const ElfW(Sym)*>(value);
        break;
      case DT_STRTAB:
        tables.names = reinterpret_cast<const char*>(value);
        break;
      case DT_RELA:
        tables.lists[0] = reinterpret_cast<const ElfW(Rela)*>(value);
        break;
      case DT_RELASZ:
        tables.bytes[0] = entry->d_un.d_val;
        break;
      case DT_JMPREL:
        tables.lists[1] = reinterpret_cast<const ElfW(Rela)*>(value);
        break;
      case DT_PLTRELSZ:
        tables.bytes[1] = entry->d_un.d_val;
        break;
      case DT_PLTREL:
        tables.other_format = tables.other_format || entry->d_un.d_val != DT_RELA;
        break;
      default:
        break;
    }
  }
  return tables;
}

// Entries that were resolved for good are read-only: open for the moment of writing, and closed
// again if they were.
class Writable {
 public:
  explicit Writable(const link_map& library) {
    search_.base = library.l_addr;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
          auto& search = *static_cast<Search*>(data);
          if (info->dlpi_addr != search.base) return 0;
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& part = info->dlpi_phdr[i];
            if (part.p_type != PT_GNU_RELRO) continue;
            const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
            search.first = (search.base + part.p_vaddr) & ~(page - 1);
            search.bytes =
                ((search.base + part.p_vaddr + part.p_memsz) & ~(page - 1)) - search.first;
          }
          return 1;
        },
        &search_);
    open_ = protect(PROT_READ | PROT_WRITE);
  }
  ~Writable() {
    if (open_) protect(PROT_READ);
  }
  Writable(const Writable&) = delete;
  Writable& operator=(const Writable&) = delete;
  bool open() const { return open_; }

 private:
  struct Search {
    std::uintptr_t base = 0, first = 0;
    std::size_t bytes = 0;
  };
  bool protect(int access) const {
    return search_.bytes == 0 ||
           ::mprotect(reinterpret_cast<void*>(search_.first), search_.bytes, access) == 0;
  }
  Search search_;
  bool open_ = false;
};

}  // namespace

bool redirect_imports(void* library, std::initializer_list<Redirection> redirections) {
  link_map* map = nullptr;
  if (::dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return false;
  const Tables tables = tables_of(*map);
  if (tables.symbols == nullptr || tables.names == nullptr || tables.other_format) return false;
  const Writable writable(*map);
  if (!writable.open()) return false;
  bool found = false;
  for (std::size_t list = 0; list < 2; ++list) {
    const std::size_t count = tables.bytes[list] / sizeof(ElfW(Rela));
    for (std::size_t i = 0; i < count; ++i) {
      const ElfW(Rela)& entry = tables.lists[list][i];
      // The symbol's number: the upper half of 64 bits, the upper 24 of 32.
      const auto symbol = sizeof entry.r_info == 8 ? static_cast<std::uint64_t>(entry.r_info) >> 32
                                                   : entry.r_info >> 8;
      const ElfW(Sym)& named = tables.symbols[symbol];
      if (symbol == 0 || named.st_shndx != SHN_UNDEF || entry.r_addend != 0) continue;
      const std::string_view name = tables.names + named.st_name;
      const auto redirection = std::find_if(redirections.begin(), redirections.end(),
                                            [name](const auto& each) { return each.name == name; });
      if (redirection == redirections.end()) continue;
      *reinterpret_cast<void**>(map->l_addr + entry.r_offset) = redirection->function;
      found = true;
    }
  }
  return found;
}

}  // namespace pp::transport
