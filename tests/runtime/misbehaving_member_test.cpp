// A member that holds the key and keeps to no rule: what it says is refused or dropped, counted and
// named; jobs still end with the right results, and memory stays bounded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <pp/loopback.hpp>
#include <pp/pp.hpp>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "messages.hpp"
#include "node.hpp"
#include "resident_bytes.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;
using pp::test::resident_bytes;
using testing::HasSubstr;
using SessionId = transport::SessionId;

std::uint64_t triple(std::uint64_t n) { return 3 * n; }

// Notified when it opens.
std::atomic<bool> gate{true};
std::uint64_t triple_later(std::uint64_t n) {
  gate.wait(false);
  return 3 * n;
}
std::uint64_t triple_size_later(std::string s) {
  gate.wait(false);
  return 3 * s.size();
}
void open_gate() {
  gate = true;
  gate.notify_all();
}

// A transport that joins a node as a member, and what it says there: all that this file knows of
// the messages between nodes. It runs on the thread that calls its functions.
class Impostor final : transport::Handler, messages::Listener {
 public:
  explicit Impostor(std::unique_ptr<transport::Transport> transport)
      : transport_(std::move(transport)) {}

  // Until both mean the same link. Reads from now on.
  void join(const Address& node) {
    node_ = node;
    transport_->dial(node);
    ASSERT_TRUE(until([this] { return attached_; }));
  }
  bool connected() const { return session_.has_value(); }
  bool until(const std::function<bool()>& holds) {
    const auto end = Clock::now() + 100s;
    while (!holds()) {
      if (Clock::now() > end) return false;
      if (transport_->poll(Clock::now(), *this) == 0) transport_->wait(Clock::now() + 1ms);
    }
    return true;
  }
  void poll() { transport_->poll(Clock::now(), *this); }

  // ---- what it says; numbered ones are numbered as they should be
  void steal(std::uint32_t workers = 1, std::uint32_t idle = 1) {
    say(messages::encode(messages::Steal{workers, idle}));
  }
  void grant(const std::vector<messages::LentJob>& jobs, bool unasked = true) {
    deliver(messages::encode(messages::Grant{jobs, 0, unasked}));
  }
  void result(std::uint64_t number, std::span<const std::byte> value) {
    const messages::Result one[] = {{number, value}};
    deliver(messages::encode(one));
  }
  void give_back(std::uint64_t number, bool begun) {
    const messages::Returned one[] = {{number, begun, messages::Reason::kWanted}};
    deliver(messages::encode(one));
  }
  void cancel(const std::vector<std::uint64_t>& numbers) {
    deliver(messages::encode_cancel(numbers));
  }
  void want(const std::vector<messages::Want>& wanted) {
    say(messages::encode(std::span<const messages::Want>(wanted)));
  }
  void piece(const messages::Piece& piece) { say(messages::encode(piece)); }
  void say_not_here(const BlobId& id) { say(messages::encode_not_here(id)); }
  void instead(const BlobId& id, const NodeId& node) {
    say(messages::encode(messages::Instead{id, node}));
  }
  void result_in_blobs(std::uint64_t number, const std::vector<messages::NamedBlob>& blobs) {
    const messages::Result one[] = {{number, std::span<const std::byte>(), blobs}};
    deliver(messages::encode(one));
  }
  void begun(const std::vector<std::uint64_t>& numbers) { say(messages::encode_begun(numbers)); }
  void redirect(const NodeId& owner) { say(messages::encode(messages::Redirect{owner, 1})); }
  void load(std::uint32_t queued, std::uint64_t ask) {
    messages::Load load;
    load.queued = queued;
    load.idle = load.workers = 4'000'000'000;
    load.ask = ask;
    say(messages::encode(load));
  }
  void attach(std::uint64_t mine, std::uint64_t yours, std::uint64_t applied) {
    say(messages::encode(messages::Attach{mine, yours, applied}));
  }
  // Under a sequence number of its choice.
  void grant_as(std::uint64_t sequence, const std::vector<messages::LentJob>& jobs) {
    messages::Encoded message = messages::encode(messages::Grant{jobs, 0, true});
    messages::set_header(message, {sequence, applied_});
    send(message);
  }
  void acknowledge(std::uint64_t applied) {
    messages::Encoded message = messages::encode_acknowledgement();
    messages::set_header(message, {0, applied});
    send(message);
  }
  void send(std::span<const std::byte> message) {
    if (session_) transport_->send(*session_, message);
  }
  void word(std::span<const std::byte> word) {
    if (session_) transport_->send_word(*session_, word);
  }

