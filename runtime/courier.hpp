// Courier: the one thread on the network: messages in, calls out, and back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <pp/black_box.hpp>
#include <pp/discovery.hpp>
#include <pp/function_table.hpp>
#include <pp/neighbourhood.hpp>
#include <pp/runtime.hpp>
#include <pp/transport.hpp>
#include <set>
#include <thread>
#include <vector>

#include "assayer.hpp"
#include "blob_fetcher.hpp"
#include "blob_spread.hpp"
#include "blob_store.hpp"
#include "borrowed_job.hpp"
#include "chronicle.hpp"
#include "coalescing.hpp"
#include "crew.hpp"
#include "guarded.hpp"
#include "home.hpp"
#include "ledger.hpp"
#include "likenesses.hpp"
#include "link.hpp"
#include "log.hpp"
#include "messages.hpp"
#include "prefetch.hpp"
#include "queue.hpp"
#include "relief.hpp"
#include "result_name.hpp"
#include "thief.hpp"
#include "trace.hpp"
#include "trace_record.hpp"
#include "victim.hpp"
#include "workforce.hpp"

namespace pp::runtime {

class TraceFile;

// Carries between the transport and this node's queue, ledger, thief and victim. It runs no user
// code but the encoding of the arguments of jobs that it lends. Public members may be called from
// any thread; the others run on the courier's own, or on one that relieves it (relief.hpp), one at
// a time.
class Courier final : public Crew::Outside,
                      public BorrowedJob::Desk,
                      private transport::Handler,
                      private discovery::Neighbourhood::Listener,
                      private messages::Listener {
 public:
  struct Parts {
    Queue& queue;
    Log& log;
    const FunctionTable& functions;
    Home& home;
    const BlackBox* black_box = nullptr;  // of the launch on this host, if there is one
    Chronicle* chronicle = nullptr;       // where what happens is noted, if anybody wants to know
    // Of an owner's results so many bytes may wait for it here: past them nothing more of its is
    // begun (protocol.md rule 25).
    std::size_t most_results_kept = std::size_t{64} << 20;
    // Of an owner's jobs so many wait here to be begun, with so many bytes of arguments (blobs of
    // theirs that were not here before included): more are given back. Two for each worker may be
    // larger.
    std::size_t most_borrowed = std::size_t{1} << 16;
    std::size_t most_borrowed_bytes = std::size_t{256} << 20;
    // Arguments and results that take more bytes than this travel as blobs; so do all arguments of
    // a job together that take more than that without them.
    std::size_t eager = Luggage::kEager;
    std::size_t eager_together = std::size_t{2} << 20;
    // Arguments that take more than this are named by their loan, if nothing like them was lent
    // lately, and not by their content.
    std::size_t loose_from = codec::kLarge;
    BlobFetcher::Limits fetch{};
    // Of blobs that are not in use so many bytes are kept.
    std::size_t most_cached = std::size_t{1} << 30;
    std::uint64_t spread_least = BlobSpread::kLeast;
    ResultSecret result_secret{};     // this process's own
    Trace* trace = nullptr;           // what the workers write down; null: nobody is told
    TraceFile* trace_file = nullptr;  // of a driver that draws one
    std::uint64_t clock = 0;          // this system's clock; 0: it has no name
  };

  using Sources = std::vector<std::unique_ptr<discovery::Discovery>>;

  // `parts` must outlive this. Nothing runs before start().
  Courier(const Options& options, std::unique_ptr<transport::Transport> transport, Sources sources,
          Parts parts);
  ~Courier() override;

  // Begins, on a thread of its own. `workforce` must outlive stop().
  void start(Workforce& workforce);
  // Lends, borrows and steals no more; peers are told. Loans still open come back as Closed
  // failures; what is borrowed and not begun goes back to its owner. REQUIRES: the crew has
  // stopped.
  void stop();

  // The same without a thread, for a simulation, which calls step() whenever something has come for
  // this node, wake() was called, or the time has come that the last call returned.
  void begin(Workforce& workforce, Clock::time_point now);
  // Does some of what there is to do at `now`; says when it is to be called again at the latest:
  // `now` itself if there is more to do. max(): this was the end.
  Clock::time_point step(Clock::time_point now);
  // This node is about to end: what it has borrowed and not begun goes back at once, and nothing
  // more is borrowed; jobs that still run here may lend what they wait for. Any thread.
  void begin_end();
  // step() leads to the end from now on. REQUIRES: as stop().
  void end() { stopping_.store(true, std::memory_order_release); }

  std::vector<NodeView> nodes() const;
  // Where this node can be dialled: the most promising address.
  std::string address() const;
  bool wait_for_nodes(std::size_t others, Clock::time_point deadline) const;
  // Returns when the driver of this worker's launch has said goodbye or is gone, or drain() has
  // come to its end.
  enum class Farewell { kGoodbye, kDriverGone, kDrained };
  Farewell wait_for_goodbye();
  // Likewise, without waiting: nothing while there is no reason to leave.
  std::optional<Farewell> farewell() const;

  // See Runtime::drain(). begin_drain() may be called by a signal's watcher; neither by a job.
  void begin_drain(std::chrono::milliseconds limit);
  bool wait_until_drained();

  using NodeCallback = std::function<void(const NodeView&)>;
  void on_node_joined(NodeCallback callback);
  void on_node_left(NodeCallback callback);

  struct Figures {
    std::vector<NodeStatistics> nodes;  // the others
    // What they ran, as they said with this or before.
    std::map<NodeId, std::vector<FunctionFigures>> functions;
    std::uint64_t lent = 0, lost = 0, late = 0, refused = 0, misbehaved = 0, stolen = 0;
    IgnoredBeacons ignored;
    std::uint64_t messages = 0, words = 0, bytes = 0;  // said to others
    // Blobs that have come, their bytes, those that were needed and here already, and bytes given.
    std::uint64_t fetched = 0, fetched_bytes = 0, reused = 0, given_bytes = 0;
  };
  // What is open here; for a simulation, which looks between two steps.
  struct Holdings {
    std::size_t lent = 0, late = 0, suspects = 0;  // jobs of this node
    std::size_t borrowed = 0;                      // of others, queued or running
    std::size_t most_waiting = 0;                  // to be begun, of one owner
    std::size_t links = 0, kept_messages = 0, kept_bytes = 0;
    std::size_t unacknowledged = 0;  // messages of links that are attached
    std::size_t parked = 0;          // requests of others
    std::size_t waiting = 0;         // of the borrowed: what belongs to them is not here yet
    std::size_t fetching = 0, arriving = 0;  // blobs, and results that wait for them
    // Results whose blobs their owners have not taken: all, and those of links that are attached.
    std::size_t held = 0, untaken = 0;
    std::size_t sessions = 0;
  };
  Holdings holdings() const;
  // Likewise: how many workers a node with a session has, as far as this one knows.
  std::optional<std::uint32_t> workers_of(const NodeId& node) const;
  // Likewise: whether the link stands by which this job came.
  bool stands(const BorrowedJob& job) const;

  // What this node has open with others, several lines; what the courier does not say until
  // `deadline` is missing, and that is said.
  std::string describe(Clock::time_point deadline) { return describe(deadline, {}); }
  // The same, in front of it the loans of jobs with this in their name, label or number.
  std::string describe(Clock::time_point deadline, std::string_view job);
  // Grows with everything that is lent, borrowed or settled. Relaxed: a statistic.
  std::uint64_t progress() const { return moved_.load(std::memory_order_relaxed); }
  // Jobs that others have, and suspects; a moment ago.
  std::size_t open_loans() const { return open_loans_.load(std::memory_order_relaxed); }

  // Executions that were lost with a node.
  std::uint64_t lost() const { return board_.lock()->lost; }

  // Asks every peer; waits for the answers until `deadline`.
  Figures figures(Clock::time_point deadline);

  // A lent job that is not wanted any more: its borrower is told. If it is not lent (any more), it
  // is left alone.
  void recall(Job& job);
  // A job was queued that one other node is to run. The courier is woken afterwards.
  void placed() { placed_due_.store(true, std::memory_order_release); }

  // Waits for the job in the courier's place: moves it until the job is done, or it seems better to
  // sleep. True: it is done. Any thread but this node's workers.
  bool look_out_for(Job& job, Clock::time_point deadline);

  // Crew::Outside
  void wake() noexcept override;
  void hungry() noexcept override;
  void offer_help() noexcept override { relief_.offer(); }
  bool help() noexcept override;
  void withdraw_help(bool sleeps) noexcept override { relief_.withdraw(sleeps); }
  // A worker's part of the trace is to be collected. Any thread.
  void trace_due() noexcept {
    trace_due_.store(true, std::memory_order_relaxed);
    nudge();
  }
  bool wants_help() const noexcept override { return any_peers_.load(std::memory_order_relaxed); }

  // BorrowedJob::Desk
  void begun() override;
  void completed(BorrowedJob& job) override;
  const std::string& node_name() const override { return transport_->self().name; }
  std::size_t eager_bytes() const override { return parts_.eager; }
  BlobId name_result(const BorrowedJob& job, std::size_t size) const override {
    return result_name(transport_->self().node, job.owner, job.number, size, parts_.result_secret);
  }

 private:
  // What belongs to a result, until its owner has it.
  struct Held {
    std::vector<BlobPtr> blobs;
    std::size_t bytes = 0;       // of the result itself
    std::uint64_t sequence = 0;  // of the message that names it
  };
  // What this node and another one owe each other, whatever becomes of their sessions.
  struct LinkRecord {
    NodeId node;
    std::string name;
    std::vector<Address> addresses;
    Link link;
    std::optional<SessionId> session{};
    bool attached = false;  // the other means the same link on this session: it may be spoken on
    bool gone = false;      // nobody is there any more
    // Since when it is not attached; and when somebody is to be dialled for it.
    Clock::time_point apart{};
    Clock::time_point dial{};
    Clock::time_point acknowledge = Clock::time_point::max();  // at the latest
    std::optional<Clock::time_point> silent{};  // the owner of jobs that run here: since when
    std::size_t borrowed = 0;                   // jobs of its that are here
    std::size_t borrowed_bytes = 0;             // of their arguments, about
    std::size_t begun = 0, begun_bytes = 0;     // of these, as it was when
    Clock::time_point counted{};                // it was looked up
    bool laden = false;                         // these are so many that no more are taken
    Clock::time_point worked{};                 // when the last of these ended
    std::size_t unsent_bytes = 0;               // of the results of those that are in finished_
    std::map<std::uint64_t, Held> held{};       // by loan
    std::size_t held_bytes = 0;
    bool full = false;                        // of these and others: none of its jobs is begun
    Clock::time_point refuses_until{};        // that one was full: nothing is lent to it unasked
    Clock::duration refuses_for{};            // how long that was; the longer, the oftener it was
    std::vector<messages::Result> results{};  // of the message that is being put together
    std::size_t results_bytes = 0;            // of these, about
    bool told_begun = false;                  // the last word about them named some
  };
  struct PeerRecord {
    transport::Peer peer;
    LinkRecord* link = nullptr;
    std::optional<Clock::time_point> asked;       // when a request went out that is not answered
    bool left = false;                            // it said goodbye: it is lent nothing any more
    bool told = false;                            // we did
    bool understood = false;                      // and it has answered
    bool resting = false;                         // both sides have agreed to close it
    unsigned unread = 0;                          // questions of its, while our answers lie about
    Clock::time_point used{};                     // something was lent, asked or answered
    Clock::time_point heard{};                    // something of it
    std::deque<messages::Want> wants{};           // that are not answered yet
    std::optional<Clock::time_point> stealing{};  // since when it is asked for work; for the trace
    messages::Load told_load{};                   // what it believes of this node
  };
  // A result that has come, but for the blobs that belong to it.
  struct Arriving {
    NodeId borrower;
    std::uint64_t number;
    codec::Bytes value;
    std::vector<messages::NamedBlob> blobs;
    std::vector<Luggage::Item> here;
    std::size_t missing = 0;
  };
  using ArrivingAt = std::list<Arriving>::iterator;
  // Bytes on their way out, and what keeps them there.
  struct Enclosed : transport::Enclosure {
    BlobPtr blob;       // they lie in it; or
    codec::Bytes copy;  // here; or, as long as neither is there, in an Offer
  };
  // Bytes that one borrower may fetch for one loan. They may lie in the job's arguments: it must
  // not be run or changed as long as this stands.
  struct Offer {
    Job* job;  // with a reference
    LooseBytes bytes;
    std::vector<std::weak_ptr<Enclosed>> leaving{};  // parts of them on their way, the last few
  };
  // Who waits for a blob.
  struct Awaiting {
    bool for_one = false;  // its name is one job's, and nobody will ask for it again
    std::vector<BorrowedJob*> jobs;
    std::vector<std::pair<ArrivingAt, Luggage::Place>> results;
    Clock::time_point since{};  // and who was asked for it: for the trace
    NodeId giver{};
    bool empty() const { return jobs.empty() && results.empty(); }
  };
  // A job that may have killed its borrower waits for a node where it is tried alone.
  struct Suspect {
    Job* job;  // phase Lent, with a reference
    NodeId last;
    Clock::time_point since;
  };
  // A loan that will be shown in the trace.
  struct TracedLoan {
    std::uint64_t number = 0;  // 0: none
    NodeId borrower;
    TraceRecord record;
  };
  // What other threads may read.
  struct Board {
    std::map<NodeId, NodeView> present;        // the other members
    std::map<NodeId, NodeStatistics> figures;  // of those met; bounded, see forget_figures()
    std::map<NodeId, std::vector<FunctionFigures>> functions;  // of these, as they said last
    std::vector<NodeCallback> joined, left;
    std::string address;
    std::size_t sessions = 0;
    std::uint64_t answers_missing = 0;
    std::uint64_t asked = 0;
    bool goodbye = false;
    bool driver_gone = false;
    std::optional<bool> drained;  // whether everything ended in time
    std::uint64_t lent = 0, lost = 0, late = 0, refused = 0, misbehaved = 0;
    // Copied from where only the courier may look; see copy_figures().
    IgnoredBeacons ignored;
    std::uint64_t messages = 0, words = 0, bytes = 0;
    std::uint64_t copied = 0;  // `asked` as it was then
    std::string asked_about;   // jobs, in the next description
    std::string description;
    std::uint64_t described = 0;  // times

    std::optional<Farewell> farewell() const {
      if (drained) return Farewell::kDrained;
      if (goodbye) return Farewell::kGoodbye;
      return driver_gone ? std::optional(Farewell::kDriverGone) : std::nullopt;
    }
  };

  // Borrowed jobs that have ended.
  struct Completed {
    std::vector<BorrowedJob*> jobs;  // each with a reference
    bool due = false;                // their results are to be sent without waiting for others
  };

  // Callbacks about nodes that were not made yet.
  struct Calls {
    std::deque<std::function<void()>> waiting;
    bool under_way = false;  // a job makes them
    void check() const {}
  };

  void run();
  void nudge() noexcept;
  void turn(Clock::time_point now);
  void say_goodbye();
  void go_on_leaving(Clock::time_point now);
  void say_leave(PeerRecord& record);
  bool leaving() const {
    return stage_ != Stage::kHere || stopping_.load(std::memory_order_relaxed);
  }
  // Nothing is lent any more.
  bool closing() const {
    return stage_ >= Stage::kGoodbye || stopping_.load(std::memory_order_relaxed);
  }
  void start_drain(Clock::time_point now);
  void look_after_drain(Clock::time_point now);
  void give_up_running();
  void say(SessionId to, messages::Encoded message,
           std::shared_ptr<const transport::Enclosure> enclosed = nullptr);
  void deliver(LinkRecord& link, messages::Encoded message, bool result = false);
  void transmit(LinkRecord& link, messages::Encoded& message, std::uint64_t sequence);
  void acknowledge(LinkRecord& link);
  LinkRecord& link_with(const transport::Peer& peer);
  LinkRecord* find_link(const NodeId& node);
  bool anything_open(const LinkRecord& link) const;
  void attach(LinkRecord& link);
  void detach(LinkRecord& link);
  void end_link(LinkRecord& link, Ledger::End end);
  void look_into_black_box(const NodeId& node, Ledger::End& end) const;
  bool likely_to_kill(const Suspect& suspect) const;
  bool hears_others_than(const NodeId& node) const;
  void begin_next(LinkRecord& link);
  void void_borrowed(LinkRecord& link, bool gone);
  void lose_link(const discovery::Member& member, const std::string& how);
  void forget_link(LinkRecord& link);
  void end_link_of_process(LinkRecord& link, const std::string& how);
  void end_links_of_predecessors(const transport::Introduction& successor);
  void misbehaved(const std::string& sentence);
  bool reads_answers();
  bool take_header(LinkRecord& link, std::span<const std::byte> message);
  void owe_acknowledgement(LinkRecord& link);
  void look_after_links(Clock::time_point now);
  void note_link_due(Clock::time_point due) { links_due_ = std::min(links_due_, due); }
  bool is_full(LinkRecord& link) const;
  bool is_laden(LinkRecord& link) const;
  std::size_t bytes_of(const messages::LentJob& lent) const;
  bool hears_refusals(LinkRecord& link);
  void no_longer_full(LinkRecord& link);
  void return_excess();
  void tell_begun();
  void try_suspects(Clock::time_point now);
  std::optional<SessionId> court_of(const Suspect& suspect, bool& others);
  void dispose(std::vector<Ledger::Verdict>& verdicts, const NodeId& borrower,
               const std::string& how);
  bool take_late(const messages::Result& result, const NodeId& borrower, Arriving* parcel);
  void recall_obsolete();
  void send_results(std::size_t most_bytes);
  bool everybody_works() const;
  void deliver_results(LinkRecord& link);
  void send_recalls();
  void serve_thieves();
  void serve_parked();
  void answer_refused();
  void answered(SessionId thief);
  std::optional<NodeId> where_more() const;
  bool send_on(const Victim::Thief& thief);
  void recall_surplus();
  bool refuses(SessionId session);
  void grant_placed();
  void give_up(Job& job);
  void give_up_elsewhere();
  Failure::Kind why_nobody_runs_it() const;
  void ask_for(const std::set<NodeId>& nodes);
  std::optional<SessionId> session_of(const NodeId& node) const;
  bool serve(const Victim::Thief& thief, bool asks_now);
  bool lend(const Victim::Thief& thief, std::size_t most);
  bool grant(SessionId to, std::vector<Job*>& jobs, bool unasked, bool alone = false);
  void put_back(const std::vector<Job*>& jobs);
  void put_back(Job& job);
  bool encode(Job& job, codec::Bytes& arguments);
  messages::LentJob describe(const Job& job, std::uint64_t number) const;
  bool give_back(const Victim::Thief& thief, std::size_t most);
  void return_unwanted();
  std::map<NodeId, std::size_t> return_borrowed(const std::vector<Job*>& jobs,
                                                messages::Reason reason);
  void keep_to_its_place(Ledger::Verdict& verdict, const std::string& how);
  void steal();
  bool hungry_soon() const;
  void note_answer();
  void tell_load(Clock::time_point now);
  void copy_figures();
  void describe_if_asked();
  std::string description(std::string_view job) const;
  messages::Load full_load() const;
  void note(Chronicle::Kind kind, const std::string& sentence) {
    if (parts_.chronicle != nullptr) parts_.chronicle->note(kind, sentence);
  }
  void speak_to_borrowers();
  std::uint32_t queued() const;
  Victim::Stock stock() const;
  void add_borrowed(BorrowedJob& job, LinkRecord& link);
  void forget_borrowed(BorrowedJob& job);
  void settle(Job& job, const messages::Result& result, Arriving* parcel);
  void store(Job& job, const messages::Result& result, Arriving* parcel);
  // courier_blobs.cpp
  bool pack(Job& job, Luggage& luggage, codec::Bytes& arguments, std::string& why);
  void unpack(Job& job);
  void offer(Job& job, std::uint64_t number, const NodeId& borrower);
  void take_back_offers(Job& job);
  bool await_blobs(BorrowedJob& job, const std::vector<messages::NamedBlob>& named);
  void stop_waiting(BorrowedJob& job);
  void await_result(const messages::Result& result, const NodeId& borrower);
  void result_is_here(ArrivingAt at);
  std::vector<std::uint64_t> give_up_results(const NodeId& borrower,
                                             const std::function<bool(const Arriving&)>& which);
  void hold_on(LinkRecord& link, const std::map<std::uint64_t, std::uint64_t>& renumbered);
  std::vector<Job*> drop_borrowed(const std::function<bool(const BorrowedJob&)>& void_now);
  void hold(BorrowedJob& job, LinkRecord& link, messages::Result& result);
  void let_go(LinkRecord& link, std::uint64_t number);
  void let_go_all(LinkRecord& link);
  bool anything_held() const;
  void fetch_blobs(Clock::time_point now);
  void serve_blobs();
  bool serve_blob(PeerRecord& record, SessionId session, const messages::Want& want);
  void took(BlobFetcher::Took what, const BlobId& id, const std::string& from);
  void blob_is_here(const BlobId& id);
  void blob_failed(const BlobId& id);
  bool take_result(const messages::Result& result, const NodeId& borrower, Arriving* parcel);
  void fail(Job& job, Failure failure);
  // courier_trace.cpp
  bool traces() const { return parts_.trace != nullptr && parts_.trace->on(); }
  bool draws_trace() const;
  std::uint64_t trace_time() const;
  void trace(const TraceRecord& record);
  void trace_lent(std::uint64_t number, const Job& job, const NodeId& borrower);
  void trace_settled(std::uint64_t number);
  void trace_returned(std::uint64_t number);
  void trace_lost(const NodeId& borrower);
  void trace_asked(PeerRecord& victim);
  void trace_granted(PeerRecord& victim, std::size_t jobs);
  void trace_transfer(const BlobId& id, Clock::time_point since, const NodeId& giver);
  void look_after_trace(Clock::time_point now);
  void gather_trace(Clock::time_point now, bool last);
  void send_trace(bool last);
  void end_trace();
  void ask_for_traces();
  void observe(SessionId session, PeerRecord& record);
  NodeView view_of(const discovery::Member& member) const;
  void call_back(const std::vector<NodeCallback>& callbacks, const NodeView& view);
  void make_calls();
  void forget_figures(Board& board);
  void lost_driver(const discovery::Member& driver);
  void look_after_driver(Clock::time_point now);
  std::string who(SessionId session) const;
  PeerRecord* peer(SessionId session);

  // transport::Handler
  void on_up(SessionId session, const transport::Peer& peer) override;
  void on_message(SessionId session, std::span<const std::byte> message) override;
  void on_word(SessionId session, std::span<const std::byte> word) override;
  void on_down(SessionId session, transport::DownReason reason, std::string_view why) override;
  void on_dial_failed(const Address& address, transport::DialFailure failure,
                      std::string_view why) override;
  void on_refused(const transport::Refusal& refusal) override;

  // discovery::Neighbourhood::Listener
  void on_joined(const discovery::Member& member) override;
  void on_changed(const discovery::Member& member) override;
  void on_lost(const discovery::Member& member) override;
  void on_ended(const discovery::Member& member) override;
  void on_notice(const std::string& sentence) override;
  discovery::Load load() const override;
  void on_load(const NodeId& node, const discovery::Load& load) override;
  Clock::time_point last_used(SessionId session) const override;
  void on_rest(SessionId session) override;

  // messages::Listener: what `speaker_` says
  void on(const messages::Steal& steal) override;
  void on(const messages::Grant& grant) override;
  void on(const messages::Redirect& redirect) override;
  void on(const messages::None& none) override;
  void on(std::span<const messages::Returned> returned) override;
  void on(std::span<const messages::Result> results) override;
  void on(const messages::Load& load) override;
  void on_leave(std::string_view why) override;
  void on_understood() override;
  void on_cancel(std::span<const std::uint64_t> numbers) override;
  void on(const messages::Attach& attach) override;
  void on_begun(std::span<const std::uint64_t> numbers) override;
  void on(std::span<const messages::Want> wants) override;
  void on(const messages::Piece& piece) override;
  void on_not_here(const BlobId& id) override;
  void on(const messages::Instead& instead) override;
  void on_taken(std::span<const std::uint64_t> numbers) override;
  void on(const messages::Observe& observe) override;
  void on(const messages::Records& records) override;

  const Options options_;
  Parts parts_;
  std::unique_ptr<transport::Transport> transport_;
  Workforce* workforce_ = nullptr;

  // How far this node is with leaving, in this order.
  enum class Stage : std::uint8_t {
    kHere,
    kLeaving,    // it was told to drain: finishes what it has, takes nothing new
    kGoodbye,    // has said the last word, and waits for theirs
    kHangingUp,  // ends the sessions
    kHungUp,
  };

  // Who has the watch: the courier's own thread, or one that relieves it.
  Clock::time_point now_{};  // of the step that is under way
  Clock::time_point due_{};  // when it was to be at the latest
  Coalescing coalescing_;
  discovery::Neighbourhood neighbourhood_;
  Ledger ledger_;
  Thief thief_;
  Victim victim_;
  std::vector<SessionId> refused_;  // thieves that have not been told so
  std::map<SessionId, PeerRecord> peers_;
  std::map<NodeId, LinkRecord> links_;
  std::uint64_t next_link_ = 1;
  Clock::time_point links_due_ = Clock::time_point::max();
  std::deque<Suspect> suspects_;                  // the oldest first
  std::optional<Clock::time_point> fell_silent_;  // the last member that did: it may come back
  SessionId speaker_{};
  // Whom this node has asked for work, in need of it, has answered by then.
  Clock::time_point answers_due_ = Clock::time_point::max();
  Prefetch prefetch_;
  std::vector<BorrowedJob*> borrowed_open_;  // jobs we have and whose results are not sent
  std::deque<BorrowedJob*> finished_;        // those whose results are next; with references
  BlobStore store_;
  BlobFetcher fetcher_;
  BlobSpread spread_;
  std::vector<BorrowedJob*> waiting_;  // for blobs; each with a reference
  codec::Bytes encoded_;               // arguments of the job that is being lent
  std::vector<Luggage::Loose> loose_;  // those of them that have no name yet
  Likenesses likenesses_;              // of what was lent loose
  std::map<BlobId, Offer> offers_;
  std::list<Arriving> arriving_;             // results that do
  std::map<BlobId, Awaiting> wanted_blobs_;  // who waits for which; those the fetcher gets
  std::set<SessionId> askers_;               // whose wants are not all answered
  bool sent_ = false;                        // since the last poll of the transport
  std::uint32_t told_workers_;               // what the others believe that we have
  std::optional<NodeId> pointed_to_;  // a node that we were sent to and have no session with yet
  bool dial_pointed_ = false;         // when there is need
  bool recalled_all_ =
      false;  // nobody has more of our jobs than it runs and was not asked for them
  std::uint64_t others_workers_ = 0;  // of the members present
  // Placed jobs wait until the loans of a node are fewer.
  bool placed_wait_ = false;
  // Nodes that placed jobs wait for and that were never here: since when, or max() when said so.
  std::map<NodeId, Clock::time_point> awaited_;
  Clock::time_point next_load_;
  // Of the trace. Whose driver draws it, when that was last heard of, and when it was looked after.
  std::optional<NodeId> observer_;
  Clock::time_point observed_{};
  Clock::time_point trace_looked_{};
  double trace_rate_ = 0;       // records a second that may be sent
  double trace_allowance_ = 0;  // records that may be sent now
  Clock::time_point trace_filled_{};
  std::vector<TraceRecord> trace_out_;
  std::uint64_t trace_dropped_ = 0;
  std::array<TracedLoan, 32> traced_loans_{};
  std::optional<NodeId> driver_;                  // of this worker's launch
  std::optional<Clock::time_point> driver_lost_;  // since when it is not connected
  Clock::duration driver_patience_{};
  bool readable_ = false;  // a source of addresses has something
  Stage stage_ = Stage::kHere;
  Clock::time_point stage_ends_{};  // whatever is missing then
  bool in_time_ = true;             // nothing that ran had to be given back

  mutable Guarded<Board> board_;
  mutable std::condition_variable board_changed_;
  Guarded<Calls> calls_;
  Guarded<Completed> completed_;
  Guarded<std::vector<Job*>> recalled_;  // each with a reference
  // Relaxed: a flag for the courier, which is woken after it was set.
  std::atomic<bool> ask_due_{false};
  std::atomic<bool> description_due_{false};
  std::atomic<bool> trace_due_{false};
  // begin_end() was called. Relaxed: likewise.
  std::atomic<bool> ending_{false};
  // Milliseconds that a drain may last, -1: none was asked for. Relaxed: likewise.
  std::atomic<std::int64_t> drain_asked_{-1};
  // Something may have changed for the placed jobs. Release/acquire: the job was pushed before.
  std::atomic<bool> placed_due_{false};
  // Relaxed: statistics.
  std::atomic<std::uint64_t> stolen_{0}, lent_{0};
  std::atomic<std::uint64_t> moved_{0};
  std::atomic<std::size_t> open_loans_{0};
  std::atomic<std::uint64_t> fetched_{0}, fetched_bytes_{0}, reused_{0}, given_bytes_{0};
  void moved(std::uint64_t n) { moved_.fetch_add(n, std::memory_order_relaxed); }
  // Somebody could be asked for work now. Relaxed: only spares a wake-up; when it is missed, the
  // courier's own look at the crew after every wake-up, once a second at least, makes good.
  std::atomic<bool> may_ask_{false};
  // Fewer borrowed jobs than this in the queue: ask for more. Relaxed: as may_ask_.
  std::atomic<std::size_t> low_water_{0};
  // Release/acquire: what was done before stop() is seen by the thread that ends.
  std::atomic<bool> stopping_{false};
  // Those who relieve its thread. After what they read.
  Relief relief_;
  // Somebody called wake() or nudge() since the last step that a helper made. Release/acquire: what
  // was done before is seen by that step.
  std::atomic<bool> stirred_{false};
  // wake() was called since the last step. Relaxed: only decides how soon a rest ends.
  std::atomic<bool> called_{false};
  // Completed jobs are looked for at coalescing_.due() in any case. Relaxed: it is cleared before
  // completed_ is emptied and read under the lock of that, so who reads a stale `true` comes before
  // the emptying. In hungry() a stale value costs a wake-up, or it is that of a step which has not
  // begun to wait.
  std::atomic<bool> attentive_{false};
  // There is anybody to hear of. Relaxed: a hint.
  std::atomic<bool> any_peers_{false};
  Guarded<Hope> hope_;  // of threads outside
  std::thread thread_;
  Assayer assayer_{[this] { nudge(); }};  // for fetcher_, once start() was called; ends first
};

}  // namespace pp::runtime
