// The text that pp-launch --help ends with.
#pragma once

namespace pp::tools {

inline constexpr char kLaunchExamples[] = R"(Examples:
  pp-launch -n 4 -- ./app --size 100      4 nodes here that share this machine's cores
  pp-launch -n 2 --workers 8 -- ./app     2 nodes of 8 workers each
  pp-launch -n 1 -- ./app                 the program alone: no network, no key
  pp-launch -n 4 --respawn -- ./app       workers that die are replaced, as often as it takes
  pp-launch -- ./app                      in a Slurm allocation: a node on each of its hosts (srun)
  pp-launch --discover -- ./app           here and on all hosts nearby that run ppd
  pp-launch -n 4 --joblog app.log --resume -- ./app
                                          the same line again after a crash goes on where it was

  pp-launch -H a,b:8,user@c -- ./app      a driver here, and a node on each of three hosts (8 workers on b)
  pp-launch --hostfile hosts --min-nodes 3 -- ./app
                                          it begins with two hosts and the driver; others come later
  pp-launch -H a,b --check -- ./app       whether they could be used, and why not; runs nothing

A host is what ssh calls so: your configuration, agent and jump hosts count. The program must be
there, under the same path or as --workdir says. In a hostfile are lines like "b slots=8", "b:8" or
"8/user@b"; when it changes, new hosts join and those that are gone drain. The key goes through
ssh's standard input. A host that fails is named with its stage: ssh, shell, key, workdir, exec,
ended, listening, version, connect, refused. All that was started there ends with pp-launch, however it ends.

With --discover the program need not be there: a node daemon (ppd --help) gets it from here, once
as long as it does not change. --key-file is then the daemons' key; the launch has one of its own.

Nodes started by hand may join a running driver when they have its key and know its address:
  pp-keygen cluster.key
  pp-launch -n 2 --key-file cluster.key --listen 127.0.0.1:7000 -- ./app
  PP_ROLE=worker PP_PEERS=127.0.0.1:7000 PP_LISTEN=127.0.0.1:0 PP_KEY_FILE=cluster.key ./app

Node 0 is the driver: its input, output and exit code are those of pp-launch. The workers' output
appears line by line behind "[1] ", "[2] ", ... Signals go to the driver. Ctrl-C once lets it wind
up, unless it has a handler of its own: nothing more is begun, what runs comes to its end (PP_DRAIN),
results so far are in the job log. Twice ends everything. SIGUSR1 goes to every node.

A worker that dies is told of at once: how, after how long, with how much memory, and which jobs it
was running; those run again elsewhere. With --respawn a new process takes its place, at once or,
if it died within a second of its start, a moment later; after three such lives in a row it is
given up.

Exit code: the driver's, or 128 + the signal that killed it; 2 the command line makes no sense;
3 the nodes did not come together; 124 the run's --timeout was over; 126, 127 the program cannot be run or was not found.)";

}  // namespace pp::tools
