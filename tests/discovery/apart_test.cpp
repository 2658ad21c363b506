// Apart over sources that do what the test says, a hang among it: what comes through, and that
// nobody waits. Real threads and the real clock: where a test waits, it waits for what it expects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <pp/apart.hpp>
#include <pp/shared_folder.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "node_file.hpp"
#include "sources.hpp"

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;
using testing::Lt;
using testing::SizeIs;

constexpr int kLimit = 60'000;  // ms; only a hang reaches it
// Between kPatience and this a call has kept its word, however slow the machine.
constexpr seconds kPromptly{5};

bool readable(int fd, int limit) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, limit) == 1;
}

Sighting sighting_of(std::size_t number) {
  return {{{"10.0.0.1", static_cast<std::uint16_t>(number)}}, {}, true, false};
}

// What a source is to do, and what it was told. The test and the source share it: the source may
// outlive the test's Apart.
class Script {
 public:
  using Step = std::function<void(Discovery::Listener&)>;

  // ---- the test's
  // Done in the next poll(), one step in each.
  void then(Step step) {
    const std::lock_guard lock(mutex_);
    steps_.push_back(std::move(step));
  }
  // From now on each poll() hangs.
  void hang() {
    const std::lock_guard lock(mutex_);
    hangs_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
    changed_.notify_all();
  }
  // What was called, in order. Waits until there are so many.
  std::vector<std::string> calls(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, milliseconds(kLimit), [&] { return calls_.size() >= count; });
    return calls_;
  }
  std::vector<std::string> calls() { return calls(0); }
  void wait_for_end() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !calls_.empty() && calls_.back() == "end"; });
  }
  // The threads that called.
  std::vector<std::thread::id> threads() {
    const std::lock_guard lock(mutex_);
    return threads_;
  }

  // ---- the source's
  void called(std::string call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    if (std::find(threads_.begin(), threads_.end(), std::this_thread::get_id()) == threads_.end())
      threads_.push_back(std::this_thread::get_id());
    changed_.notify_all();
  }
  void poll(Discovery::Listener& listener) {
    called("poll");
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !hangs_; });
    if (steps_.empty()) return;
    const Step step = std::move(steps_.front());
    steps_.erase(steps_.begin());
    lock.unlock();
    step(listener);
  }
  // As many were forged as were polls.
  Discovery::Ignored ignored() {
    const std::lock_guard lock(mutex_);
    const auto polls = std::count(calls_.begin(), calls_.end(), "poll");
    return {.forged = static_cast<std::uint64_t>(polls)};
  }
  Time next_due(Time now) {
    const std::lock_guard lock(mutex_);
    return steps_.empty() ? Time::max() : now + milliseconds(1);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Step> steps_;
  std::vector<std::string> calls_;
  std::vector<std::thread::id> threads_;
  bool hangs_ = false;
};

class Scripted final : public Discovery {
 public:
  explicit Scripted(std::shared_ptr<Script> script, std::vector<int> descriptors = {})
      : script_(std::move(script)), descriptors_(std::move(descriptors)) {}
  ~Scripted() override { script_->called("end"); }
  void poll(Time, Listener& listener) override { script_->poll(listener); }
  Time next_due(Time now) const override { return script_->next_due(now); }
  std::vector<int> descriptors() const override { return descriptors_; }
  void introduce(const Self& self) override { script_->called("introduce " + self.name); }
  void leave() override { script_->called("leave"); }
  Ignored ignored() const override { return script_->ignored(); }

 private:
  const std::shared_ptr<Script> script_;
  const std::vector<int> descriptors_;
};

Discovery::Self self_of(const std::string& name) {
  Discovery::Self self;
  self.node.bytes.fill(0xa5);
  self.name = name;
  self.addresses = {{"10.0.0.1", 7400}};
  return self;
}

class ApartTest : public testing::Test {
 protected:
  ApartTest() : apart_(std::make_unique<Apart>(std::make_unique<Scripted>(script_))) {}
  // No thread of ours is to be there when the next test counts on its time.
  ~ApartTest() override {
    script_->release();
    apart_.reset();
    script_->wait_for_end();
  }