  // ---- what it has heard
  struct Held {
    std::uint64_t number;
    std::uint64_t function;
    codec::Bytes arguments;
  };
  std::vector<Held> held;  // lent to it, and it has not said what became of them
  std::vector<messages::Returned> returned;
  std::vector<std::pair<std::uint64_t, codec::Bytes>> results;
  std::size_t answers = 0, sessions = 0, ends = 0;
  std::uint64_t answered = 0;  // the last question
  std::vector<messages::Want> wants;
  std::size_t pieces = 0, not_here = 0;
  std::vector<std::uint64_t> taken;
  bool acknowledges = true;  // what it is told, when it lends

  Held take() {
    Held first = std::move(held.front());
    held.erase(held.begin());
    return first;
  }

 private:
  void say(messages::Encoded message) {
    messages::set_header(message, {0, attached_ && acknowledges ? applied_ : 0});
    send(message);
  }
  void deliver(messages::Encoded message) {
    messages::set_header(message, {++said_, acknowledges ? applied_ : 0});
    send(message);
  }

  void on_up(SessionId session, const transport::Peer& peer) override {
    if (peer.introduction.name != "honest") {  // of the second one it wants nothing
      transport_->hang_up(session, "not you");
      return;
    }
    session_ = session;
    attached_ = false;
    yours_ = said_ = applied_ = 0;
    ++mine_;
    ++sessions;
    attach(mine_, 0, 0);
  }
  void on_message(SessionId session, std::span<const std::byte> message) override {
    if (session != session_) return;
    const messages::Header header = messages::header_of(message);
    if (header.sequence != 0) applied_ = header.sequence;
    messages::decode(message, *this);
  }
  void on_word(SessionId, std::span<const std::byte>) override {}
  void on_down(SessionId session, transport::DownReason, std::string_view) override {
    if (session != session_) return;
    session_.reset();
    attached_ = false;
    ++ends;
    held.clear();
  }
  void on_dial_failed(const Address&, transport::DialFailure, std::string_view) override {}
  void on_refused(const transport::Refusal&) override {}

  void on(const messages::Steal&) override { ++answers; }
  void on(const messages::Grant& grant) override {
    for (const messages::LentJob& job : grant.jobs)
      held.push_back(
          {job.number, job.function, codec::Bytes(job.arguments.begin(), job.arguments.end())});
  }
  void on(const messages::Redirect&) override { ++answers; }
  void on(const messages::None&) override { ++answers; }
  void on(std::span<const messages::Returned> all) override {
    returned.insert(returned.end(), all.begin(), all.end());
  }
  void on(std::span<const messages::Result> all) override {
    for (const messages::Result& one : all) {
      const auto* value = std::get_if<0>(&one.outcome);
      results.emplace_back(one.number, value == nullptr
                                           ? codec::Bytes{}
                                           : codec::Bytes(value->begin(), value->end()));
    }
  }
  void on(const messages::Load& load) override {
    ++answers;
    answered = std::max(answered, load.answers);
  }
  void on_leave(std::string_view) override {}
  void on_understood() override {}
  void on_cancel(std::span<const std::uint64_t>) override {}
  void on(const messages::Attach& theirs) override {
    if (theirs.yours != mine_ && theirs.yours != 0) return;
    const bool confirmed = yours_ == theirs.mine;
    yours_ = theirs.mine;
    attached_ = true;
    if (!confirmed) attach(mine_, yours_, 0);
  }
  void on_begun(std::span<const std::uint64_t>) override {}
  void on(std::span<const messages::Want> all) override {
    wants.insert(wants.end(), all.begin(), all.end());
  }
  void on(const messages::Piece&) override { ++pieces; }
  void on_not_here(const BlobId&) override { ++not_here; }
  void on(const messages::Instead&) override {}
  void on_taken(std::span<const std::uint64_t> numbers) override {
    taken.insert(taken.end(), numbers.begin(), numbers.end());
  }
  void on(const messages::Observe&) override {}
  void on(const messages::Records&) override {}

  std::unique_ptr<transport::Transport> transport_;
  Address node_;
  std::optional<SessionId> session_;
  bool attached_ = false;
  std::uint64_t mine_ = 900, yours_ = 0, said_ = 0, applied_ = 0;
};

