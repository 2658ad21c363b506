// Announcer in virtual time: who says what and when, and what is believed.
#include "announcer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <queue>

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::AnyOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = Beacon::Kind;

Time at(std::chrono::nanoseconds since_start) { return Time{} + since_start; }

NodeId id_of(std::size_t number) {
  NodeId id;
  id.bytes.fill(7);
  id.bytes[0] = static_cast<std::uint8_t>(number);
  id.bytes[1] = static_cast<std::uint8_t>(number >> 8);
  return id;
}

Discovery::Self self_of(std::size_t number) {
  return {id_of(number), "node", {{"10.0.0.1", static_cast<std::uint16_t>(number + 1)}}, 4, 0};
}

Ways ways(std::initializer_list<std::size_t> which) {
  Ways ways;
  for (const std::size_t way : which) ways.set(way);
  return ways;
}

struct Ear : Discovery::Listener {
  void sighted(const Sighting& sighting) override { sightings.push_back(sighting); }
  void noticed(const std::string& sentence) override { sentences.push_back(sentence); }
  std::vector<Sighting> sightings;
  std::vector<std::string> sentences;
};

// One announcer, and us as everybody else.
class AnnouncerTest : public testing::Test {
 protected:
  AnnouncerTest() { announcer.introduce(self_of(0)); }

  // All that it says until `until`, with the times.
  std::vector<std::pair<Time, Announcer::Saying>> said_until(Time until) {
    std::vector<std::pair<Time, Announcer::Saying>> all;
    for (now = std::max(now, announcer.next_due(now)); now <= until;
         now = std::max(now, announcer.next_due(now))) {
      while (auto saying = announcer.due(now)) all.emplace_back(now, *saying);
    }
    now = until;
    return all;
  }
  std::vector<Kind> kinds_until(Time until) {
    std::vector<Kind> kinds;
    for (const auto& [when, saying] : said_until(until)) kinds.push_back(saying.beacon.kind);
    return kinds;
  }
  // As after the greetings of the start.
  void settle() {
    announcer.open(ways({0}), now);
    said_until(at(seconds(1)));
  }

  std::vector<std::byte> beacon_of(std::size_t number, Kind kind, std::uint64_t at_sequence) const {
    const Discovery::Self self = self_of(number);
    return encode({kind, self.node, 0, at_sequence, "other", self.addresses, 1}, key, cluster);
  }
  void hear(std::span<const std::byte> datagram, std::size_t way = 0,
            std::string_view source = "10.0.0.2") {
    announcer.hear(datagram, source, way, now, ear);
  }
  void hear_here(std::size_t number, std::size_t way = 0) {
    hear(beacon_of(number, Kind::kHere, ++sequence), way);
  }
  void hear_hello(std::size_t number, std::size_t way = 0) {
    hear(beacon_of(number, Kind::kHello, ++sequence), way);
  }

  const ClusterKey key = ClusterKey::generate();
  const ClusterId cluster = ClusterId::of(key, "launch", 7);
  Announcer announcer{key, cluster, 1};
  Ear ear;
  Time now = at(seconds(0));
  std::uint64_t sequence = 0;
};

TEST_F(AnnouncerTest, says_hello_at_once_and_twice_more) {
  announcer.open(ways({0, 3}), now);
  const auto said = said_until(at(seconds(20)));
  ASSERT_THAT(said, SizeIs(3));
  EXPECT_EQ(said[0].first, at(milliseconds(0)));
  EXPECT_EQ(said[1].first, at(milliseconds(50)));
  EXPECT_EQ(said[2].first, at(milliseconds(250)));
  for (std::size_t i = 0; i < said.size(); ++i) {
    const Announcer::Saying& saying = said[i].second;
    EXPECT_EQ(saying.ways, ways({0, 3}));
    EXPECT_EQ(saying.beacon.kind, Kind::kHello);
    EXPECT_EQ(saying.beacon.node, self_of(0).node);
    EXPECT_EQ(saying.beacon.addresses, self_of(0).addresses);
    EXPECT_EQ(saying.beacon.sequence, i + 1);
  }
}

TEST_F(AnnouncerTest, says_nothing_before_it_knows_who_it_is) {
  Announcer nobody(key, cluster, 1);
  nobody.open(ways({0}), now);
  EXPECT_FALSE(nobody.due(now));
  EXPECT_EQ(nobody.next_due(now), Time::max());
  EXPECT_FALSE(nobody.leave());
  nobody.introduce(self_of(0));
  EXPECT_TRUE(nobody.due(now));
}

