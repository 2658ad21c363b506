// What the tests of sources share: a folder that vanishes with the test, a listener that remembers.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <pp/discovery.hpp>
#include <pp/node_id.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pp::discovery {

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("pp-test-" + NodeId::random().to_string())) {
    std::filesystem::create_directory(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  // All that lies in it, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::filesystem::path path_;
};

inline void write(const std::filesystem::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

inline std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// When the file was changed, in ns since 1970: what the disk's clock said, not ours.
inline std::int64_t time_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) throw std::runtime_error("no " + file.string());
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

inline void set_time(const std::filesystem::path& file, std::int64_t time) {
  const timespec at{static_cast<time_t>(time / 1'000'000'000),
                    static_cast<long>(time % 1'000'000'000)};
  const timespec both[] = {at, at};
  if (::utimensat(AT_FDCWD, file.c_str(), both, AT_SYMLINK_NOFOLLOW) != 0)
    throw std::runtime_error("cannot set the time of " + file.string());
}

// Hears what a source says; take...() forgets what it returns.
class Heard final : public Discovery::Listener {
 public:
  void sighted(const Sighting& sighting) override { sightings.push_back(sighting); }
  void noticed(const std::string& sentence) override { sentences.push_back(sentence); }

  std::vector<std::string> take_addresses() {
    std::vector<std::string> texts;
    for (const Sighting& sighting : std::exchange(sightings, {})) {
      for (const Address& address : sighting.addresses) texts.push_back(address.to_string());
    }
    return texts;
  }
  std::vector<std::string> take_sentences() { return std::exchange(sentences, {}); }

  std::vector<Sighting> sightings;
  std::vector<std::string> sentences;
};

inline Time at(std::chrono::nanoseconds since_start) { return Time{} + since_start; }

}  // namespace pp::discovery