// A grant of 1000 jobs is followed by so many more before the node has taken it: no further ahead
// of it than a stream would let the impostor be. What waits to be read there is the test's memory
// too.
constexpr std::size_t kAhead = 20;

// The first node, an honest second one, and the impostor, which both take for a member.
class MisbehavingMember : public testing::Test {
 protected:
  MisbehavingMember() {
    Options options;
    options.workers = 1;
    options.suspect = 60s;  // the impostor answers no probe, and is to stay a member
    options.dead = 120s;
    options.discover = "off";
    options.name = "honest";
    auto transport = world_.open(introduction(options, FunctionTable::seal()));
    address_ = transport->self().addresses.front();
    node_ = std::make_unique<Node>(options, std::move(transport));
    options.name = "second";
    options.peers = {address_};
    auto other = world_.open(introduction(options, FunctionTable::seal()));
    other_ = std::make_unique<Node>(options, std::move(other));
    Options own = options;
    own.name = "impostor";
    own.peers = {};
    impostor_ = std::make_unique<Impostor>(world_.open(introduction(own, FunctionTable::seal())));
    impostor_->join(address_);
    testing::internal::CaptureStderr();
    capturing_ = true;
  }
  ~MisbehavingMember() override {
    open_gate();  // or the node would wait for its jobs for ever, where something has failed
    log();
  }

  // What both nodes have written so far.
  std::string log() {
    if (std::exchange(capturing_, false)) log_ += testing::internal::GetCapturedStderr();
    return log_;
  }

  template <auto f, class... A>
  auto submit(JobOptions options, A&&... arguments) {
    auto* job = make_job_with<Constant<f>>(std::move(options), std::forward<A>(arguments)...);
    Future<typename std::remove_pointer_t<decltype(job)>::Result> future(job);
    node_->submit(*job);
    return future;
  }
  // A job that only another node may run, in the impostor's hands; its result is three times that.
  // (The honest one may get it first: then its result is right, and another one is tried.)
  template <auto f = &triple, class A = std::uint64_t>
  Future<std::uint64_t> lend_one(std::type_identity_t<A> argument) {
    for (;;) {
      impostor_->steal();
      JobOptions options;
      options.where = Where::not_here();
      auto future = submit<f>(std::move(options), argument);
      const bool held = impostor_->until([&] {
        return !impostor_->held.empty() || future.wait_for(0ms) || !impostor_->connected();
      });
      if (held && !impostor_->held.empty()) return future;
      future.get();
    }
  }
  // Lends these over and over, under numbers of their own; says how many in all.
  std::size_t grant_many(messages::LentJob job, std::size_t grants, std::size_t jobs_in_each) {
    for (std::size_t i = 0; i < grants && impostor_->connected(); ++i) {
      std::vector<messages::LentJob> jobs;
      while (jobs.size() < jobs_in_each) {
        job.id = ++job.number;
        jobs.push_back(job);
      }
      impostor_->grant(jobs);
      impostor_->poll();
      if (i % kAhead == 0) settle();
    }
    settle();
    return grants * jobs_in_each;
  }
  // Work goes on, here and on the second node.
  void expect_work() {
    std::vector<Future<std::uint64_t>> all;
    for (std::uint64_t n = 0; n < 500; ++n) all.push_back(submit<&triple>({}, n));
    for (std::uint64_t n = 0; n < all.size(); ++n) {
      impostor_->until([&] {
        while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, false);
        return all[n].wait_for(0ms);
      });
      ASSERT_EQ(all[n].get(), 3 * n);
    }
  }
  // Until the node's courier has taken everything that was said before. Where it hangs up meanwhile
  // and comes back, the question has gone with the session, and is put again.
  void settle() {
    std::size_t asked = 0;  // sessions so far, when it was
    ++question_;
    ASSERT_TRUE(impostor_->until([&] {
      if (std::exchange(asked, impostor_->sessions) != impostor_->sessions)
        impostor_->load(0, question_);
      return impostor_->answered == question_ || !impostor_->connected();
    }));
  }

  transport::LoopbackWorld world_;
  Address address_;
  std::unique_ptr<Node> node_, other_;
  std::unique_ptr<Impostor> impostor_;
  bool capturing_ = false;
  std::string log_;
  std::uint64_t question_ = 76;
};

