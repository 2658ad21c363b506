// Affinity mask and control group quota; oneTBB and hardware_concurrency() know the first only.
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <pp/usable_cores.hpp>
#include <sstream>
#include <string>
#include <thread>

namespace pp {
namespace {

std::optional<long long> number(std::string_view text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

std::optional<unsigned> cores(std::optional<long long> quota, std::optional<long long> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<unsigned>(std::clamp((*quota + *period - 1) / *period, 1LL, 1'000'000LL));
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// Every group from ours up to the root may set a quota; the smallest holds.
template <class Quota>
std::optional<unsigned> smallest(const std::filesystem::path& mount, std::filesystem::path group,
                                 const Quota& quota) {
  std::optional<unsigned> least;
  for (;;) {
    const std::optional<unsigned> here = quota(mount / group.relative_path());
    if (here && (!least || *here < *least)) least = here;
    if (!group.has_relative_path()) return least;
    group = group.parent_path();
  }
}

std::optional<unsigned> group_quota() {
  std::ifstream groups("/proc/self/cgroup");  // lines of "number:controllers:/path"
  std::optional<unsigned> least;
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::filesystem::path group = line.substr(second + 1);
    std::optional<unsigned> here;
    if (controllers.empty()) {
      here = smallest("/sys/fs/cgroup", group, [](const std::filesystem::path& at) {
        return quota_of(content(at / "cpu.max"));
      });
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      here = smallest("/sys/fs/cgroup/cpu", group, [](const std::filesystem::path& at) {
        return quota_of(content(at / "cpu.cfs_quota_us"), content(at / "cpu.cfs_period_us"));
      });
    }
    if (here && (!least || *here < *least)) least = here;
  }
  return least;
}

unsigned affinity() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(CPU_COUNT(&set));
  return std::thread::hardware_concurrency();  // more cores than cpu_set_t has bits
}

}  // namespace

std::optional<unsigned> quota_of(std::string_view cpu_max) {
  const std::size_t space = cpu_max.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return cores(number(cpu_max.substr(0, space)), number(cpu_max.substr(space + 1)));
}

std::optional<unsigned> quota_of(std::string_view cfs_quota_us, std::string_view cfs_period_us) {
  return cores(number(cfs_quota_us), number(cfs_period_us));
}

unsigned usable_cores() {
  return std::max(1u, std::min(affinity(), group_quota().value_or(affinity())));
}

}  // namespace pp