TEST_F(AnnouncerTest, stops_saying_hello_where_it_is_answered) {
  announcer.open(ways({0, 1}), now);
  ASSERT_THAT(kinds_until(at(milliseconds(10))), ElementsAre(Kind::kHello));
  hear_here(1, 1);
  const auto said = said_until(at(seconds(20)));
  ASSERT_THAT(said, SizeIs(2));
  EXPECT_EQ(said[0].second.ways, ways({0}));
  EXPECT_EQ(said[1].second.ways, ways({0}));
}

TEST_F(AnnouncerTest, says_hello_although_others_were_heard_first) {
  announcer.open(ways({0}), now);
  hear_here(1);
  EXPECT_THAT(kinds_until(now), ElementsAre(Kind::kHello));
}

TEST_F(AnnouncerTest, greets_a_way_that_opens_later_and_no_other) {
  settle();
  announcer.open(ways({0, 5}), now);
  const auto said = said_until(at(seconds(2)));
  ASSERT_THAT(said, SizeIs(3));
  for (const auto& [when, saying] : said) {
    EXPECT_EQ(saying.beacon.kind, Kind::kHello);
    EXPECT_EQ(saying.ways, ways({5}));
  }
  announcer.open(ways({0, 5}), now);
  EXPECT_THAT(said_until(at(seconds(3))), IsEmpty());
  announcer.open(ways({0}), now);  // gone,
  announcer.open(ways({0, 5}), now);
  EXPECT_THAT(said_until(at(seconds(4))), SizeIs(3));  // and back
}

TEST_F(AnnouncerTest, a_new_node_is_answered_at_once) {
  for (std::size_t i = 1; i <= 50; ++i) {
    if (i == 1) settle();
    hear_hello(i);
    const Time asked = now;
    const auto said = said_until(asked + milliseconds(20));
    ASSERT_THAT(said, SizeIs(1));
    EXPECT_EQ(said[0].second.beacon.kind, Kind::kHere);
    EXPECT_EQ(said[0].second.ways, ways({0}));
  }
  ASSERT_THAT(ear.sightings, SizeIs(50));
  EXPECT_EQ(ear.sightings[0].addresses, self_of(1).addresses);
  EXPECT_EQ(ear.sightings[0].node, id_of(1));
  EXPECT_FALSE(ear.sightings[0].leaving);
  EXPECT_FALSE(ear.sightings[0].lasting);
  EXPECT_EQ(announcer.counters().heard, 50u);
}

TEST_F(AnnouncerTest, one_answer_is_enough_for_all_who_ask_together) {
  settle();
  for (std::size_t i = 1; i <= 50; ++i) hear_hello(i);
  EXPECT_THAT(kinds_until(at(seconds(2))), ElementsAre(Kind::kHere));
}

TEST_F(AnnouncerTest, does_not_answer_when_three_others_have) {
  settle();
  hear_hello(1);
  hear_here(2);
  hear_here(3);
  EXPECT_LE(announcer.next_due(now), now + milliseconds(20));
  hear_here(4);
  EXPECT_THAT(said_until(at(seconds(2))), IsEmpty());
}

TEST_F(AnnouncerTest, answers_that_came_before_the_question_are_none) {
  settle();
  hear_hello(1);
  hear_here(2);
  hear_here(3);
  hear_hello(5);
  hear_here(4);
  EXPECT_THAT(kinds_until(at(seconds(2))), ElementsAre(Kind::kHere));
}

TEST_F(AnnouncerTest, answers_by_another_way_are_none) {
  announcer.open(ways({0, 1}), now);
  said_until(at(seconds(1)));
  hear_hello(1, 0);
  for (std::size_t i = 2; i < 9; ++i) hear_here(i, 1);
  const auto said = said_until(at(seconds(2)));
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].second.ways, ways({0}));
}

TEST_F(AnnouncerTest, its_own_hello_is_answer_enough) {
  announcer.open(ways({0}), now);
  hear_hello(1);
  EXPECT_THAT(kinds_until(at(milliseconds(40))), ElementsAre(Kind::kHello));
}

