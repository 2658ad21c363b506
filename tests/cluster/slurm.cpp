// Slurm: a configuration of a few lines, and its daemons in the foreground.
#include "slurm.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace pp::test {
namespace {

constexpr char kConfiguration[] = R"(ClusterName=pptest
SlurmctldHost=n0
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SlurmdParameters=config_overrides
ReturnToService=2
)";

bool installed(const std::string& program) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    if (std::filesystem::exists(folder + program)) return true;
  }
  return false;
}

std::string last_words(const std::string& file) {
  std::ifstream stream(file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  constexpr std::size_t kMost = 2'000;
  return text.size() > kMost ? text.substr(text.size() - kMost) : text;
}

}  // namespace

std::string Slurm::why_not() {
  for (const char* program : {"slurmctld", "slurmd", "srun", "unshare"}) {
    if (!installed(program)) {
      return std::string("no Slurm can be started here: there is no program ") + program +
             " (./setup.sh --slurm installs it)";
    }
  }
  return Hosts::why_not();
}

Slurm::Slurm(int nodes) : hosts_(nodes + 1) {
  write_files(nodes);
  const auto start = [&](int host, const std::vector<std::string>& program) {
    daemons_.push_back(std::make_unique<Process>(on(host, program)));
  };
  start(0, {"slurmctld", "-D", "-c"});
  for (int i = 1; i <= nodes; ++i) start(i, {"slurmd", "-D", "-c", "-N", "n" + std::to_string(i)});
  wait_until_idle(nodes);
}

void Slurm::write_files(int nodes) const {
  for (const char* name : {"state", "home", "local"})
    std::filesystem::create_directory(folder_ / name);
  std::ofstream hosts(folder_ / "hosts");
  hosts << "127.0.0.1 localhost\n";
  for (int i = 0; i <= nodes; ++i) {
    if (i < nodes) hosts << hosts_.address(i) << " n" << i << '\n';
    std::filesystem::create_directory(folder_ / ("spool-n" + std::to_string(i)));
  }
  // Where no cgroups are mounted slurmd would look for some, to choose between their versions.
  std::ofstream(folder_ / "cgroup.conf") << "CgroupPlugin=cgroup/v1\n";
  std::ofstream(folder_ / "slurm.conf")
      << kConfiguration << "StateSaveLocation=" << folder_ / "state"
      << "\nSlurmdSpoolDir=" << folder_ / "spool-%n"
      << "\nSlurmctldPidFile=" << folder_ / "slurmctld.pid"
      << "\nSlurmdPidFile=" << folder_ / "slurmd-%n.pid"
      << "\nSlurmctldLogFile=" << folder_ / "slurmctld.log"
      << "\nSlurmdLogFile=" << folder_ / "slurmd-%n.log" << '\n';
  std::ofstream more(folder_ / "slurm.conf", std::ios::app);
  for (int i = 1; i <= nodes; ++i) {
    more << "NodeName=n" << i << " NodeAddr=" << hosts_.address(i)
         << " CPUs=2 RealMemory=100 State=UNKNOWN\n";
  }
  more << "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n";
}

// A host has a name and /etc/hosts of its own. What is mounted there ends with the program.
std::vector<std::string> Slurm::on(int host, const std::vector<std::string>& program) const {
  std::vector<std::string> words{
      "unshare",
      "--mount",
      "--uts",
      "sh",
      "-c",
      "hostname n" + std::to_string(host) + " && mount --bind " + (folder_ / "hosts") +
          " /etc/hosts && mount -t tmpfs none " + (folder_ / "local") +
          " && export SLURM_CONF=" + (folder_ / "slurm.conf") + " && exec \"$@\"",
      "sh"};
  words.insert(words.end(), program.begin(), program.end());
  return hosts_.on(host, words);
}

Process::Setting Slurm::setting(std::vector<std::string> environment) const {
  Process::Setting setting;
  setting.environment = std::move(environment);
  setting.environment.push_back("HOME=" + home());
  return setting;
}

std::string Slurm::ask(const std::vector<std::string>& program) const {
  Process run(command(program));
  run.wait();
  return run.out();
}

void Slurm::wait_until_idle(int nodes) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const std::string all = std::to_string(nodes) + "\n";
  while (ask({"sinfo", "--noheader", "--states=idle", "--format=%D"}) != all) {
    for (const auto& daemon : daemons_) daemon->read(std::chrono::milliseconds(20));
    if (std::chrono::steady_clock::now() > limit) {
      throw std::runtime_error("Slurm's nodes do not come up: " + ask({"sinfo"}) +
                               last_words(folder_ / "slurmctld.log") +
                               last_words(folder_ / "slurmd-n1.log"));
    }
  }
}

}  // namespace pp::test
