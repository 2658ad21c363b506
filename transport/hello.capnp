# What two nodes say to each other in the handshake, before the first frame.
#
# A handshake has three messages on a fresh control connection; docs of the envelope (length, ephemeral keys, seals) are in
# handshake.hpp. The dialler sends its Hello sealed under the cluster key alone. The listener checks the seal before it does
# anything that costs, looks whether it can work with such a node, and sends an Answer sealed under both ephemeral keys. The
# dialler, which now knows that the listener holds the key, looks likewise, and ends with a Conclusion. Only when the listener
# has opened the Conclusion does it know that the dialler is no recording; only then may data flow.
@0xd2f1b7c64d3a9e01;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pp::transport::schema");

struct Hello {
  node @0 :Data;               # 16 bytes
  name @1 :Text;               # for people, at most 64 bytes
  workers @2 :UInt32;
  functionTable @3 :UInt64;
  build @4 :Text;              # at most 128 bytes
  launch @5 :Text;             # at most 64 bytes
  addresses @6 :List(Text);    # at most 8, "host:port"

  ciphers @7 :UInt32;          # bits of Cipher
  session @8 :UInt64;          # the number that frames towards this node must carry
  creditFrames @9 :UInt32;     # data frames that may be under way towards this node
  wanted @10 :DataChannel;     # fabric: only if both want it, with the same provider and eager limit
  fabricProvider @11 :Text;    # empty: this node has no fabric open
  fabricAddress @12 :Data;     # at most 128 bytes, means something to the same provider only
  eagerLimit @13 :UInt32;      # the largest frame; providers refuse a peer whose limit differs
  driver @14 :Bool;            # this node runs a program's body; others serve

  # Memory that is shared: only if both name the same place and user. The dialler then knocks at the listener's door.
  memoryPlace @15 :Text;       # this boot of this machine and the network namespace in it, at most 64 bytes
  memoryUser @16 :UInt32;      # effective user id
  memoryDoor @17 :Text;        # abstract name of a Unix socket, at most 64 bytes; empty: this node shares no memory
}

enum DataChannel {
  control @0;
  fabric @1;
  memory @2;                   # never wanted in a Hello, which says it by its memoryDoor; chosen in a Conclusion
}

# A refusal by a proven node. The sentence names both values and the cure.
struct Refusal {
  reason @0 :UInt16;           # pp::transport::RefusalReason
  sentence @1 :Text;           # at most 512 bytes
}

# The listener's message.
struct Answer {
  union {
    hello @0 :Hello;
    refusal @1 :Refusal;
  }
}

# The dialler's last message: what was chosen, or why nothing was.
struct Conclusion {
  union {
    channel @0 :DataChannel;
    refusal @1 :Refusal;
  }
}