TEST_F(AnnouncerTest, repeats_slowly_and_never_in_step) {
  settle();
  Time last = at(seconds(0));
  std::set<Time::duration> pauses;
  for (const auto& [when, saying] : said_until(at(seconds(3000)))) {
    EXPECT_EQ(saying.beacon.kind, Kind::kHere);
    if (last != at(seconds(0))) pauses.insert(when - last);
    last = when;
  }
  EXPECT_GT(pauses.size(), 75u);
  EXPECT_THAT(pauses,
              Each(AllOf(testing::Ge(milliseconds(22'500)), testing::Le(milliseconds(37'500)))));
}

TEST_F(AnnouncerTest, does_not_repeat_where_three_others_did) {
  announcer.open(ways({0, 1}), now);
  said_until(at(seconds(1)));
  for (std::size_t i = 1; i <= 3; ++i) hear_here(i, 0);
  for (std::size_t i = 1; i <= 2; ++i) hear_here(i, 1);
  auto said = said_until(at(milliseconds(37'500)));
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].second.ways, ways({1}));
  said = said_until(at(milliseconds(75'000)));
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said[0].second.ways, ways({0, 1}));  // what was heard before counts no more
}

TEST_F(AnnouncerTest, tells_at_once_when_its_addresses_change) {
  settle();
  Discovery::Self moved = self_of(0);
  moved.workers = 5;
  announcer.introduce(moved);
  EXPECT_THAT(said_until(now), IsEmpty());
  moved.addresses = {{"10.9.9.9", 1}};
  announcer.introduce(moved);
  const auto said = said_until(now);
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].second.beacon.kind, Kind::kHere);
  EXPECT_EQ(said[0].second.beacon.addresses, moved.addresses);
}

TEST_F(AnnouncerTest, leaves_with_a_last_word) {
  settle();
  const auto last = announcer.leave();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->beacon.kind, Kind::kLeave);
  EXPECT_EQ(last->ways, ways({0}));
  EXPECT_FALSE(announcer.leave());
  EXPECT_FALSE(announcer.due(at(seconds(1000))));
  EXPECT_EQ(announcer.next_due(now), Time::max());
}

TEST_F(AnnouncerTest, tells_that_another_leaves) {
  hear(beacon_of(1, Kind::kLeave, 9));
  ASSERT_THAT(ear.sightings, SizeIs(1));
  EXPECT_TRUE(ear.sightings[0].leaving);
  hear(beacon_of(1, Kind::kHere, 8));  // said before, heard after
  EXPECT_THAT(ear.sightings, SizeIs(1));
}

TEST_F(AnnouncerTest, a_replayed_beacon_changes_nothing) {
  settle();
  const auto hello = beacon_of(1, Kind::kHello, 5);
  hear(hello);
  said_until(at(seconds(2)));
  hear(hello);
  hear(hello, 0, "10.66.6.6");
  hear(beacon_of(1, Kind::kHello, 4));
  EXPECT_THAT(said_until(at(seconds(3))), IsEmpty());
  EXPECT_THAT(ear.sightings, SizeIs(1));
  EXPECT_EQ(announcer.counters().heard, 1u);
  EXPECT_EQ(announcer.counters().replayed, 3u);
}

TEST_F(AnnouncerTest, the_same_beacon_on_another_way_is_a_copy_once) {
  hear(beacon_of(1, Kind::kHere, 5), 0);
  hear(beacon_of(1, Kind::kHere, 5), 1);
  hear(beacon_of(1, Kind::kHere, 5), 1);
  EXPECT_THAT(ear.sightings, SizeIs(1));
  EXPECT_EQ(announcer.counters().heard, 1u);
  EXPECT_EQ(announcer.counters().copies, 1u);
  EXPECT_EQ(announcer.counters().replayed, 1u);
}

TEST_F(AnnouncerTest, who_asks_on_two_ways_is_answered_on_both) {
  announcer.open(ways({0, 1}), now);
  said_until(at(seconds(1)));
  hear(beacon_of(1, Kind::kHello, 5), 0);
  hear(beacon_of(1, Kind::kHello, 5), 1);
  const auto said = said_until(at(seconds(2)));
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].second.ways, ways({0, 1}));
}

