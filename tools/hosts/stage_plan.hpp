// StagePlan: which files a program needs on a host that has nothing of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pp::tools {

// A file as it lies in a host's cache, in a folder that its content names: CACHE/HASH/NAME.
struct StagedFile {
  std::string name;  // without folders: what the loader, or `ps`, looks for
  std::string hash;  // 32 hexadecimal digits
  std::shared_ptr<const std::string> bytes;
};

struct StagePlan {
  StagedFile program;
  std::vector<StagedFile> libraries;  // those that are not the system's
  std::string cache;                  // on the host; empty: pp in the user's cache folder
  std::uint64_t limit = 0;            // bytes; what was not used for longest goes first

  std::vector<const StagedFile*> files() const;
};

struct Library {
  std::string name;
  std::string file;
  friend bool operator==(const Library&, const Library&) = default;
};

// From what ldd prints: the libraries that lie outside of the system's folders (/lib...,
// /usr/lib...), which a host may not have.
std::vector<Library> private_libraries(std::string_view printed_by_ldd);

// Reads the program and its libraries. Throws pp::Error naming a file that cannot be read.
StagePlan plan_staging(const std::string& program, const std::vector<Library>& libraries);

// What ldd says about a program; empty where there is none, or the program is not for the loader.
std::string ask_ldd(const std::string& program);

}  // namespace pp::tools