messages::LentJob job_of(std::uint64_t number, std::uint64_t function) {
  messages::LentJob job;
  job.number = number;
  job.function = function;
  job.id = number;
  job.placed = true;  // otherwise some would come back, since the impostor has asked for work
  return job;
}

TEST_F(MisbehavingMember, jobs_of_functions_that_do_not_exist_come_back) {
  std::vector<messages::LentJob> jobs;
  for (std::uint64_t i = 1; i <= 100; ++i) jobs.push_back(job_of(i, 0xdead0000 + i));
  impostor_->grant(jobs);
  ASSERT_TRUE(impostor_->until([&] { return impostor_->returned.size() == 100; }));
  for (const messages::Returned& one : impostor_->returned) {
    EXPECT_FALSE(one.begun);
    EXPECT_EQ(one.reason, messages::Reason::kUnknownFunction);
  }
  EXPECT_EQ(node_->statistics().misbehaved, 1u);
  expect_work();
  EXPECT_THAT(log(), HasSubstr("impostor lends jobs of functions that this program has not"));
}

// ---- loans without end

TEST_F(MisbehavingMember, who_lends_without_end_gets_back_what_is_too_much_and_memory_is_bounded) {
  auto future = lend_one<&triple_later>(5);
  const Impostor::Held held = impostor_->take();
  messages::LentJob job = job_of(1'000'000, held.function);
  job.arguments = held.arguments;
  gate = false;
  const std::size_t before = resident_bytes();
  const std::size_t all = grant_many(job, 400, 1000);
  constexpr std::size_t kMost = std::size_t{1} << 16;
  const std::size_t taken = all - impostor_->returned.size();
  EXPECT_GE(taken, kMost);
  EXPECT_LE(taken, kMost + 1) << "and one that has begun";
  for (const messages::Returned& one : impostor_->returned) {
    ASSERT_EQ(one.reason, messages::Reason::kFull);
    ASSERT_FALSE(one.begun);
  }
  EXPECT_LT(resident_bytes(), before + (std::size_t{128} << 20));
  open_gate();
  ASSERT_TRUE(impostor_->until([&] { return impostor_->results.size() == taken; }))
      << "each is run once or goes back";
  const std::size_t returned = impostor_->returned.size();
  EXPECT_EQ(grant_many(job, 1, 1000), 1000u);
  ASSERT_TRUE(impostor_->until([&] { return impostor_->results.size() == taken + 1000; }));
  EXPECT_EQ(impostor_->returned.size(), returned) << "there is room again";
  impostor_->give_back(held.number, false);
  ASSERT_TRUE(impostor_->until([&] {
    while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, false);
    return future.wait_for(0ms);
  }));
  expect_work();
}

TEST_F(MisbehavingMember, large_arguments_of_those_that_are_lent_are_bounded_too) {
  auto future = lend_one<&triple_size_later, std::string>("abc");
  const Impostor::Held held = impostor_->take();
  codec::Bytes arguments;
  codec::encode(arguments, std::string(1'000'000, 'x'));
  messages::LentJob job = job_of(1'000'000, held.function);
  job.arguments = arguments;
  gate = false;
  const std::size_t all = grant_many(job, 600, 1);
  const std::size_t taken = all - impostor_->returned.size();
  EXPECT_GE(taken, 256u);
  EXPECT_LE(taken, 270u) << "256 MiB";
  open_gate();
  ASSERT_TRUE(impostor_->until([&] { return impostor_->results.size() == taken; }));
  impostor_->give_back(held.number, false);
  ASSERT_TRUE(impostor_->until([&] {
    while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, false);
    return future.wait_for(0ms);
  }));
  expect_work();
}

TEST_F(MisbehavingMember, who_lends_on_and_acknowledges_no_refusal_loses_its_link) {
  auto future = lend_one<&triple_later>(5);
  const Impostor::Held held = impostor_->take();
  impostor_->acknowledges = gate = false;
  const std::size_t before = resident_bytes();
  for (int round = 0; round < 3; ++round) {
    std::vector<messages::LentJob> jobs;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
      jobs.push_back(job_of(i, held.function));
      jobs.back().arguments = held.arguments;
    }
    const std::size_t ends = impostor_->ends;
    for (std::size_t grants = 0; impostor_->ends == ends; ++grants) {
      ASSERT_LT(grants, 3000u) << "it may do that for ever";
      impostor_->grant(jobs);
      if (grants % kAhead == 0) settle();
      impostor_->returned.clear();
    }
    impostor_->join(address_);
  }
  EXPECT_LT(resident_bytes(), before + (std::size_t{128} << 20));
  open_gate();
  EXPECT_EQ(future.get(), 15u) << "its link was over: it ran elsewhere";
  expect_work();
  EXPECT_THAT(log(), HasSubstr("impostor lends on and on and does not acknowledge"));
}

