// Guest: a launcher's session with a daemon, and the files and processes of its lease.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <pp/transport.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "child.hpp"
#include "daemon_log.hpp"
#include "daemon_settings.hpp"
#include "descriptor.hpp"
#include "lease.hpp"
#include "line_splitter.hpp"
#include "program_cache.hpp"
#include "run_folder.hpp"
#include "temporary_key.hpp"

namespace pp::tools::daemon {

// What all guests of a daemon use. Must outlive them.
struct House {
  const DaemonSettings& settings;
  const DaemonLog& log;
  ProgramCache& cache;
  const SignalState& signals;  // for the processes
  int epoll = -1;              // readable when a process has written
  int nothing = -1;            // /dev/null
  std::function<std::optional<std::string>()> why_none_now;
  std::function<void(transport::SessionId, const Message&)> say;
};

// The hands of one Lease. One thread.
class Guest final : Lease::Hands {
 public:
  Guest(House& house, transport::SessionId session, std::string who, Lease::Limits limits);
  ~Guest() override;

  Lease& lease() { return lease_; }
  const Lease& lease() const { return lease_; }
  transport::SessionId session() const { return session_; }
  const std::string& who() const { return who_; }
  Time since() const { return since_; }
  // A process of the system has ended. False: none of this guest's.
  bool ended(const EndedChild& child, Time now);
  bool knows(pid_t pid) const;
  // Ends what this process of ours has started and left, while its number is still its own.
  void end_family(pid_t pid) const;
  // Takes in what its processes have written, as far as the launcher wants more.
  void read();
  // Leases that are over hold nothing any more.
  void clear();

 private:
  struct Worker {
    pid_t pid = 0;
    Descriptor report, output, error;
    LineSplitter report_lines{kMaxLine};
    bool watched = false;
  };

  void say(const Message& message) override;
  std::optional<std::string> why_none_now() override;
  bool has_program(const Open& open) override;
  std::optional<std::string> begin_program(const Open& open) override;
  std::optional<std::string> add_piece(std::span<const std::byte> bytes) override;
  std::optional<std::string> finish_program() override;
  std::variant<pid_t, std::string> start(const Open& open, unsigned process,
                                         unsigned workers) override;
  void signal(unsigned process, int number) override;

  std::vector<std::string> environment(const Open& open, unsigned workers, int report) const;
  // False: nothing more for now.
  bool read_reports(unsigned process, Worker& worker);
  bool read_some(unsigned process, Descriptor& from, bool error);
  void watch(int descriptor, bool wanted) const;

  House& house_;
  const transport::SessionId session_;
  const std::string who_;
  const Time since_ = Clock::now();
  Lease lease_;
  std::unique_ptr<ProgramCache::Arrival> arrival_;
  std::optional<std::filesystem::path> program_;  // held in the cache
  std::unique_ptr<TemporaryKey> key_;
  std::unique_ptr<RunFolder> folder_;  // where they run, if no other is set
  std::map<unsigned, Worker> workers_;
};

}  // namespace pp::tools::daemon
