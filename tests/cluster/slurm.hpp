// Slurm: a real one, with its controller and its daemons, on hosts that are made for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hosts.hpp"
#include "process.hpp"

namespace pp::test {

// Debian's packages slurmctld, slurmd and slurm-client, started by hand in a folder of their own:
// host n0 has the controller, n1, n2, ... are the nodes, each with 2 CPUs;
// the last one's name is known to Slurm alone, not to the hosts. They trust everybody who
// reaches them (auth/none), which is nobody but the test: each is a network namespace.
//
//   Slurm slurm(3);
//   Process run(slurm.command({"srun", "-n", "3", "./app"}), slurm.setting());
class Slurm {
 public:
  // Why none can be started here, in one line; empty if it can.
  static std::string why_not();

  // Returns when all nodes are idle. Throws std::runtime_error with the controller's last words.
  explicit Slurm(int nodes);
  ~Slurm() = default;
  Slurm(const Slurm&) = delete;
  Slurm& operator=(const Slurm&) = delete;

  // The command that runs a program on n0; it becomes the program.
  std::vector<std::string> command(const std::vector<std::string>& program) const {
    return on(0, program);
  }
  // HOME is a folder that all hosts share.
  Process::Setting setting(std::vector<std::string> environment = {}) const;

  // Folders: one that all hosts share, with what belongs to this Slurm; the home in it; one that
  // has the same name on every host, and is another on each.
  std::string operator/(const std::string& name) const { return folder_ / name; }
  std::string home() const { return folder_ / "home"; }
  std::string local() const { return folder_ / "local"; }

  // Runs a program on n0 to its end: what it prints.
  std::string ask(const std::vector<std::string>& program) const;

 private:
  std::vector<std::string> on(int host, const std::vector<std::string>& program) const;
  void write_files(int nodes) const;
  void wait_until_idle(int nodes);

  Folder folder_;
  Hosts hosts_;
  std::vector<std::unique_ptr<Process>> daemons_;  // last: they end first
};

}  // namespace pp::test