// ---- blobs

BlobId blob_of(std::span<const std::byte> bytes) { return {content_hash(bytes), bytes.size()}; }

TEST_F(MisbehavingMember, content_that_is_not_what_its_name_says_reaches_no_job) {
  auto future = lend_one(5);
  const std::uint64_t function = impostor_->held.front().function;
  const codec::Bytes good(1'000'000, std::byte{1});
  codec::Bytes bad = good;
  bad[777'777] = std::byte{2};
  messages::LentJob job = job_of(1000, function);
  job.blobs = {{blob_of(good), 0}};
  impostor_->grant({job});
  ASSERT_TRUE(impostor_->until([&] {
    for (const messages::Want& want : std::exchange(impostor_->wants, {}))
      impostor_->piece({want.id, want.at, std::span(bad).subspan(want.at, want.length)});
    return !impostor_->returned.empty();
  }));
  EXPECT_EQ(impostor_->returned.front().reason, messages::Reason::kMissing);
  EXPECT_FALSE(impostor_->returned.front().begun);
  EXPECT_EQ(node_->statistics().misbehaved, 1u);
  impostor_->give_back(impostor_->take().number, false);
  ASSERT_TRUE(impostor_->until([&] { return future.wait_for(0ms); }));
  expect_work();
  EXPECT_THAT(log(), HasSubstr("impostor sent a blob that is not what its name says"));
}

TEST_F(MisbehavingMember, blobs_that_nobody_has_or_could_hold_send_their_jobs_home) {
  auto future = lend_one(5);
  const std::uint64_t function = impostor_->held.front().function;
  messages::LentJob none = job_of(1000, function), vast = job_of(1001, function);
  BlobId id;
  id.size = 5;
  none.blobs = {{id, 0}, {id, 1}, {id, Luggage::kMentioned}};
  id.size = std::uint64_t{1} << 62;
  vast.blobs = {{id, 0}};
  impostor_->grant({none, vast});
  ASSERT_TRUE(impostor_->until([&] {
    for (const messages::Want& want : std::exchange(impostor_->wants, {})) {
      if (want.id.size == 5) impostor_->say_not_here(want.id);
      const codec::Bytes piece(want.length);
      if (want.id.size > 5) impostor_->piece({want.id, want.at, piece});
    }
    return impostor_->returned.size() == 2;
  }));
  for (const messages::Returned& one : impostor_->returned)
    EXPECT_EQ(one.reason, messages::Reason::kMissing);
  impostor_->give_back(impostor_->take().number, false);
  ASSERT_TRUE(impostor_->until([&] { return future.wait_for(0ms); }));
  expect_work();
}

TEST_F(MisbehavingMember, whoever_names_itself_or_nobody_instead_is_asked_again) {
  auto future = lend_one(5);
  const std::uint64_t function = impostor_->held.front().function;
  const codec::Bytes good(300'000, std::byte{1});
  messages::LentJob job = job_of(1000, function);
  job.blobs = {{blob_of(good), 0}};
  impostor_->grant({job});
  std::size_t sent_away = 0;
  ASSERT_TRUE(impostor_->until([&] {
    for (const messages::Want& want : std::exchange(impostor_->wants, {})) {
      if (want.insist) {
        impostor_->piece({want.id, want.at, std::span(good).subspan(want.at, want.length)});
      } else {
        impostor_->instead(want.id, sent_away++ == 0 ? node_->id() : NodeId::random());
      }
    }
    return !impostor_->results.empty();
  }));
  EXPECT_TRUE(impostor_->results.front().second.empty()) << "its arguments are no numbers";
  ASSERT_TRUE(impostor_->until([&] {
    while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, false);
    return future.wait_for(0ms);
  }));
  expect_work();
}

TEST_F(MisbehavingMember,
       who_wants_what_is_not_here_is_told_and_who_wants_too_much_loses_its_session) {
  BlobId id;
  id.size = 1'000'000;
  impostor_->want({{id, 0, 1000, false}, {id, 1000, 1000, true}});
  ASSERT_TRUE(impostor_->until([&] { return impostor_->not_here > 0; }));
  EXPECT_EQ(impostor_->pieces, 0u);
  impostor_->want(std::vector<messages::Want>(2000, {id, 0, 1000, false}));
  ASSERT_TRUE(impostor_->until([&] { return impostor_->ends > 0; }));
  expect_work();
  EXPECT_THAT(log(), HasSubstr("it wants more than"));
}

TEST_F(MisbehavingMember, pieces_that_nobody_asked_for_are_dropped) {
  const codec::Bytes bytes(100'000, std::byte{1});
  for (int i = 0; i < 100; ++i) impostor_->piece({blob_of(bytes), 0, bytes});
  settle();
  EXPECT_TRUE(impostor_->connected());
  EXPECT_EQ(node_->statistics().fetched, 0u);
  expect_work();
}

TEST_F(MisbehavingMember, a_result_that_cannot_be_had_is_computed_again) {
  auto future = lend_one(5);
  const codec::Bytes bytes(100'000, std::byte{1});
  const std::uint64_t number = impostor_->take().number;
  impostor_->result_in_blobs(number, {{blob_of(bytes), Luggage::kWhole}});
  ASSERT_TRUE(impostor_->until([&] { return !impostor_->wants.empty(); }));
  impostor_->say_not_here(blob_of(bytes));
  ASSERT_TRUE(impostor_->until([&] {
    while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, false);
    return future.wait_for(0ms);
  }));
  EXPECT_EQ(future.get(), 15u);
  ASSERT_TRUE(impostor_->until([&] { return !impostor_->taken.empty(); }));
  EXPECT_EQ(impostor_->taken, std::vector{number});
  expect_work();
}

TEST_F(MisbehavingMember, arguments_of_another_shape_fail_that_job_at_home_and_nothing_here) {
  auto future = lend_one(5);
  const std::uint64_t function = impostor_->held.front().function;
  for (const std::size_t size : {0u, 1u, 7u, 9u, 4096u}) {
    const codec::Bytes arguments(size, std::byte{0xff});
    messages::LentJob job = job_of(1000 + size, function);
    job.arguments = arguments;
    impostor_->grant({job});
  }
  ASSERT_TRUE(impostor_->until([&] { return impostor_->results.size() == 5; }));
  for (const auto& [number, value] : impostor_->results)
    EXPECT_TRUE(value.empty()) << number << ": a value came of it";
  // (It may come again, if the impostor had asked twice before it came.)
  ASSERT_TRUE(impostor_->until([&] {
    while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, false);
    return future.wait_for(0ms);
  }));
  EXPECT_EQ(future.get(), 15u);
  expect_work();
}

TEST_F(MisbehavingMember, a_number_that_is_granted_twice_harms_nobody) {
  auto future = lend_one(5);
  const Impostor::Held held = impostor_->take();
  messages::LentJob job = job_of(41, held.function);
  job.arguments = held.arguments;
  impostor_->grant({job, job});
  impostor_->grant({job});
  ASSERT_TRUE(impostor_->until([&] { return impostor_->results.size() == 3; }));
  EXPECT_EQ(impostor_->results[0].second, impostor_->results[2].second);
  impostor_->give_back(held.number, false);
  // (A request of the impostor's that is still open may bring it here once more.)
  ASSERT_TRUE(impostor_->until([&] {
    while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, false);
    return future.wait_for(0ms);
  }));
  EXPECT_EQ(future.get(), 15u);
  expect_work();
}

