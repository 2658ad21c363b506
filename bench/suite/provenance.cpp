// Reads /proc, and what the build has left in this program.
#include "provenance.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <oneapi/tbb/version.h>
#include <sodium.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <pp/usable_cores.hpp>
#include <string>

namespace pp::bench {

extern const char kCommit[];  // commit.cmake

namespace {

// The value of the first line of `file` that begins with `key`, behind `separator`.
std::string value_in(const char* file, const std::string& key, char separator) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const std::size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t\"", at + 1);
    if (begin == std::string::npos) return "";
    return line.substr(begin, line.find_last_not_of(" \t\"") + 1 - begin);
  }
  return "unknown";
}

std::string system() {
  utsname names{};
  ::uname(&names);
  return value_in("/etc/os-release", "PRETTY_NAME", '=') + ", " + names.sysname + " " +
         names.release;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string load() {
  std::ifstream in("/proc/loadavg");
  std::string minute;
  in >> minute;
  return minute;
}

}  // namespace

Provenance provenance() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const double pages = static_cast<double>(::sysconf(_SC_PHYS_PAGES));
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  Provenance all;
  all.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
  all.processor = value_in("/proc/cpuinfo", "model name", ':');
  all.cores = usable_cores();
  all.memory_gib = pages * page / (1 << 30);
  all.system = system();
  all.compiler = compiler();
  all.build = PP_BUILD_TYPE;
  all.commit = kCommit;
  all.versions = {{"pp", PP_VERSION},
                  {"oneTBB", TBB_runtime_version()},
                  {"libfabric", PP_LIBFABRIC_VERSION},
                  {"libsodium", ::sodium_version_string()},
                  {"OpenMPI", PP_MPI_VERSION}};
  std::erase_if(all.versions, [](const auto& each) { return each.second.empty(); });
  all.load = load();
  return all;
}

}  // namespace pp::bench