  void poll() { apart_->poll(Clock::now(), heard_); }
  // Takes what is ready until `done`.
  template <class Done>
  void poll_until(Done done) {
    poll();
    while (!done()) {
      ASSERT_TRUE(readable(apart_->descriptors().at(0), kLimit));
      poll();
    }
  }
  // Begins the thread, and returns when its source hangs.
  void hang() {
    script_->hang();
    poll();
    ASSERT_THAT(script_->calls(1), ElementsAre("poll"));
  }
  static Clock::duration time_of(const std::function<void()>& call) {
    const Time start = Clock::now();
    call();
    return Clock::now() - start;
  }

  const std::shared_ptr<Script> script_ = std::make_shared<Script>();
  std::unique_ptr<Apart> apart_;
  Heard heard_;
};

TEST_F(ApartTest, tells_what_its_source_tells_in_order) {
  std::vector<std::string> told;
  class Both final : public Discovery::Listener {
   public:
    explicit Both(std::vector<std::string>& told) : told_(told) {}
    void sighted(const Sighting& it) override { told_.push_back(it.addresses.at(0).to_string()); }
    void noticed(const std::string& sentence) override { told_.push_back(sentence); }

   private:
    std::vector<std::string>& told_;
  } listener(told);
  script_->then([](Discovery::Listener& to) {
    to.sighted(sighting_of(1));
    to.noticed("one");
    to.sighted(sighting_of(2));
  });
  script_->then([](Discovery::Listener& to) { to.noticed("two"); });
  apart_->poll(Clock::now(), listener);
  while (told.size() < 4) {
    ASSERT_TRUE(readable(apart_->descriptors().at(0), kLimit));
    apart_->poll(Clock::now(), listener);
  }
  EXPECT_THAT(told, ElementsAre("10.0.0.1:1", "one", "10.0.0.1:2", "two"));
}

TEST_F(ApartTest, passes_on_all_that_a_sighting_says) {
  const NodeId node = NodeId::random();
  script_->then([node](Discovery::Listener& to) {
    to.sighted({{{"10.0.0.1", 1}, {"fd00::1", 2}}, node, true, true});
  });
  poll_until([&] { return !heard_.sightings.empty(); });
  const Sighting& sighting = heard_.sightings.at(0);
  EXPECT_THAT(sighting.addresses, ElementsAre(Address{"10.0.0.1", 1}, Address{"fd00::1", 2}));
  EXPECT_EQ(sighting.node, node);
  EXPECT_TRUE(sighting.lasting);
  EXPECT_TRUE(sighting.leaving);
}

TEST_F(ApartTest, begins_with_the_first_poll_and_is_due_by_its_bell_only_from_then_on) {
  const Time now = Clock::now();
  EXPECT_EQ(apart_->next_due(now), now);
  EXPECT_THAT(script_->calls(), IsEmpty());
  apart_->poll(now, heard_);
  EXPECT_EQ(apart_->next_due(now), Time::max());
  EXPECT_THAT(script_->calls(1), ElementsAre("poll"));
}

TEST_F(ApartTest, polls_its_source_whenever_that_is_due) {
  for (std::size_t i = 0; i < 5; ++i)
    script_->then([i](Discovery::Listener& to) { to.sighted(sighting_of(i)); });
  poll_until([&] { return heard_.sightings.size() == 5; });
  EXPECT_THAT(script_->calls(), SizeIs(5));
}

TEST_F(ApartTest, uses_and_ends_its_source_on_one_thread_that_is_not_ours) {
  apart_->introduce(self_of("node"));
  poll();
  script_->calls(2);
  apart_->leave();
  apart_.reset();
  EXPECT_THAT(script_->calls(4), ElementsAre("introduce node", "poll", "leave", "end"));
  ASSERT_THAT(script_->threads(), SizeIs(1));
  EXPECT_NE(script_->threads().at(0), std::this_thread::get_id());
}