TEST_F(MisbehavingMember, a_result_is_taken_once_and_only_from_whom_the_job_was_lent_to) {
  auto future = lend_one(7);
  const std::uint64_t number = impostor_->take().number;
  codec::Bytes right, wrong;
  codec::encode(right, std::uint64_t{21});
  codec::encode(wrong, std::uint64_t{666});
  for (const std::uint64_t invented : {std::uint64_t{0}, number + 100'000, ~std::uint64_t{0}})
    impostor_->result(invented, wrong);
  impostor_->result(number, right);
  for (int i = 0; i < 100; ++i) impostor_->result(number, wrong);
  impostor_->give_back(number, true);
  impostor_->give_back(number + 100'000, true);
  settle();
  ASSERT_TRUE(impostor_->until([&] { return future.wait_for(0ms); }));
  EXPECT_EQ(future.get(), 21u);
  const Statistics statistics = node_->statistics();
  EXPECT_EQ(statistics.late, 3u + 100u + 2u);
  EXPECT_EQ(statistics.misbehaved, 3u + 1u);
  expect_work();
  EXPECT_THAT(log(), HasSubstr("impostor sends results of jobs that this node has never lent"));
  EXPECT_THAT(log(), HasSubstr("impostor returns jobs that this node has never lent"));
}

TEST_F(MisbehavingMember, a_result_of_another_shape_fails_its_job_and_says_so) {
  for (const std::size_t size : {0u, 1u, 9u, 100'000u}) {
    SCOPED_TRACE(size);
    auto future = lend_one(8);
    impostor_->result(impostor_->take().number, codec::Bytes(size, std::byte{0xff}));
    ASSERT_TRUE(impostor_->until([&] { return future.wait_for(0ms); }));
    try {
      future.get();
      FAIL() << "it was taken for a number";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("the result of"));
    }
  }
  expect_work();
}

TEST_F(MisbehavingMember, numbers_that_nobody_knows_are_passed_over) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 0; i < 10'000; ++i) numbers.push_back(i * 0x9e3779b97f4a7c15u);
  impostor_->cancel(numbers);
  impostor_->begun(numbers);
  impostor_->redirect(NodeId::random());
  impostor_->redirect(NodeId{});
  settle();
  EXPECT_TRUE(impostor_->connected());
  expect_work();
  EXPECT_THAT(log(), HasSubstr("impostor runs jobs that this node has never lent"));
}

TEST_F(MisbehavingMember, a_thief_may_claim_any_number_of_workers) {
  std::vector<Future<std::uint64_t>> all;
  for (std::uint64_t n = 0; n < 2000; ++n) {
    all.push_back(submit<&triple>({}, n));
    if (n % 100 == 0) impostor_->steal(~0u, ~0u);
    if (n % 100 == 50) impostor_->steal(0, ~0u);
    impostor_->poll();
  }
  for (std::uint64_t n = 0; n < all.size(); ++n) {
    ASSERT_TRUE(impostor_->until([&] {
      while (!impostor_->held.empty()) impostor_->give_back(impostor_->take().number, n % 2 == 0);
      return all[n].wait_for(0ms);
    }));
    ASSERT_EQ(all[n].get(), 3 * n);
  }
}

TEST_F(MisbehavingMember, a_flood_of_requests_is_answered_and_costs_nothing_that_stays) {
  const auto flood = [&] {
    for (std::size_t i = 1; i <= 100'000; ++i) {
      impostor_->steal(~0u, ~0u);
      if (i % 100 == 0) impostor_->poll();
      if (i % (100 * kAhead) == 0) settle();
    }
  };
  flood();
  const std::size_t before = resident_bytes();
  for (int i = 0; i < 5; ++i) flood();
  EXPECT_LT(resident_bytes(), before + (std::size_t{48} << 20));
  EXPECT_GE(impostor_->answers, 6u);
  expect_work();
}

// Under one number twice, with a gap, or acknowledging what was never said.
TEST_F(MisbehavingMember, the_numbers_of_a_link_are_held_to) {
  impostor_->grant_as(1, {job_of(1, 0xdead)});
  impostor_->grant_as(1, {job_of(2, 0xdead)});
  ASSERT_TRUE(impostor_->until([&] { return !impostor_->returned.empty(); }));
  settle();
  EXPECT_EQ(impostor_->returned.size(), 1u) << "what was applied was applied again";
  for (const auto& breach :
       std::vector<std::function<void()>>{[&] { impostor_->grant_as(77, {job_of(3, 0xdead)}); },
                                          [&] { impostor_->acknowledge(~std::uint64_t{0}); }}) {
    const std::size_t ends = impostor_->ends;
    breach();
    ASSERT_TRUE(impostor_->until([&] { return impostor_->ends > ends; }));
    impostor_->join(address_);
  }
  EXPECT_GE(node_->statistics().misbehaved, 2u);
  expect_work();
  EXPECT_THAT(log(), HasSubstr("impostor said what this node does not understand"));
}

TEST_F(MisbehavingMember, links_that_are_begun_over_and_over_lose_no_job) {
  auto future = lend_one(9);
  std::mt19937_64 random(20'262);
  for (int i = 0; i < 5000 && impostor_->connected(); ++i) {
    impostor_->attach(random(), random(), random());
    impostor_->poll();
  }
  impostor_.reset();
  EXPECT_EQ(future.get(), 27u) << "the second node has run it";
}

TEST_F(MisbehavingMember, garbage_ends_the_session_and_is_named) {
  std::mt19937 random(20'263);
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(round);
    std::vector<std::byte> garbage(8 * (random() % 200));
    for (std::byte& byte : garbage) byte = static_cast<std::byte>(random());
    if (round % 2 == 0)  // a good header in front of it
      std::fill_n(garbage.begin(), std::min<std::size_t>(garbage.size(), 16), std::byte{0});
    if (garbage.size() == messages::kHeaderBytes && round % 2 == 0) continue;
    const std::size_t ends = impostor_->ends;
    impostor_->send(garbage);
    ASSERT_TRUE(impostor_->until([&] { return impostor_->ends > ends; }));
    impostor_->join(address_);
  }
  EXPECT_GT(node_->statistics().misbehaved, 40u);
  expect_work();
  const std::string said = log();
  EXPECT_THAT(said, HasSubstr("impostor said what this node does not understand"));
  EXPECT_LT(said.size(), 40'000u) << "the log fills up";
}

TEST_F(MisbehavingMember, words_that_are_none_are_passed_over) {
  std::mt19937 random(20'264);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::byte> word(8 * (round % 2 == 0 ? 512 : random() % 512));
    for (std::byte& byte : word) byte = static_cast<std::byte>(random());
    impostor_->word(word);
    impostor_->poll();
  }
  settle();
  EXPECT_TRUE(impostor_->connected());
  expect_work();
}

// What the node has said to anybody lies here unread, as far as it can see: the loopback world
// takes everything at once.
class Unread final : public transport::Transport {
 public:
  explicit Unread(std::unique_ptr<transport::Transport> real) : real_(std::move(real)) {}
  const transport::Introduction& self() const override { return real_->self(); }
  void dial(const Address& address) override { real_->dial(address); }
  bool send(SessionId session, std::span<const std::byte> message) override {
    unread_[session] += message.size();
    return real_->send(session, message);
  }
  bool send_word(SessionId session, std::span<const std::byte> word) override {
    return real_->send_word(session, word);
  }
  std::size_t backlog(SessionId session) const override {
    const auto entry = unread_.find(session);
    return entry == unread_.end() ? 0 : entry->second;
  }
  void hang_up(SessionId session, std::string_view why) override { real_->hang_up(session, why); }
  void abandon(SessionId session, std::string_view why) override { real_->abandon(session, why); }
  void watch(int descriptor) override { real_->watch(descriptor); }
  std::size_t poll(transport::Time now, transport::Handler& handler) override {
    return real_->poll(now, handler);
  }
  bool wait(transport::Time deadline) override { return real_->wait(deadline); }
  void wake() noexcept override { real_->wake(); }
  transport::Counters counters() const override { return real_->counters(); }

 private:
  std::unique_ptr<transport::Transport> real_;
  std::map<SessionId, std::size_t> unread_;
};

TEST(UnreadAnswers, who_asks_on_and_on_without_reading_is_hung_up_on) {
  transport::LoopbackWorld world;
  Options options;
  options.workers = 1;
  options.suspect = 60s;
  options.dead = 120s;
  options.discover = "off";
  options.name = "honest";
  auto transport =
      std::make_unique<Unread>(world.open(introduction(options, FunctionTable::seal())));
  const Address address = transport->self().addresses.front();
  Node node(options, std::move(transport));
  options.name = "impostor";
  Impostor impostor(world.open(introduction(options, FunctionTable::seal())));
  impostor.join(address);
  testing::internal::CaptureStderr();
  for (const bool steals : {true, false}) {
    const std::size_t ends = impostor.ends, answers = impostor.answers;
    EXPECT_TRUE(impostor.until([&] {
      for (int i = 0; i < 500 && impostor.connected(); ++i)
        steals ? impostor.steal() : impostor.load(0, 1);
      return impostor.ends > ends;
    }));
    // A mebibyte of answers, and a thousand more.
    EXPECT_LT(impostor.answers - answers, (std::size_t{1} << 20) / 16 + 1000);
    impostor.join(address);
  }
  EXPECT_EQ(node.statistics().misbehaved, 2u);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("does not read the answers"));
}

}  // namespace
}  // namespace pp::runtime