TEST_F(AnnouncerTest, its_own_beacons_come_back_and_are_ignored) {
  announcer.open(ways({0}), now);
  const auto hello = announcer.due(now);
  ASSERT_TRUE(hello);
  hear(encode(hello->beacon, key, cluster));
  EXPECT_THAT(ear.sightings, IsEmpty());
  EXPECT_EQ(announcer.counters().own, 1u);
  EXPECT_EQ(announcer.counters().heard, 0u);
}

TEST_F(AnnouncerTest, forged_ones_are_counted_and_noticed_seldom) {
  settle();
  const ClusterKey another = ClusterKey::generate();
  const auto forged = encode({Kind::kHello, id_of(1), 0, 1, "x", {{"a", 1}}, 1}, another, cluster);
  for (int i = 0; i < 10; ++i) hear(forged, 0, "10.6.6.6");
  for (int i = 0; i < 10; ++i) hear(forged, 0, "10.6.6.7");
  EXPECT_THAT(ear.sentences, ElementsAre(HasSubstr("10.6.6.6")));
  EXPECT_EQ(announcer.counters().forged, 20u);
  EXPECT_THAT(ear.sightings, IsEmpty());
  EXPECT_THAT(said_until(at(seconds(2))), IsEmpty());
  now = at(seconds(62));
  hear(forged, 0, "10.6.6.6");
  hear(forged, 0, "10.6.6.7");
  EXPECT_THAT(ear.sentences, ElementsAre(HasSubstr("10.6.6.6"), HasSubstr("10.6.6.7")));
}

TEST_F(AnnouncerTest, another_cluster_is_noticed_once) {
  const auto foreign = [this](std::uint64_t program) {
    const ClusterId other = ClusterId::of(key, "launch", program);
    return encode({Kind::kHello, id_of(1), 0, 1, "x", {{"a", 1}}, 1}, key, other);
  };
  for (int i = 0; i < 3; ++i) hear(foreign(8), 0, "10.1.2.3");
  EXPECT_THAT(
      ear.sentences,
      ElementsAre(AllOf(HasSubstr(ClusterId::of(key, "launch", 8).to_string()),
                        HasSubstr("10.1.2.3"), HasSubstr("another key, launch or program"))));
  for (std::uint64_t program = 100; program < 200; ++program) hear(foreign(program));
  EXPECT_THAT(ear.sentences, SizeIs(Announcer::kMaxNoticed));
  EXPECT_EQ(announcer.counters().foreign, 103u);
  EXPECT_THAT(ear.sightings, IsEmpty());
}

TEST_F(AnnouncerTest, a_node_counts_daemons_and_notices_none_of_them) {
  const ClusterId daemons = ClusterId::of(key, "daemons", 0);
  Beacon beacon{Kind::kHello, id_of(1), 0, 1, "daemon", {{"10.0.0.1", 7}}, 1};
  beacon.daemon = true;
  hear(encode(beacon, key, daemons));
  EXPECT_EQ(announcer.counters().foreign, 1u);
  EXPECT_THAT(ear.sentences, IsEmpty());
  EXPECT_THAT(ear.sightings, IsEmpty());
}

TEST_F(AnnouncerTest, a_daemon_notices_foreign_daemons_and_no_nodes) {
  const ClusterId daemons = ClusterId::of(key, "daemons", 0);
  Announcer daemon(key, daemons, 1);
  Discovery::Self self = self_of(0);
  self.daemon = true;
  daemon.introduce(self);
  daemon.hear(beacon_of(2, Kind::kHello, 1), "10.0.0.2", 0, now, ear);
  EXPECT_THAT(ear.sentences, IsEmpty());
  Beacon beacon{Kind::kHello, id_of(1), 0, 1, "daemon", {{"10.0.0.1", 7}}, 1};
  beacon.daemon = true;
  daemon.hear(encode(beacon, key, daemons), "10.0.0.1", 0, now, ear);
  EXPECT_THAT(ear.sightings, SizeIs(1));
  const ClusterKey foreign = ClusterKey::generate();
  daemon.hear(encode(beacon, foreign, ClusterId::of(foreign, "daemons", 0)), "10.0.0.3", 0, now,
              ear);
  EXPECT_THAT(ear.sentences, SizeIs(1));
  EXPECT_THAT(ear.sentences.back(), testing::HasSubstr("node daemons of another cluster"));
}

