# What two nodes of a cluster say to each other.
@0xb3c86a1b53a0f7c2;
# What two nodes say to each other once their session is proven. Each message is a header of 16 bytes, and one Message unless it
# says no more than the header does; those of a session arrive whole and in order. `number` names a loan at the owner (the node
# that lends); it is never used twice in a process's life. Whatever contradicts what is said here ends the session as a violation.
#
# The header, two 64-bit numbers, the lowest byte first (link.hpp has the rules):
#   sequence   of the link, from 1: what changes what a node holds (grant with jobs, returned, result, cancel, leave and its answer) is applied
#              once and in order, and said again on the next session when it may not have been. 0: of this session only.
#   applied    up to this number the speaker has applied what the other has said under the link.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pp::runtime::wire");

struct Message {
  union {
    steal @0 :Steal;
    grant @1 :Grant;
    returned @2 :List(Returned);
    results @3 :Results;
    load @4 :Load;
    leave @5 :Text;          # "I go": the peer lends this node nothing any more and answers that it has understood. Until that comes,
                             # grants may be under way to the leaver; it returns them. Then it ends the session.
    cancel @6 :List(UInt64); # Owner to borrower: numbers of loans whose jobs are cancelled. One not begun comes back as Returned with the
                             # reason `cancelled`; one that runs is told to stop, and whatever it ends with comes as its Result. Numbers
                             # that the borrower does not know (their Result is under way) mean nothing.
    attach @7 :Attach;       # the first on every session, from both sides
    begun @8 :List(UInt64);  # Borrower to owner, once a second while it is so: loans of the owner that have been running for longer
                             # than that. If the borrower dies, these are known to have begun (protocol.md rule 6).
    understood @9 :Void;     # the answer to a leave: nothing follows that would have to go back
    want @10 :List(Want);    # Whoever needs a blob to whoever has it: pieces of it, each answered by a Piece as soon as it is there,
                             # or one notHere or instead for all that is wanted of that blob. These five are of the session only:
                             # when it ends, whoever still needs something asks again.
    piece @11 :Piece;
    notHere @12 :BlobId;     # "I have it no more, and do not get it"
    instead @13 :Instead;    # "That node has it, or will have it before I could send it to you: ask there." Who cannot get it there asks
                             # again with `insist`, and is given it.
    taken @14 :List(UInt64); # Owner to borrower, of the link: the blobs of these loans' results have come; they need not be kept
    observe @15 :Observe;    # Driver to everybody, once a second while it draws a trace: write down what you do, and tell me
    records @16 :Records;    # the answer, and whatever was written down since; both are of the session only and may be lost with it
  }
}

struct Attach {
  # "I mean this link, and have applied so much of it." Said again when the speaker learns the listener's number, and when a link is
  # over: if the two do not mean the same one, it is over at both. A link stands when each has named both numbers on this session;
  # before that no numbered message is said.
  mine @0 :UInt64;         # the speaker's number of it; each of its links with this peer has another
  yours @1 :UInt64;        # the listener's; 0: not heard yet
  applied @2 :UInt64;
}

struct Steal {
  # Thief to victim: give me jobs. At most one is open per session and direction; it is answered by exactly one Grant, at once or
  # whenever there is something to give: a Grant of kind `none` says that the request stays with the victim (it is the lifeline).
  workers @0 :UInt32;      # of the thief
  idle @1 :UInt32;         # of these without a job
  wants @2 :UInt32;        # so many jobs last the thief until more could come: fewer, and it asks again before it can have begun them.
                           # An owner whose borrowers have more than they run asks them on behalf of the thieves that wait at it.
}

struct Grant {
  # Victim to thief. `jobs` and `redirect` answer the request and close it; `none`, and a redirect that `waits`, leave it open. Jobs
  # close a request of the victim's own, too, that lies at the thief: who lends needs none. An `unasked` grant is none of these: its jobs were placed on this very node by whoever submitted them; it answers no request and leaves an open one open.
  union {
    jobs @0 :List(Job);    # lent; the thief answers each with a Result or a Returned
    redirect @1 :Data;     # NodeId (16 bytes) of a node that has work: what the victim had was borrowed there and is back there; or,
                           # if the request `waits`, nothing went back, because there is more where it came from
    none @2 :Void;
  }
  queued @3 :UInt32;       # at the victim, after this grant
  unasked @4 :Bool;
  arguments @5 :Data;      # of all the jobs, one after the other: their first 256 MiB (a Data holds less than 512) ...
  more @6 :List(Data);     # ... and what follows, in pieces
  particulars @7 :List(Particulars);  # of those jobs that have any, in the order of the jobs
  waits @8 :Bool;          # a redirect that is also a `none`; may be said of a request that waits already
}

struct Job {
  # Four words and no pointer: a grant may hold a thousand, and reading and sealing them is most of what the smallest jobs cost.
  number @0 :UInt64;
  function @1 :UInt64;     # its id in the function table that both have
  id @2 :UInt64;           # the job's own, the same in every attempt: its random numbers and its children's ids come from it
  attempt @3 :UInt32;      # 1 for the first execution
  size @4 :UInt32;         # bytes of its arguments; those of all jobs are exactly what the grant has
}

struct Particulars {
  job @0 :UInt32;          # its place among the jobs, from 0; each only once
  timeout @1 :UInt64;      # nanoseconds of execution, then it is told to stop; 0: none
  priority @2 :UInt8 = 1;  # 0 high, 1 normal, 2 low; there are no others
  once @3 :Bool;           # it may be attempted once (retries = 0): begin it only while this link stands
  placed @4 :Bool;         # it stays with this borrower: never returned as `wanted`
  label @5 :Text;          # for people
  blobs @6 :List(Blob);    # what belongs to its arguments: fetched from the owner before the job is begun
}

