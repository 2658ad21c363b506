// Nobody polls: a cluster with nothing to do is woken by its heartbeats and by nothing else.
#include <poll.h>

#include <filesystem>
#include <fstream>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::SizeIs;

// How often the threads of these processes have gone to sleep so far.
std::uint64_t sleeps(const std::vector<pid_t>& processes) {
  std::uint64_t sum = 0;
  for (const pid_t pid : processes) {
    std::error_code gone;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
      std::ifstream status(thread.path() / "status");
      for (std::string word; status >> word;) {
        std::uint64_t count = 0;
        if (word == "voluntary_ctxt_switches:" && status >> count) sum += count;
      }
    }
  }
  return sum;
}

class Idle : public Cluster {};

// 4 nodes send each of their 3 peers about a message a second. Each message wakes a courier, and
// may pass through more than one thread or descriptor; 20 sleeps a second and node are far more
// than that, and a fiftieth of what a thread needs that looks every millisecond.
TEST_F(Idle, four_nodes_sleep_between_their_heartbeats) {
  Process run(launch(4, {SPREAD_PROGRAM, "hold"}), held_open());
  run.wait_for_line("holding");
  run.wait_for_line("nodes are there");
  const std::vector<pid_t> nodes = [&] {
    std::vector<pid_t> found = run.family_with("PP_ROLE=worker");
    for (const pid_t pid : run.family_with("PP_ROLE=driver")) found.push_back(pid);
    return found;
  }();
  ASSERT_THAT(nodes, SizeIs(4));
  const auto cpu = [&] {
    double sum = 0;
    for (const pid_t pid : nodes) sum += cpu_seconds(pid);
    return sum;
  };
  constexpr int kSeconds = 4;
  ::poll(nullptr, 0, 1000);  // what meeting each other has set going may come to rest
  const std::uint64_t sleeps_before = sleeps(nodes);
  const double cpu_before = cpu();
  ::poll(nullptr, 0, kSeconds * 1000);  // the time over which is measured
  const std::uint64_t slept = sleeps(nodes) - sleeps_before;
  const double used = cpu() - cpu_before;
  RecordProperty("sleeps_per_second_and_node", static_cast<int>(slept / (kSeconds * 4)));
  EXPECT_LT(slept, 4u * 20u * kSeconds) << "somebody polls";
  EXPECT_LT(used, 0.2 * kSeconds) << "somebody spins";
}

}  // namespace
}  // namespace pp::test
