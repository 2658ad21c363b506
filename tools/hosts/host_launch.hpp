// HostLaunch: runs a program as a driver here and a node on each of several hosts, by ssh.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "box_copy.hpp"
#include "child.hpp"
#include "farewell.hpp"
#include "file_watch.hpp"
#include "host_list.hpp"
#include "launch_folder.hpp"
#include "launch_loop.hpp"
#include "launch_plan.hpp"
#include "line_splitter.hpp"
#include "muster.hpp"
#include "respawn.hpp"
#include "ssh_session.hpp"
#include "stage_plan.hpp"
#include "temporary_key.hpp"

namespace pp::tools {

struct HostPlan {
  LaunchPlan launch;  // the driver's part; its number of nodes is not looked at
  std::vector<HostEntry> hosts;
  std::filesystem::path hostfile;       // more of them; read again when it changes. Empty: none
  std::optional<unsigned> workers;      // of a host that names no number; absent: its cores
  unsigned min_nodes = 0;               // with so many, the driver included, it begins; 0: with all
  std::vector<std::string> ssh{"ssh"};  // the program and options for it
  std::string workdir;  // on the hosts; empty: as here if there is one, else the home
  std::string here;     // this process's working directory
  std::vector<std::string> environment;  // NAME=value, for the nodes on the hosts
  std::string key_on_hosts;              // where the key lies there; empty: it is sent
  std::chrono::seconds connect_limit{10};
  std::chrono::seconds run_limit{0};  // of the whole run; 0: none
  std::optional<StagePlan> stage;     // what is copied to hosts that lack it; it runs from there
};

// The environment of a node on a host beside what its script sets (keeper_script.hpp): what the
// launch decides, the PP_ variables of `inherited`, then what the user names.
std::vector<std::string> host_environment(const HostPlan& plan, const HostEntry& host,
                                          std::string_view name, std::string_view launch,
                                          const std::vector<std::string>& inherited);

// What a launch would run, for people: each host's commands, and once the script that starts a
// node. The key is not shown. Throws pp::Error when the hosts cannot be read.
std::string rehearsal(const HostPlan& plan);

// The driver is a child here and keeps our descriptors 0, 1, 2 and our process group; each host has
// one connection, over which a script of ours runs its node. Their output comes line by line behind
// "[host] ". When run() returns nothing of it runs anywhere; when this process is killed, that is
// so within 5 s.
class HostLaunch final : LaunchLoop {
 public:
  // What run() returns: beside the driver's code, 128 + a signal, and a shell's 126 and 127.
  static constexpr int kIncomplete = 3;  // too few nodes came together
  static constexpr int kTimedOut = 124;  // the run's time was over, as timeout(1) says it

  // REQUIRES: a host at least, or a hostfile; a command. Throws pp::Error.
  explicit HostLaunch(HostPlan plan);

  int run();

 private:
  struct Driver {
    pid_t pid = 0;
    Time started{};
    std::optional<ExitStatus> exit;
    Descriptor report;
    LineSplitter report_lines{4096};

    bool living() const { return pid != 0 && !exit; }
  };
  struct Host {
    HostEntry entry;
    std::unique_ptr<SshSession> visit;  // opens the connection and holds it
    std::unique_ptr<SshSession> node;
    std::unique_ptr<SshSession> copy;  // of a file that the host lacks
    std::vector<const StagedFile*> lacks;
    bool speaks = false;                                // the node runs: what is printed is its own
    std::vector<std::pair<Output*, std::string>> held;  // lines that came before that was known
    bool leaving = false;                               // was told to go: its end is no news
    std::optional<ExitStatus> exit;                     // of the node, as its script tells it
    std::optional<Time> again;                          // when another node takes its place
    BoxCopy box;
    std::string last_jobs;  // in words, when the box was there
    int clock_answers = 0;
    std::chrono::system_clock::time_point clock_asked{};

    std::array<SshSession*, 3> sessions() const { return {copy.get(), node.get(), visit.get()}; }
  };
  enum class Phase { kGathering, kRunning, kEnding };

  // Beginning.
  std::optional<ExecFailure> find_programs();
  void take_key();
  void add_host(HostEntry entry);
  std::string new_name(const HostEntry& entry) const;
  void start_driver();

  // Hosts.
  void advance_hosts();
  void reach(unsigned host);
  void copy_next(unsigned host);
  void start_node(unsigned host);
  void print_for(unsigned host, Output& to, std::string_view line);
  const StagePlan* stage() const { return plan_.stage ? &*plan_.stage : nullptr; }
  SshCommand ssh_to(unsigned host, bool opens) const;
  void keeper_said(unsigned host, std::string_view words);
  void ask_clock(unsigned host);
  void clock_said(unsigned host, std::string_view words);
  void node_ended(unsigned host);
  void node_lost(unsigned host, const ExitStatus& status);
  void mourn(unsigned host, const std::string& sentence, Clock::duration lived);
  void let_go(unsigned host);
  void end_sessions_of_failed();
  void read_hostfile_again();

  // One turn.
  void step();
  void add_sources(Watch& watch);
  Time next_due() const;
  void call_roll();
  void tell_findings();
  void tell_news();
  void read_reports();
  void read_output(unsigned host, SshSession& session);
  void read_error(unsigned host, SshSession& session);
  void drain(unsigned host, SshSession& session);
  void reap_all();
  void session_ended(unsigned host, SshSession& session, const ExitStatus& status);
  void driver_ended(const EndedChild& child);

  // Signals and ending.
  void handle(const Signal& signal) override;
  void let_nodes_leave();
  void interrupt(const Signal& signal);
  void suspend(const Signal& signal);
  void signal_driver(int signal);
  void order(unsigned host, std::string_view signal);
  void order_all(std::string_view signal);
  void begin_ending(Farewell::Limits limits);
  void say_goodbye();
  bool finished() const {
    return gave_up_ || (phase_ == Phase::kEnding && childless_ && out_.empty() && err_.empty());
  }

  HostPlan plan_;
  std::vector<std::string> inherited_;
  std::string launch_id_;
  std::string program_, ssh_;  // files
  std::unique_ptr<TemporaryKey> own_key_;
  std::string key_;
  LaunchFolder folder_;
  std::vector<HostEntry> from_file_;
  std::optional<FileWatch> hostfile_watch_;
  std::optional<Muster> muster_;
  Respawn respawn_;
  Driver driver_;
  std::deque<Host> hosts_;  // number 1 first
  Phase phase_ = Phase::kGathering;
  std::optional<Farewell> farewell_;
  int exit_code_ = 0;
  bool childless_ = false;
  bool gave_up_ = false;
};

}  // namespace pp::tools