TEST_F(ApartTest, introduces_this_node_before_the_first_poll_and_wakes_its_source_for_the_next) {
  apart_->introduce(self_of("first"));
  EXPECT_THAT(script_->calls(), IsEmpty());
  poll();
  EXPECT_THAT(script_->calls(2), ElementsAre("introduce first", "poll"));
  apart_->introduce(self_of("second"));  // it sleeps, and nothing is due for ever
  EXPECT_THAT(script_->calls(4),
              ElementsAre("introduce first", "poll", "introduce second", "poll"));
}

TEST_F(ApartTest, introduces_as_what_was_said_last) {
  hang();
  apart_->introduce(self_of("first"));
  apart_->introduce(self_of("second"));
  script_->release();
  EXPECT_THAT(script_->calls(3), ElementsAre("poll", "introduce second", "poll"));
}

TEST_F(ApartTest, counts_what_its_source_ignored_up_to_its_last_poll) {
  EXPECT_EQ(apart_->ignored().forged, 0u);
  script_->then([](Discovery::Listener& to) { to.noticed("polled"); });
  poll_until([&] { return !heard_.sentences.empty(); });
  script_->hang();
  apart_->introduce(self_of("node"));
  EXPECT_THAT(script_->calls(3), ElementsAre("poll", "introduce node", "poll"));
  EXPECT_EQ(apart_->ignored().forged, 1u) << "the second poll has not returned";
}

TEST_F(ApartTest, is_silent_again_when_all_was_taken) {
  const int bell = apart_->descriptors().at(0);
  for (std::size_t i = 0; i < 100; ++i) {
    script_->then([i](Discovery::Listener& to) { to.sighted(sighting_of(i)); });
    apart_->introduce(self_of("node"));
    poll_until([&] { return heard_.sightings.size() == i + 1; });
    EXPECT_FALSE(readable(bell, 0));
  }
  EXPECT_THAT(apart_->descriptors(), ElementsAre(bell));
}

// A hosts file tells each host once: what is dropped would be lost.
TEST_F(ApartTest, loses_nothing_of_a_source_that_tells_more_than_may_lie_ready) {
  constexpr std::size_t kMany = 10 * Apart::kMostReady;
  script_->then([](Discovery::Listener& to) {
    for (std::size_t i = 0; i < kMany; ++i) to.sighted(sighting_of(i));
  });
  std::size_t most = 0;
  std::size_t before = 0;
  poll_until([&] {
    most = std::max(most, heard_.sightings.size() - before);
    before = heard_.sightings.size();
    return before == kMany;
  });
  EXPECT_THAT(most, Le(Apart::kMostReady));
  for (std::size_t i = 0; i < kMany; ++i)
    ASSERT_EQ(heard_.sightings[i].addresses, sighting_of(i).addresses);
}

TEST_F(ApartTest, ends_a_source_that_waits_until_what_it_told_is_taken) {
  script_->then([](Discovery::Listener& to) {
    for (std::size_t i = 0; i < 10 * Apart::kMostReady; ++i) to.sighted(sighting_of(i));
  });
  poll();
  ASSERT_TRUE(readable(apart_->descriptors().at(0), kLimit));
  apart_->leave();
  EXPECT_THAT(script_->calls(), ElementsAre("poll", "leave", "end"));
  EXPECT_FALSE(readable(apart_->descriptors().at(0), 0)) << "who looks at it would do so for ever";
}

TEST_F(ApartTest, waits_for_none_of_its_sources_calls) {
  hang();
  for (int minute = 0; minute < 10; ++minute) {
    apart_->poll(Clock::now() + std::chrono::minutes(minute), heard_);
    apart_->introduce(self_of("node"));
    EXPECT_EQ(apart_->next_due(Clock::now()), Time::max());
  }
  EXPECT_FALSE(readable(apart_->descriptors().at(0), 0));
  EXPECT_THAT(script_->calls(), ElementsAre("poll"));
}

