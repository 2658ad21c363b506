// Hosts themselves: what the other tests rely on.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "on_hosts.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Namespaces that a process has made and that are still there.
std::vector<std::string> namespaces_of(pid_t maker) {
  const std::string prefix = "pp-test-" + std::to_string(maker) + "-";
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", none)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(prefix)) found.push_back(name);
  }
  return found;
}

pid_t first_number_in(const std::string& file) {
  pid_t number = 0;
  std::ifstream(file) >> number;
  return number;
}

// Zombies, which nobody may be there to bury, have no command line.
bool runs(pid_t pid) {
  std::ifstream command("/proc/" + std::to_string(pid) + "/cmdline");
  return command.get() != std::ifstream::traits_type::eof();
}

class HostsThemselves : public OnHosts {
 protected:
  // Sends to a multicast group and says when it hears somebody.
  static Process voice_on(const Hosts& hosts, int host, const std::string& address) {
    return Process(hosts.on(host, {BEACON_NOISE_PROGRAM, "239.255.77.80", "7707", address, "1"}),
                   held_open());
  }
};

TEST_F(HostsThemselves, leave_nothing_behind) {
  {
    const Hosts hosts(2);
    EXPECT_THAT(namespaces_of(::getpid()), Not(IsEmpty()));
  }
  EXPECT_THAT(namespaces_of(::getpid()), IsEmpty());
}

TEST_F(HostsThemselves, hear_each_others_multicast) {
  const Hosts hosts(3);
  Process first = voice_on(hosts, 0, hosts.address(0));
  Process second = voice_on(hosts, 1, hosts.address(1));
  Process third = voice_on(hosts, 2, hosts.address(2));
  for (Process* voice : {&first, &second, &third}) voice->wait_for_line("heard one");
}

TEST_F(HostsThemselves, hear_each_other_on_a_second_network_while_the_first_leads_nowhere) {
  Hosts hosts(2);
  hosts.add_second_network({0, 1});
  hosts.lead_nowhere(1);
  Process first = voice_on(hosts, 0, hosts.address(0));
  Process into_nowhere = voice_on(hosts, 1, hosts.address(1));
  into_nowhere.wait_for_line("listening");
  Process second = voice_on(hosts, 0, hosts.second_address(0));
  Process third = voice_on(hosts, 1, hosts.second_address(1));
  second.wait_for_line("heard one");
  third.wait_for_line("heard one");
  into_nowhere.close_input();
  EXPECT_EQ(into_nowhere.wait(), 0);
  EXPECT_THAT(into_nowhere.out(), HasSubstr("heard 0, "));
}

TEST_F(HostsThemselves, hear_each_other_again_when_a_link_is_back) {
  Hosts hosts(2);
  hosts.link_down(1);
  Process first = voice_on(hosts, 0, hosts.address(0));
  Process second = voice_on(hosts, 1, hosts.address(1));
  first.wait_for_line("listening");
  second.wait_for_line("listening");
  EXPECT_THAT(first.out() + second.out(), Not(HasSubstr("heard")));
  hosts.link_up(1);
  first.wait_for_line("heard one");
  second.wait_for_line("heard one");
}

TEST_F(HostsThemselves, of_a_killed_test_are_removed_with_what_runs_there) {
  const std::string who = folder_ / "who";
  const pid_t killed = ::fork();
  if (killed == 0) {
    const Hosts hosts(2);
    Process left(hosts.on(0, {"sh", "-c", "echo $$ > " + who + "; exec sleep 1000"}));
    left.wait_until([&] { return first_number_in(who) != 0; }, "its process id");
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(killed, nullptr, 0), killed);
  const pid_t left = first_number_in(who);
  ASSERT_NE(left, 0);
  Hosts::remove_leftovers();  // a test program beside us may have been faster
  EXPECT_THAT(namespaces_of(killed), IsEmpty());
  Process patience({"true"});
  patience.wait_until([&] { return !runs(left); }, "the end of what ran there");
}

TEST_F(HostsThemselves, run_a_program_as_the_process_that_was_started) {
  const Hosts hosts(1);
  Process shell(hosts.on(0, {"sh", "-c", "echo I am $$"}));
  EXPECT_EQ(shell.wait(), 0);
  EXPECT_EQ(shell.out(), "I am " + std::to_string(shell.pid()) + "\n");
}

}  // namespace
}  // namespace pp::test