struct BlobId {
  # A string of bytes by its name: BLAKE2b over a tree of leaves (content_hash.hpp), as four numbers, lowest byte first.
  # A result, which only its owner reads, has a name of its own instead (result_name.hpp).
  hash0 @0 :UInt64;
  hash1 @1 :UInt64;
  hash2 @2 :UInt64;
  hash3 @3 :UInt64;
  size @4 :UInt64;         # bytes
}

struct Blob {
  id @0 :BlobId;
  place @1 :UInt32;        # which argument it is, from 0 on; 0xfffffffe: all the arguments, or the result; 0xffffffff: something in the
                           # rest refers to it
}

struct Want {
  id @0 :BlobId;
  at @1 :UInt64;           # from here on ...
  length @2 :UInt32;       # ... so many bytes, all within the blob
  insist @3 :Bool;         # no other node is to be named instead
}

struct Piece {
  # The bytes themselves lie behind this message, so that they need not be copied into it and out of it: `length` of them, and zeros
  # up to a whole word.
  id @0 :BlobId;
  at @1 :UInt64;
  length @2 :UInt32;
}

struct Instead {
  id @0 :BlobId;
  node @1 :Data;           # NodeId (16 bytes)
}

struct Observe {
  # Answered at once, so that the time under way tells how far the clocks are apart. Who hears it writes down until the driver leaves, or is not
  # heard of for a while. Of several drivers the first one counts; the others learn of the clock only.
  asked @0 :UInt64;        # when this was said, on the speaker's clock: nanoseconds; comes back as it is, means nothing to others
  grain @1 :UInt64;        # nanoseconds: shorter jobs of one kind in a row may be told as one
  rate @2 :UInt32;         # so many records a second at most; what is more is dropped and counted
}

struct Records {
  asked @0 :UInt64;        # of the Observe that this answers; 0: of none
  heard @1 :UInt64;        # when that came, and when this was said, on the speaker's clock
  said @2 :UInt64;
  clock @3 :UInt64;        # which clock that is: processes of one system have the same; 0: not known
  dropped @4 :UInt64;      # jobs that are missing before these
  records @5 :Data;        # 48 bytes each (trace_record.hpp)
}

struct Returned {
  # Borrower to owner: not done here, yours again. The owner queues it; if it had begun, as another attempt.
  number @0 :UInt64;
  begun @1 :Bool;
  reason @2 :Reason;
  enum Reason {
    wanted @0;             # another thief wants work: it was sent to the owner
    leaving @1;            # this node ends
    unknownFunction @2;    # a function id that is not in the table: the owner runs it itself
    cancelled @3;          # as the owner said: nobody is to run it
    ineligible @4;         # it may not be run here
    full @5;               # too many results wait here for the owner, or too many of its jobs to be begun
    missing @6;            # something that belongs to its arguments could not be had
  }
}

struct Results {
  # Borrower to owner: done. The owner delivers those whose loans are still open.
  results @0 :List(Result);
  values @1 :Data;         # of all the results, one after the other: their first 256 MiB ...
  more @2 :List(Data);     # ... and what follows, in pieces
  failures @3 :List(Failure);  # of those that failed, in their order
  belongings @4 :List(Belongings);  # of those values that have any, in the order of the results
}

struct Result {
  number @0 :UInt64;
  size @1 :UInt32;         # bytes of its value; 0 if it failed
  failed @2 :Bool;
}

struct Belongings {
  result @0 :UInt32;       # its place among the results, from 0; each only once, and none that failed
  blobs @1 :List(Blob);    # what belongs to its value: the owner fetches it before it delivers, then says `taken`; so long it is kept
}

struct Failure {
  # As pp::runtime::Failure.
  kind @0 :UInt8;
  type @1 :Text;
  message @2 :Text;
  node @3 :Text;
  function @4 :Text;
  attempt @5 :UInt32;
  payload @6 :Data;        # of a registered type: what it is made of
  cause @7 :Failure;       # what was nested in it; 8 of them at most, what is deeper is not read
}

struct Load {
  # To every peer: when it has changed, at most once a second, and as the answer when the peer asks. A thief asleep that reads of
  # work asks again. (An idle node says nothing; that it lives is said in heartbeats, discovery/gossip.capnp.)
  queued @0 :UInt32;
  idle @1 :UInt32;
  jobs @2 :UInt64;         # executions ended, since the node's start
  nanoseconds @3 :UInt64;  # that they took
  stolen @4 :UInt64;       # of the executions: borrowed ones
  ask @5 :UInt64;          # not 0: answer with your Load, `answers` set to this
  answers @6 :UInt64;
  workers @7 :UInt32;      # they may change while the node lives
  lent @8 :UInt64;         # jobs of this node that it gave to others, since its start
  memory @9 :UInt64;       # bytes that its process has in use; alone it is no reason to say a Load
  functions @10 :List(Ran);  # in an answer to `ask` only, for whoever shows them to people
}

struct Ran {
  # Executions of one function at the speaker, since its start. (Those inside of a waiting job of the same node count as a part of it.)
  function @0 :UInt64;     # its id
  failed @1 :UInt64;
  nanoseconds @2 :UInt64;  # that they took
  running @3 :UInt32;      # workers that run it now
  counts @4 :List(UInt64); # the n-th, from 0: those that took 2^n nanoseconds or more and less than 2^(n+1); 40 at most, the last: or more
}
