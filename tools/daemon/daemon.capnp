# What a launcher and a node daemon (ppd) say to each other in a proven session: one program, run as workers.
#
# The launcher opens the session, in the transport's own handshake: both hold the daemons' key. It may *look*, and is
# told what the daemon is (*profile*); or it *opens* one lease, which lives as long as the session:
#
#   launcher                          daemon
#   open (program's hash and size)
#                                     wanted            the program is not in the cache
#   piece, piece, ...                                   in order, without a gap
#                                     started           a process runs; another, when the shares change
#                                     output, report    what it writes, and its report lines
#   heard                                               so much of both was taken in: more may follow
#   signal                                              for its processes; SIGTERM and SIGKILL end the lease
#                                     ended             a process has ended, and how
#                                     over              nothing runs any more
#
# A daemon that cannot or does not want to says *refused*, with a sentence, and the lease is over. Anything out of order
# is refused as well. The end of the session, whichever way it comes, ends every process of the lease.
@0xd1f0a3c85be94e17;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pp::tools::schema");

struct Message {
  union {
    look @0 :Void;
    profile @1 :Profile;
    open @2 :Open;
    wanted @3 :Void;
    piece @4 :Data;
    started @5 :Started;
    output @6 :Output;
    report @7 :Text;
    heard @8 :UInt64;              # bytes of output and of report lines, since the lease began
    signal @9 :UInt32;
    ended @10 :Ended;
    over @11 :Void;
    refused @12 :Text;
  }
}

struct Profile {
  protocol @0 :UInt32;             # of this file; the launcher opens nothing at another one
  version @1 :Text;                # of pp
  machine @2 :Text;                # as `uname -m` says
  workers @3 :UInt32;              # that it lends in all
  share @4 :UInt32;                # of them for the next lease; 0: it takes none now
  leases @5 :UInt32;               # under way
  memory @6 :UInt64;               # bytes that each process may use; 0: as much as there is
  why @7 :Text;                    # it takes none now
  others @8 :List(Text);           # daemons it knows of, "host:port"
}

struct Open {
  protocol @0 :UInt32;
  launch @1 :Text;                 # PP_LAUNCH
  program @2 :Text;                # what it is called: argv[0], and for people
  hash @3 :Data;                   # 32 bytes: runtime/include/pp/content_hash.hpp
  size @4 :UInt64;
  machine @5 :Text;                # that it is for; empty: any
  arguments @6 :List(Text);        # without argv[0]
  environment @7 :List(Text);      # NAME=value
  driver @8 :Text;                 # PP_PEERS
  key @9 :Data;                    # what the key file of the launch holds
  workers @10 :UInt32;             # at most so many; 0: as many as its share is
}

struct Started {
  process @0 :UInt32;              # numbered within the lease, from 0
  pid @1 :UInt32;
  workers @2 :UInt32;
}

struct Output {
  process @0 :UInt32;
  error @1 :Bool;                  # of its standard error
  bytes @2 :Data;
}

struct Ended {
  process @0 :UInt32;
  code @1 :Int32;
  signal @2 :Int32;                # that killed it; 0: none did
  coreDumped @3 :Bool;
  milliseconds @4 :UInt64;         # that it lived
  peakBytes @5 :UInt64;            # of memory
  replaced @6 :Bool;               # it was asked to go because the shares changed
}
