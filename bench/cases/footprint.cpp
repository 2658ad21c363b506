// From /proc: nanoseconds on a core of every thread, and pages.
#include "footprint.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <pp/error.hpp>
#include <thread>

#include "sample.hpp"
#include "timing.hpp"

namespace pp::bench {
namespace {

// schedstat has nanoseconds where stat has ticks of 10 ms.
double core_seconds(const std::vector<pid_t>& processes) {
  double sum = 0;
  for (const pid_t process : processes) {
    const std::string folder = "/proc/" + std::to_string(process) + "/task";
    for (const auto& thread : std::filesystem::directory_iterator(folder)) {
      double nanoseconds = 0;
      std::ifstream in(thread.path() / "schedstat");
      if (in >> nanoseconds) sum += nanoseconds / 1e9;
    }
  }
  return sum;
}

double resident_mib(pid_t process) {
  double all = 0, resident = 0;
  std::ifstream("/proc/" + std::to_string(process) + "/statm") >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

}  // namespace

void emit_footprint(const Arguments& arguments, const std::string& row,
                    const std::vector<pid_t>& processes) {
  const double count = static_cast<double>(processes.size());
  const std::chrono::duration<double> rest(arguments.flag("quick") ? 0.2 : 2);
  std::this_thread::sleep_for(rest);
  const double before = core_seconds(processes);
  const double seconds = seconds_of([&rest] { std::this_thread::sleep_for(3 * rest); });
  const double used = core_seconds(processes) - before;
  double memory = 0;
  for (const pid_t process : processes) memory += resident_mib(process);
  emit(Sample{"processor time, " + row, "% of a core", 100 * used / seconds / count, {}, {}});
  emit(Sample{"memory, " + row, "MiB", memory / count, {}, {}});
}

}  // namespace pp::bench
