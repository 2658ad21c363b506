// StagePlan: reads and hashes files.
#include "stage_plan.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <pp/content_hash.hpp>
#include <pp/error.hpp>
#include <span>
#include <sstream>
#include <variant>

#include "child.hpp"

namespace pp::tools {
namespace {

constexpr std::size_t kDigits = 32;  // of the hash: 128 bits

bool is_the_systems(const std::string& file) {
  for (const std::string_view folder : {"/lib", "/usr/lib"}) {
    if (!file.starts_with(folder)) continue;
    const std::string_view rest = std::string_view(file).substr(folder.size());
    if (rest.starts_with("/") || rest.starts_with("32/") || rest.starts_with("64/")) return true;
  }
  return false;
}

std::string hex(const runtime::ContentHash& hash) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : hash.bytes) text += {kHex[byte >> 4], kHex[byte & 15]};
  return text.substr(0, kDigits);
}

StagedFile read(const std::string& file, const std::string& name) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || !text) throw Error(file + " cannot be read, and so not staged");
  StagedFile staged{name, {}, std::make_shared<const std::string>(std::move(text).str())};
  staged.hash = hex(runtime::content_hash(std::as_bytes(std::span(*staged.bytes))));
  return staged;
}

}  // namespace

std::vector<const StagedFile*> StagePlan::files() const {
  std::vector<const StagedFile*> all{&program};
  for (const StagedFile& library : libraries) all.push_back(&library);
  return all;
}

std::vector<Library> private_libraries(std::string_view printed_by_ldd) {
  std::vector<Library> libraries;
  std::istringstream lines{std::string(printed_by_ldd)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, arrow, file;
    if (!(words >> name >> arrow >> file) || arrow != "=>" || !file.starts_with('/')) continue;
    file = std::filesystem::path(file).lexically_normal().string();
    if (!is_the_systems(file)) libraries.push_back({name, file});
  }
  return libraries;
}

StagePlan plan_staging(const std::string& program, const std::vector<Library>& libraries) {
  StagePlan plan;
  plan.program = read(program, std::filesystem::path(program).filename().string());
  for (const Library& library : libraries)
    plan.libraries.push_back(read(library.file, library.name));
  return plan;
}

std::string ask_ldd(const std::string& program) {
  const auto ldd = find_program("ldd", "/usr/bin:/bin");
  if (!std::holds_alternative<std::string>(ldd)) return {};
  Pipe output = make_pipe();
  const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  SignalState signals;
  ::sigprocmask(SIG_SETMASK, nullptr, &signals.mask);
  ChildPlan child;
  child.file = std::get<std::string>(ldd);
  child.arguments = {"ldd", program};
  child.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  if (const char* folders = std::getenv("LD_LIBRARY_PATH"))
    child.environment.push_back(std::string("LD_LIBRARY_PATH=") + folders);
  child.input = nothing.get();
  child.output = output.writing.get();
  child.error = nothing.get();
  child.signals = &signals;
  const auto started = start_child(child);
  if (!std::holds_alternative<pid_t>(started)) return {};
  output.writing.close();
  std::string text;
  char bytes[4096];
  for (;;) {
    pollfd waiting{output.reading.get(), POLLIN, 0};
    if (::poll(&waiting, 1, -1) < 0 && errno != EINTR) break;
    const ssize_t count = ::read(output.reading.get(), bytes, sizeof bytes);
    if (count == 0) break;
    if (count > 0) text.append(bytes, static_cast<std::size_t>(count));
  }
  while (::waitpid(std::get<pid_t>(started), nullptr, 0) < 0 && errno == EINTR) {
  }
  return text;
}

}  // namespace pp::tools
