// Options: how a node runs; a plain struct, read from PP_* variables unless the program fills it
// itself.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <pp/address.hpp>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

// What a node is in its launch.
enum class Role : std::uint8_t {
  kDriver,  // runs the program's body, submits jobs and works
  kWorker,  // serves others until its driver says goodbye
};

struct Options {
  // Jobs at a time; Runtime::set_workers() changes it. Absent: as many as the affinity mask and the
  // cgroup's CPU quota allow. 0: this node runs none, others do. At most 1024. (PP_WORKERS)
  std::optional<unsigned> workers{};

  Role role = Role::kDriver;  // PP_ROLE=driver|worker

  // Where to listen, "host:port"; port 0 takes any free one, an empty host (":7000", or nothing at
  // all) chooses the interfaces. (PP_LISTEN)
  std::string listen{};

  // Ways to find the others, all equal: one node that answers is enough to meet all.
  // By name or address; every address of a name is tried. (PP_PEERS=host:port,host:port)
  std::vector<Address> peers{};
  // By multicast: "on", "off", or parts of "group=239.255.77.80,group6=ff02::7070,port=7707,
  // interfaces=eth0+eth1,ttl=1". Nobody without the key learns anything from it. (PP_DISCOVER)
  std::string discover = "on";
  // By a file with a host or host:port a line, read again when it changes. (PP_HOSTS_FILE)
  std::string hosts_file{};
  // By a DNS name that stands for many addresses, "name:port". (PP_DNS)
  std::optional<Address> dns{};
  // By a folder that all of them can write to: each leaves a file there. (PP_FOLDER)
  std::string folder{};

  // The cluster key, made by pp-keygen. A node with a key opens the network; one that is to be
  // found or to find others without a key is refused. (PP_KEY_FILE)
  std::string key_file{};
  std::string interface {};  // PP_IFACE=eth0
  // PP_FABRIC: "auto" for the best libfabric provider here, one by name ("verbs", "tcp;ofi_rxm"),
  // or "off" for the control connection alone
  std::string fabric = "auto";
  // Nodes of the same user on one host exchange their data through memory that both map; off: as
  // with any other host. (PP_SHM=off)
  bool shared_memory = true;
  std::string name{};    // PP_NAME; empty: "host:pid"
  std::string launch{};  // PP_LAUNCH: nodes of different launches refuse each other

  // A node of which nothing is heard for so long is suspected. At least 50 ms. (PP_SUSPECT)
  std::chrono::milliseconds suspect{1'000};
  // And taken for dead after so long, unless it objects; at least twice `suspect`. A node that was
  // only stopped or cut off is taken back when it returns. (PP_DEAD)
  std::chrono::milliseconds dead{3'000};
  // A worker that is told to leave (SIGTERM, Runtime::drain) lets its jobs run for so long.
  // (PP_DRAIN)
  std::chrono::milliseconds drain{30'000};

  // pp::run's driver waits until this many nodes, itself included, are there before the body
  // begins. (PP_NODES)
  unsigned nodes = 1;
  std::chrono::milliseconds join_timeout{30'000};  // PP_JOIN_TIMEOUT, in seconds

  // A job whose execution is lost with its node is run again, alone on another node if it may have
  // been the cause. When more than so many nodes have died with it as the only one that can have
  // killed them, it fails with NodeLost. (PP_RETRIES)
  unsigned retries = 3;

  // From which the random numbers of this node's jobs come (this_job().random()): the same seed,
  // the same numbers. (PP_SEED)
  std::uint64_t seed = 0;

  // So many jobs may be queued here; then submit() blocks, unless it is called inside a job.
  // (PP_QUEUE_LIMIT)
  std::size_t queue_limit = 1'000'000;

  // Of what was shared or was too large to travel with each job, a node keeps so many bytes that no
  // job of it needs at present, for the next that do; absent: an eighth of the memory, 4 GiB at
  // most. 0: nothing. (PP_CACHE, in MiB)
  std::optional<std::size_t> cache_bytes{};

  // A driver where nothing has moved for so long although something is waited for says what it
  // waits for, where that is, and since when; 0: never. A node that gets SIGUSR1 (in pp::run) says
  // it at any time. (PP_STALLED, in seconds)
  std::chrono::milliseconds stalled{30'000};

  // Stack of each worker thread. Only what is touched costs memory; jobs that wait run others on
  // top of their own stack.
  std::size_t stack_bytes = std::size_t{64} << 20;

  // Where a driver keeps what its maps have finished, so that a later run can go on from there;
  // empty: nowhere. Workers ignore it. A file that exists and is not empty is refused without
  // `resume`. (PP_JOBLOG)
  std::string joblog{};
  // Go on from what that file holds; one that does not exist is begun. (PP_RESUME=on|off)
  bool resume = false;

  // pp::run in a task of a Slurm step (`srun -n 4 ./app`) fills in what is left open above: task 0
  // is the driver, the others are its workers. Not where PP_ROLE is set. (PP_SLURM=on|off)
  bool slurm = true;
  // Where such a driver listens: a port, or a range of which it takes one by the numbers of job and
  // step, and the next one for the data. (PP_SLURM_PORTS)
  std::string slurm_ports = "20480-28671";
  // A folder that all tasks share, for the step's key if key_file names none; empty:
  // $HOME/.pp/slurm. (PP_SLURM_FOLDER)
  std::string slurm_folder{};
  // Where this node can be watched by HTTP, read-only: "host:port", "[v6]:port", or ":port" on
  // 127.0.0.1; port 0 takes any free one; empty: nowhere. The log says the whole address; whoever
  // has it, token and all, may look. (PP_HTTP; `on` stands for :0)
  std::string http{};
  // /metrics, /healthz and /readyz of it need no token. (PP_HTTP_TOKEN=off)
  bool http_open = false;
  // Where a driver draws what all nodes do, as a file for https://ui.perfetto.dev or
  // chrome://tracing, when it ends; empty: nowhere. Workers ignore it: the driver asks them.
  // (PP_TRACE)
  std::string trace{};

  // Whether pp::run's driver says on stderr how far it is: "auto": on a terminal in a line that is
  // kept up to date, elsewhere every 30 s; "on": elsewhere every 10 s; "off"; or seconds between
  // plain lines. (PP_PROGRESS)
  std::string progress = "auto";

  // pp::run does everything but run the program's body: a driver waits, once its nodes are there,
  // until it is told to end. (PP_CHECK=on|off: what `pp-launch --check` sets)
  bool check = false;

  int report_fd = -1;     // PP_REPORT_FD: where pp-launch wants to read what happens
  int black_box_fd = -1;  // PP_BLACK_BOX: pp-launch's memory file for what its nodes are running

  // Reads PP_*. Throws pp::Error naming the variable, its value and what was expected.
  static Options from_environment();

  // Whether a network is opened at all.
  bool opens_network() const {
    return !listen.empty() || has_contacts() || (!key_file.empty() && discover != "off");
  }
  // Whether somebody named a way to others, beside multicast.
  bool has_contacts() const {
    return !peers.empty() || !hosts_file.empty() || dns || !folder.empty();
  }
};

}  // namespace pp

#pragma GCC visibility pop
