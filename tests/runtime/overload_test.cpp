// Overload: whoever wants more than can be done is slowed down; memory stays bounded, and nobody
// else has to wait.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <pp/cluster_key.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "loopback_cluster.hpp"
#include "measured_transport.hpp"
#include "messages.hpp"
#include "sanitized.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;
using test::MeasuredTransport;
using test::Peak;

constexpr std::size_t kMiB = std::size_t{1} << 20;

// What may wait for one peer: what a courier queues before it stops (1 MiB), and the messages that
// were on their way then.
constexpr std::size_t kBacklogBound = 4 * kMiB;
// What a node may hold of results for an owner that does not take them. A limit of the node's, not
// of the test's: any that does not grow with the number of jobs will do.
constexpr std::size_t kResultsBound = 96 * kMiB;

std::atomic<std::int64_t> living{0};
std::atomic<std::int64_t> most_living{0};

// A large argument that counts how many of it there are; its bytes travel.
struct Load {
  Load() { count(); }
  explicit Load(std::size_t bytes) : content(bytes, 'x') { count(); }
  Load(const Load& other) : content(other.content) { count(); }
  Load(Load&& other) noexcept : content(std::move(other.content)) { count(); }
  Load& operator=(const Load&) = default;
  Load& operator=(Load&&) = default;
  ~Load() { --living; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(content);
  }

  std::string content;

 private:
  static void count() {
    const std::int64_t now = ++living;
    for (std::int64_t seen = most_living.load();
         seen < now && !most_living.compare_exchange_weak(seen, now);) {
    }
  }
};

std::atomic<bool> gate{true};
std::atomic<int> ran{0};

std::size_t weigh(Load load) { return load.content.size(); }
std::string large(std::size_t bytes) {
  while (!gate.load()) std::this_thread::yield();
  ++ran;
  return std::string(bytes, 'y');
}
int small(int n) { return n; }

class Overload : public testing::Test {
 protected:
  void SetUp() override {
    living = most_living = 0;
    ran = 0;
    gate = true;
  }
  void TearDown() override { gate = true; }

  static Options patient(unsigned workers, std::size_t queue_limit = 1'000'000) {
    Options options;
    options.workers = workers;
    options.queue_limit = queue_limit;
    options.suspect = 1h;  // who is stopped here is not to be taken for dead
    options.dead = 3h;
    return options;
  }
  // A node of `cluster` whose backlogs are measured.
  static Node& add_measured(Cluster& cluster, const std::string& name, unsigned workers,
                            Peak& peak) {
    Options options = patient(workers);
    options.name = name;
    auto transport = std::make_unique<MeasuredTransport>(
        cluster.world().open(introduction(options, FunctionTable::seal())), peak);
    return cluster.join(options, std::move(transport));
  }
};

// ---- who submits