TEST_F(AnnouncerTest, a_daemon_answers_who_looks_with_another_key_and_no_other_stranger) {
  Announcer daemon(key, ClusterId::of(key, "daemons", 0), 1);
  Discovery::Self self = self_of(0);
  self.daemon = true;
  daemon.introduce(self);
  daemon.open(ways({0}), now);
  while (daemon.next_due(now) < at(seconds(1))) {
    now = std::max(now, daemon.next_due(now));
    daemon.due(now);
  }
  const ClusterKey foreign = ClusterKey::generate();
  const ClusterId theirs = ClusterId::of(foreign, "daemons", 0);
  Beacon beacon{Kind::kHello, id_of(1), 0, 1, "daemon", {}, 1};
  beacon.daemon = true;
  daemon.hear(encode(beacon, foreign, theirs), "10.0.0.3", 0, now, ear);
  EXPECT_GT(daemon.next_due(now), now + seconds(1));
  beacon.seeks = true;
  daemon.hear(encode(beacon, foreign, theirs), "10.0.0.3", 0, now, ear);
  EXPECT_LE(daemon.next_due(now), now + milliseconds(20));
}

TEST_F(AnnouncerTest, another_version_is_noticed_once) {
  auto newer = beacon_of(1, Kind::kHello, 1);
  newer[4] = std::byte{9};
  hear(newer, 0, "10.1.2.3");
  hear(newer, 0, "10.1.2.4");
  EXPECT_THAT(ear.sentences, ElementsAre(AllOf(HasSubstr("version 9"), HasSubstr("10.1.2.3"))));
  EXPECT_EQ(announcer.counters().other_version, 2u);
}

TEST_F(AnnouncerTest, garbage_is_counted_and_that_is_all) {
  hear({});
  hear(std::as_bytes(std::span("M-SEARCH * HTTP/1.1")));
  EXPECT_EQ(announcer.counters().malformed, 2u);
  EXPECT_THAT(ear.sightings, IsEmpty());
  EXPECT_THAT(ear.sentences, IsEmpty());
}

TEST_F(AnnouncerTest, one_source_cannot_sight_without_end) {
  for (std::size_t i = 1; i <= 1000; ++i) hear(beacon_of(i, Kind::kHello, 1), 0, "10.0.0.2");
  EXPECT_THAT(ear.sightings, SizeIs(static_cast<std::size_t>(Announcer::kBurstPerSource)));
  EXPECT_EQ(announcer.counters().limited, 1000 - ear.sightings.size());
  hear(beacon_of(1001, Kind::kHello, 1), 0, "10.0.0.3");
  EXPECT_EQ(announcer.counters().heard, ear.sightings.size());
  now = at(seconds(10));
  hear(beacon_of(1000, Kind::kHello, 1), 0,
       "10.0.0.2");  // what was limited was not heard: no replay
  EXPECT_EQ(ear.sightings.back().node, id_of(1000));
}

TEST_F(AnnouncerTest, remembers_the_nodes_last_heard_of) {
  const auto hear_of = [this](std::size_t number) {
    now += seconds(1);
    hear(beacon_of(number, Kind::kHere, 1));
  };
  for (std::size_t i = 1; i <= Announcer::kMaxNodes; ++i) hear_of(i);
  hear_of(1);
  EXPECT_EQ(announcer.counters().replayed, 1u);
  hear_of(Announcer::kMaxNodes + 1);  // for which node 1 is forgotten: the replay kept it no longer
  hear_of(2);
  EXPECT_EQ(announcer.counters().replayed, 2u);
  hear_of(1);
  EXPECT_EQ(announcer.counters().heard, Announcer::kMaxNodes + 2);
}

// Many announcers on one network that takes a moment for each datagram and loses some.
class Network {
 public:
  Network(std::size_t nodes, milliseconds delay, double loss) : delay_(delay), loss_(loss) {
    for (std::size_t i = 0; i < nodes; ++i) add();
  }

  void add() {
    const std::size_t number = nodes_.size();
    nodes_.push_back(std::make_unique<Node>(key_, cluster_, number));
    nodes_.back()->announcer.introduce(self_of(number));
    nodes_.back()->announcer.open(ways({0}), now);
  }

