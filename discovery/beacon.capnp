# What a beacon says once its seal is verified: who is there, since when, and where to dial.
#
# The header before it, and the order in which both are believed, are in beacon.hpp.
@0xe6c1a95b03d7f248;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pp::discovery::schema");

struct Beacon {
  kind @0 :Kind;
  node @1 :Data;               # 16 bytes, not all zero
  incarnation @2 :UInt32;
  sequence @3 :UInt64;         # grows with each beacon of this process life
  name @4 :Text;               # for people, at most 64 bytes
  addresses @5 :List(Text);    # at most 8, "host:port", the most promising first, at most 880 bytes together
  workers @6 :UInt32;
}

enum Kind {
  hello @0;                    # just started, or new on this network: answer me
  here @1;                     # an answer, or the slow repetition
  leave @2;                    # about to go
}
