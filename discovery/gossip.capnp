# What members say to each other to know who is there; rides in heartbeats, one Word at a time.
@0xe5b2c1a4d9f03867;
# Words may be lost and are not ordered: each stands for itself. Said by proven members only.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pp::discovery::wire");

struct Word {
  kind @0 :Kind;
  incarnation @1 :UInt32;      # of who says this
  digest @2 :UInt64;           # of the members present in the sender's roster, itself included
  members @3 :UInt32;          # how many these are
  number @4 :UInt64;           # ping, ack, probe, report: which question it is
  subject @5 :Data;            # 16 bytes. probe, report: whom it is about. page: ask: where the page begins. Else empty.
  queued @6 :UInt32;           # the sender's load
  idle @7 :UInt32;
  workers @8 :UInt32;
  news @9 :List(Member);       # at most 64
  last @10 :Bool;              # page: nothing follows

  enum Kind {
    heartbeat @0;              # the sender lives; asks for nothing
    ping @1;                   # answer with an ack of the same number, at once
    ack @2;
    probe @3;                  # ping `subject` for me and report if it answers
    report @4;                 # `subject` has answered; number as in the probe
    ask @5;                    # our digests differ: tell me a page of your roster, of nodes greater than `subject`
    page @6;                   # the page, in order of NodeId
    restAsk @7;                # I have no more use for this session: have you?
    restYes @8;                # neither have I, and I say nothing more on it: hang up
  }
}

struct Member {
  node @0 :Data;               # 16 bytes
  incarnation @1 :UInt32;
  state @2 :UInt8;             # pp::MemberState
  name @3 :Text;               # at most 64 bytes
  addresses @4 :List(Text);    # at most 8
  workers @5 :UInt32;
  driver @6 :Bool;
  launch @7 :Text;             # at most 64 bytes
}