  void run_until(Time until) {
    while (true) {
      Time next = arriving_.empty() ? Time::max() : arriving_.begin()->first;
      for (const auto& node : nodes_) next = std::min(next, node->announcer.next_due(now));
      if (next > until) break;
      now = std::max(now, next);
      while (!arriving_.empty() && arriving_.begin()->first <= now) {
        deliver(arriving_.begin()->second);
        arriving_.erase(arriving_.begin());
      }
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        while (const auto saying = nodes_[i]->announcer.due(now)) {
          ++datagrams;
          ++nodes_[i]->said;
          arriving_.emplace(now + delay_, encode(saying->beacon, key_, cluster_));
        }
      }
    }
    now = until;
  }

  std::size_t sightings(std::size_t node) const { return nodes_[node]->ear.sightings.size(); }
  std::size_t said(std::size_t node) const { return nodes_[node]->said; }

  std::size_t datagrams = 0;
  Time now = at(seconds(0));

 private:
  struct Node {
    Node(const ClusterKey& key, const ClusterId& cluster, std::size_t number)
        : announcer(key, cluster, number + 1) {}
    Announcer announcer;
    Ear ear;
    std::size_t said = 0;
  };

  void deliver(const std::vector<std::byte>& datagram) {
    for (const auto& node : nodes_) {
      if (std::bernoulli_distribution(loss_)(random_)) continue;
      node->announcer.hear(datagram, "10.0.0.1", 0, now, node->ear);
    }
  }

  const ClusterKey key_ = ClusterKey::generate();
  const ClusterId cluster_ = ClusterId::of(key_, "launch", 7);
  const milliseconds delay_;
  const double loss_;
  std::mt19937 random_{5};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::multimap<Time, std::vector<std::byte>> arriving_;
};

TEST(AnnouncersTogether, two_that_start_at_once_sight_each_other_within_200_ms) {
  Network network(2, milliseconds(1), 0);
  network.run_until(at(milliseconds(200)));
  EXPECT_GT(network.sightings(0), 0u);
  EXPECT_GT(network.sightings(1), 0u);
}

TEST(AnnouncersTogether, a_hundred_that_start_at_once_do_not_storm) {
  Network network(100, milliseconds(1), 0);
  network.run_until(at(seconds(1)));
  // A hello of each, one more of those that are not answered within 50 ms, and a few answers.
  EXPECT_LE(network.datagrams, 215u);
  for (std::size_t node = 0; node < 100; ++node) EXPECT_GT(network.sightings(node), 0u);
}

TEST(AnnouncersTogether, a_newcomer_is_answered_by_a_few_of_a_hundred) {
  Network network(100, milliseconds(1), 0);
  network.run_until(at(seconds(10)));
  const std::size_t before = network.datagrams;
  network.add();
  network.run_until(at(milliseconds(10'200)));
  EXPECT_GE(network.sightings(100), Announcer::kEnough);
  EXPECT_LE(network.datagrams - before, 20u);
}

TEST(AnnouncersTogether, a_newcomer_is_found_although_half_of_all_datagrams_are_lost) {
  Network network(20, milliseconds(1), 0.5);
  network.run_until(at(seconds(10)));
  network.add();
  network.run_until(at(milliseconds(10'200)));
  EXPECT_GT(network.sightings(20), 0u);
}

TEST(AnnouncersTogether, at_rest_a_hundred_and_fifty_say_hardly_more_than_three) {
  const auto datagrams_an_hour = [](std::size_t nodes) {
    Network network(nodes, milliseconds(1), 0);
    network.run_until(at(seconds(60)));
    const std::size_t before = network.datagrams;
    network.run_until(at(seconds(60 + 3600)));
    return network.datagrams - before;
  };
  const std::size_t few = datagrams_an_hour(3), many = datagrams_an_hour(150);
  EXPECT_GE(few, 3 * 100u);
  EXPECT_LE(few, 3 * 140u);
  EXPECT_LE(many, 2 * few);
}

TEST(AnnouncersTogether, at_rest_each_of_them_says_something_now_and_then) {
  Network network(20, milliseconds(1), 0);
  network.run_until(at(seconds(60)));
  std::vector<std::size_t> before;
  for (std::size_t node = 0; node < 20; ++node) before.push_back(network.said(node));
  network.run_until(at(seconds(60 + 3600)));
  for (std::size_t node = 0; node < 20; ++node) EXPECT_GT(network.said(node), before[node]);
}

}  // namespace
}  // namespace pp::discovery