TEST_F(ApartTest, leaves_a_source_behind_that_hangs) {
  hang();
  const Clock::duration leaving = time_of([this] { apart_->leave(); });
  EXPECT_THAT(leaving, Ge(Apart::kPatience)) << "it was not given its time";
  EXPECT_THAT(leaving, Lt(kPromptly));
  EXPECT_THAT(time_of([this] { apart_.reset(); }), Lt(kPromptly));
  EXPECT_THAT(script_->calls(), ElementsAre("poll"));
}

TEST_F(ApartTest, leaves_a_source_behind_that_hangs_although_nobody_said_that_we_leave) {
  hang();
  const Clock::duration ending = time_of([this] { apart_.reset(); });
  EXPECT_THAT(ending, Ge(Apart::kPatience)) << "it was not given its time";
  EXPECT_THAT(ending, Lt(kPromptly));
  EXPECT_THAT(script_->calls(), ElementsAre("poll"));
}

// What it would catch: a thread left behind that tells it to a listener that is gone, that goes on
// polling, or that holds its source for ever.
TEST_F(ApartTest, ends_what_was_left_behind_when_its_call_returns) {
  script_->then([](Discovery::Listener& to) {
    for (std::size_t i = 0; i < 10 * Apart::kMostReady; ++i) to.sighted(sighting_of(i));
    to.noticed("late");
  });
  hang();
  apart_->leave();
  EXPECT_FALSE(readable(apart_->descriptors().at(0), 0));
  apart_.reset();
  script_->release();
  EXPECT_THAT(script_->calls(3), ElementsAre("poll", "leave", "end"));
  EXPECT_THAT(heard_.sightings, IsEmpty());
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(ApartTest, tells_nothing_after_it_left) {
  script_->then([](Discovery::Listener& to) { to.sighted(sighting_of(1)); });
  hang();
  script_->release();
  ASSERT_TRUE(readable(apart_->descriptors().at(0), kLimit));
  apart_->leave();
  EXPECT_FALSE(readable(apart_->descriptors().at(0), 0));
}

TEST_F(ApartTest, has_nothing_to_say_for_a_source_that_was_never_polled) {
  apart_->introduce(self_of("node"));
  apart_->leave();
  EXPECT_THAT(script_->calls(), IsEmpty());
  apart_.reset();
  EXPECT_THAT(script_->calls(), ElementsAre("end"));
}

TEST(Apart, polls_a_source_when_one_of_its_descriptors_is_readable) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const auto script = std::make_shared<Script>();
  Heard heard;
  {
    Apart apart(std::make_unique<Scripted>(script, std::vector<int>{ends[0]}));
    apart.poll(Clock::now(), heard);
    script->calls(1);
    script->then([ends](Discovery::Listener& to) {
      char byte = 0;
      if (::read(ends[0], &byte, 1) == 1) to.noticed(std::string(1, byte));
    });
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    ASSERT_TRUE(readable(apart.descriptors().at(0), kLimit));
    apart.poll(Clock::now(), heard);
    EXPECT_THAT(heard.sentences, ElementsAre("x"));
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Apart, lets_a_shared_folder_take_its_file_away_before_leave_returns) {
  TemporaryFolder folder;
  const Discovery::Self other = [] {
    Discovery::Self self = self_of("other");
    self.node = NodeId::random();
    return self;
  }();
  write(folder / node_file_name(other.node), node_file_text(other).value());
  Heard heard;
  Apart apart(std::make_unique<SharedFolder>(folder.path(), 1));
  apart.introduce(self_of("node"));
  apart.poll(Clock::now(), heard);
  // It writes its own file before it looks at those of others.
  while (heard.sightings.empty()) {
    ASSERT_TRUE(readable(apart.descriptors().at(0), kLimit));
    apart.poll(Clock::now(), heard);
  }
  EXPECT_THAT(heard.take_addresses(), ElementsAre("10.0.0.1:7400"));
  EXPECT_THAT(folder.names(), SizeIs(2));
  apart.leave();
  EXPECT_THAT(folder.names(), ElementsAre(node_file_name(other.node)));
}

}  // namespace
}  // namespace pp::discovery