TEST_F(Overload, by_one_who_submits_large_arguments_keeps_few_of_them) {
  const int kJobs = static_cast<int>(times(1'000, 200));
  {
    Runtime rt(patient(1, 8));
    for (int i = 0; i < kJobs; ++i) rt.submit<weigh>(Load(kMiB));
  }
  // Beside the queued ones: the one being submitted, with its copies, and the one that runs.
  EXPECT_LE(most_living.load(), 8 + 8);
  EXPECT_EQ(living.load(), 0);
}

TEST_F(Overload, by_several_who_submit_keeps_few_of_them) {
  const int kJobs = static_cast<int>(times(300, 60));
  {
    Runtime rt(patient(1, 8));
    std::vector<std::jthread> all;
    for (int thread = 0; thread < 4; ++thread) {
      all.emplace_back([&rt] {
        for (int i = 0; i < kJobs; ++i) rt.submit<weigh>(Load(kMiB));
      });
    }
    all.clear();
  }
  // Once there is room everybody comes in.
  EXPECT_LE(most_living.load(), 8 + 4 * 8);
  EXPECT_EQ(living.load(), 0);
}

// The owner keeps what it has lent, and thieves take about half of what is queued whenever theirs
// runs out.
TEST_F(Overload, by_one_who_submits_is_bounded_with_thieves_too) {
  const int kJobs = static_cast<int>(times(2'000, 300));
  constexpr int kLimit = 16;
  constexpr int kThieves = 3;
  {
    Cluster cluster(1 + kThieves, {}, patient(1, kLimit));
    std::vector<Future<std::size_t>> last;
    for (int i = 0; i < kJobs; ++i) {
      auto job = cluster.submit<weigh>(0, Load(16 * 1024));
      if (i + 100 > kJobs) last.push_back(std::move(job));
    }
    for (const auto& job : last) EXPECT_EQ(job.get(), 16u * 1024);
    EXPECT_GT(cluster[0].statistics().lent, 0u);
  }
  // At the owner: what is queued, submitted, run and lent; where they run, decoded: one more each.
  EXPECT_LE(most_living.load(), 2 * (kLimit + 8) * (1 + kThieves));
}

TEST_F(Overload, by_a_job_that_submits_runs_its_children_inline) {
  static Runtime* here = nullptr;
  constexpr int kLimit = 8;
  Runtime rt(patient(1, kLimit));
  here = &rt;
  const std::size_t sum = rt.submit(
                                [](int jobs) {
                                  std::size_t all = 0;
                                  for (int i = 0; i < jobs; ++i)
                                    all += here->submit<weigh>(Load(kMiB)).ready() ? 1 : 0;
                                  return all;
                                },
                                300)
                              .get();
  EXPECT_GE(sum, 300u - kLimit) << "those that were done when submit() returned";
  EXPECT_LE(most_living.load(), kLimit + 8);
}

// ---- what waits for a peer

// Would catch: arguments encoded and queued for a borrower that takes nothing.
TEST_F(Overload, by_large_arguments_for_one_who_takes_none_keeps_the_backlog_bounded) {
  const int kJobs = static_cast<int>(times(400, 60));
  Peak peak{0};
  Cluster cluster(0, {}, patient(0));
  Node& owner = add_measured(cluster, "owner", 0, peak);
  cluster.add(1);  // the borrower
  Node& other = cluster.add(1);
  cluster.world().set_dead_limit(1h);
  cluster.world().stop(cluster[1].id());
  std::vector<Future<std::size_t>> stuck;
  for (int i = 0; i < kJobs; ++i) {
    stuck.push_back(
        cluster.submit_with<weigh>(0, {.where = Where::node(cluster[1].id())}, Load(kMiB)));
  }
  // Meanwhile the owner serves somebody else, and is served.
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(cluster.submit_with<small>(0, {.where = Where::node(other.id())}, i).get(), i);
  }
  EXPECT_EQ(owner.statistics().lost, 0u);
  cluster.world().resume(cluster[1].id());
  for (const auto& job : stuck) EXPECT_EQ(job.get(), kMiB);
  // Of messages without credit: the window of 64 is the network's.
  EXPECT_LE(peak.load(), kBacklogBound);
}

// Would catch: results without number for an owner that is stopped, or only slow (protocol.md rule
// 25).
TEST_F(Overload, by_large_results_for_one_who_takes_none_keeps_them_bounded) {
  const int kJobs = static_cast<int>(times(600, 200));
  Peak peak{0};
  Cluster cluster(1, {0}, patient(0));  // the owner
  Node& borrower = add_measured(cluster, "borrower", 0, peak);
  Node& other = cluster.add(0);
  gate = false;
  std::vector<Future<std::string>> flood;
  for (int i = 0; i < kJobs; ++i) flood.push_back(cluster.submit<large>(0, kMiB));
  borrower.set_workers(1);  // now, so that it borrows many at once
  while (cluster[0].statistics().lent < static_cast<std::uint64_t>(kJobs) / 4)
    std::this_thread::yield();
  cluster.world().set_dead_limit(1h);
  cluster.world().stop(cluster[0].id());
  gate = true;
  // Until nothing more of the flood is begun: somebody else's jobs, which are begun last, come
  // through and find that nothing has.
  for (int quiet = 0, before = -1; quiet < 20; ++quiet) {
    if (std::exchange(before, ran.load()) != ran.load()) quiet = 0;
    const JobOptions last{.priority = Priority::kLow, .where = Where::node(borrower.id())};
    ASSERT_EQ(cluster.submit_with<small>(2, last, quiet).get(), quiet);
  }
  EXPECT_EQ(other.statistics().lost, 0u);
  const std::size_t held = peak.load();
  cluster.world().resume(cluster[0].id());
  for (const auto& job : flood) EXPECT_EQ(job.get().size(), kMiB);
  EXPECT_LE(held, kResultsBound);
}

// ---- the same over sockets, where nobody is stopped and the wire is what it is

// Three nodes on loopback sockets: an owner, a borrower whose backlogs are measured with the
// owner's, and somebody else.
class OverloadOnSockets : public Overload {
 protected:
  void SetUp() override {
    Overload::SetUp();
    folder_ = (std::filesystem::temp_directory_path() / "pp-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    ClusterKey::generate().save(folder_ + "/key");
    owner_ = start("owner", 0, kQueueLimit);
    borrower_ = start("borrower", 1);
    other_ = start("other", 0);
    for (Node* node : {owner_.get(), borrower_.get(), other_.get()})
      ASSERT_TRUE(node->courier()->wait_for_nodes(2, Clock::now() + 60s));
  }
  void TearDown() override {
    for (auto* node : {&other_, &borrower_, &owner_}) node->reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<Node> start(const std::string& name, unsigned workers,
                              std::size_t queue_limit = 1'000'000) {
    Options options;
    options.workers = workers;
    options.queue_limit = queue_limit;
    options.name = name;
    options.key_file = folder_ + "/key";
    options.listen = "127.0.0.1:0";
    options.discover = "off";
    options.fabric = "off";
    options.shared_memory = false;
    if (owner_) options.peers = {Address::parse(owner_->courier()->address())};
    return std::make_unique<Node>(
        options,
        std::make_unique<MeasuredTransport>(open_transport(options, FunctionTable::seal()), peak_));
  }

  template <auto f, class... A>
  static auto submit(Node& node, JobOptions options, A&&... arguments) {
    auto* job = make_job_with<Constant<f>>(std::move(options), std::forward<A>(arguments)...);
    Future<typename std::remove_pointer_t<decltype(job)>::Result> future(job);
    node.submit(*job);
    return future;
  }
  // Somebody else's job, which must come through.
  void expect_an_answer() {
    const JobOptions options{.priority = Priority::kHigh, .where = Where::node(borrower_->id())};
    ASSERT_EQ(submit<small>(*other_, options, 7).get(), 7);
    ++answered_;
  }

  static constexpr std::size_t kQueueLimit = 64;
  static constexpr std::size_t kUnderWay = 128;  // jobs whose results nobody has fetched

  std::string folder_;
  Peak peak_{0};
  int answered_ = 0;
  std::unique_ptr<Node> owner_, borrower_, other_;
};

TEST_F(OverloadOnSockets, by_large_arguments_keeps_backlogs_bounded_and_others_served) {
  const int kJobs = static_cast<int>(times(300, 60));
  std::deque<Future<std::size_t>> under_way;
  for (int i = 0; i < kJobs; ++i) {
    under_way.push_back(submit<weigh>(*owner_, {}, Load(kMiB)));
    if (i % 20 == 0) expect_an_answer();
    for (; under_way.size() > kUnderWay; under_way.pop_front())
      ASSERT_EQ(under_way.front().get(), kMiB);
  }
  for (const auto& job : under_way) ASSERT_EQ(job.get(), kMiB);
  EXPECT_EQ(answered_, (kJobs + 19) / 20);
  EXPECT_LE(peak_.load(), kBacklogBound);
}

// As fast as they can be made. What waits at the borrower is no more than what it has borrowed;
// that it is less is a matter of Overload.by_large_results_...
TEST_F(OverloadOnSockets, by_large_results_serves_others_meanwhile) {
  const int kJobs = static_cast<int>(times(400, 60));
  std::deque<Future<std::string>> under_way;
  for (int i = 0; i < kJobs; ++i) {
    under_way.push_back(submit<large>(*owner_, {}, kMiB));
    if (i % 50 == 0) expect_an_answer();
    for (; under_way.size() > kUnderWay; under_way.pop_front())
      ASSERT_EQ(under_way.front().get().size(), kMiB);
  }
  for (const auto& job : under_way) ASSERT_EQ(job.get().size(), kMiB);
  EXPECT_EQ(answered_, (kJobs + 49) / 50);
  EXPECT_LE(peak_.load(), (kUnderWay + 2) * kMiB);
}

// ---- a flood of requests

// Somebody who has the key and asks without end, and does not listen to the answers.
class Insatiable : public transport::Handler, private messages::Listener {
 public:
  Insatiable(transport::LoopbackWorld& world, const Address& victim) {
    Options options;
    options.name = "insatiable";
    options.workers = 1;
    transport_ = world.open(introduction(options, FunctionTable::seal()));
    transport_->dial(victim);
    while (!session_) transport_->poll(Clock::now(), *this);
  }
  NodeId id() const { return transport_->self().node; }
  void ask(int times) {
    const messages::Encoded message = messages::encode(messages::Steal{1, 1});
    for (int i = 0; i < times; ++i) transport_->send(*session_, message);
    transport_->poll(Clock::now(), *this);
  }

 private:
  void on_up(SessionId session, const transport::Peer&) override { session_ = session; }
  void on_message(SessionId, std::span<const std::byte>) override {}
  void on_word(SessionId, std::span<const std::byte>) override {}
  void on_down(SessionId, transport::DownReason, std::string_view) override {}
  void on_dial_failed(const Address&, transport::DialFailure, std::string_view) override {}
  void on_refused(const transport::Refusal&) override {}
  void on(const messages::Steal&) override {}
  void on(const messages::Grant&) override {}
  void on(const messages::Redirect&) override {}
  void on(const messages::None&) override {}
  void on(std::span<const messages::Returned>) override {}
  void on(std::span<const messages::Result>) override {}
  void on(const messages::Load&) override {}
  void on_leave(std::string_view) override {}
  void on_understood() override {}
  void on(const messages::Attach&) override {}
  void on_begun(std::span<const std::uint64_t>) override {}
  void on_cancel(std::span<const std::uint64_t>) override {}
  void on(std::span<const messages::Want>) override {}
  void on(const messages::Piece&) override {}
  void on_not_here(const BlobId&) override {}
  void on(const messages::Instead&) override {}
  void on_taken(std::span<const std::uint64_t>) override {}
  void on(const messages::Observe&) override {}
  void on(const messages::Records&) override {}

  std::unique_ptr<transport::Transport> transport_;
  std::optional<SessionId> session_;
};

// Would catch: an answer queued for each request of somebody who takes none.
TEST_F(Overload, by_requests_of_one_who_hears_no_answer_keeps_the_backlog_bounded) {
  const int kRequests = static_cast<int>(times(200'000, 40'000));
  Peak peak{0};
  Cluster cluster(0, {}, patient(0));
  Node& victim = add_measured(cluster, "victim", 1, peak);
  Node& other = cluster.add(1);
  Insatiable thief(cluster.world(), {"loopback", 1});
  thief.ask(kRequests);
  cluster.world().set_dead_limit(1h);
  cluster.world().stop(thief.id());
  // Meanwhile it works for somebody else, who is behind the flood: messages of one are not before
  // those of another for ever.
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(cluster.submit_with<small>(1, {.where = Where::node(victim.id())}, i).get(), i);
  }
  EXPECT_EQ(other.statistics().lost, 0u);
  EXPECT_LE(peak.load(), kBacklogBound);
}

// Would catch: thieves that ask again and again while there is nothing, or are asked by all.
TEST_F(Overload, by_many_thieves_costs_few_messages) {
  const std::size_t kThieves = times(24, 6);
  Cluster cluster(1 + kThieves);
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 5'000; ++i) jobs.push_back(cluster.submit<small>(0, i));
  for (int i = 0; i < 5'000; ++i) ASSERT_EQ(jobs[static_cast<std::size_t>(i)].get(), i);
  // About every job may be asked for and granted on its own; more than that is noise.
  EXPECT_LE(cluster[0].statistics().messages, 5'000u + 100 * kThieves);
}

}  // namespace
}  // namespace pp::runtime
