// DaemonSearch: when enough is found, what is taken, and what the table says.
#include "daemon_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pp::tools::daemon {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

NodeId id(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}

Address at(unsigned number) { return {"10.0.0." + std::to_string(number), 7706}; }

Profile with(unsigned share) {
  Profile profile;
  profile.machine = "x86_64";
  profile.version = "1";
  profile.workers = 8;
  profile.share = share;
  if (share == 0) profile.why = "it is about to end";
  return profile;
}

class Search : public testing::Test {
 protected:
  explicit Search(unsigned wanted = 0) : search(wanted, "x86_64", {}, start) {}

  void answer(unsigned number, const Profile& profile) {
    const auto byte = static_cast<std::uint8_t>(number);
    search.sighted({at(number)}, id(byte));
    search.due(now);
    search.answered(id(byte), "host" + std::to_string(number), at(number), profile, now);
  }

  const Time start{std::chrono::seconds(10)};
  Time now = start;
  DaemonSearch search;
};

class SearchForTwo : public Search {
 protected:
  SearchForTwo() : Search(2) {}
};

TEST_F(SearchForTwo, stops_when_as_many_as_were_wanted_have_answered) {
  answer(1, with(4));
  EXPECT_FALSE(search.finished(now));
  EXPECT_EQ(search.next_due(), start + milliseconds(3000));
  answer(2, with(4));
  EXPECT_TRUE(search.finished(now));
}

TEST_F(Search, of_any_number_it_stops_when_nobody_new_answers_for_a_moment) {
  now = start + milliseconds(20);
  answer(1, with(4));
  EXPECT_FALSE(search.finished(start + milliseconds(299)));
  EXPECT_TRUE(search.finished(start + milliseconds(300)));
  now = start + milliseconds(280);
  answer(2, with(4));
  EXPECT_FALSE(search.finished(start + milliseconds(399)));
  EXPECT_EQ(search.next_due(), start + milliseconds(400));
  EXPECT_TRUE(search.finished(start + milliseconds(400)));
}

TEST_F(Search, it_waits_for_those_that_are_being_dialled) {
  answer(1, with(4));
  search.sighted({at(2)}, id(2));
  EXPECT_FALSE(search.finished(start + milliseconds(500)));
  search.due(now);
  EXPECT_FALSE(search.finished(start + milliseconds(500)));
  search.failed(at(2), "connection refused");
  EXPECT_TRUE(search.finished(start + milliseconds(500)));
  EXPECT_THAT(search.table(), HasSubstr("no answer from 10.0.0.2:7706: connection refused"));
}

TEST_F(Search, it_gives_up_when_the_time_is_up) {
  EXPECT_FALSE(search.finished(start + milliseconds(2999)));
  EXPECT_TRUE(search.finished(start + milliseconds(3000)));
  EXPECT_TRUE(search.nobody());
}

TEST_F(Search, an_address_is_dialled_once_and_another_way_when_it_fails) {
  search.sighted({at(1), at(2)}, id(1));
  search.sighted({at(1), at(2)}, id(1));
  EXPECT_THAT(search.due(now), ElementsAre(at(1)));
  search.failed(at(1), "no route");
  EXPECT_THAT(search.due(now), ElementsAre(at(2)));
}

TEST_F(Search, those_that_an_answer_names_are_dialled_too) {
  Profile profile = with(4);
  profile.others = {"10.0.0.9:7706", "10.0.0.1:7706", "nonsense"};
  answer(1, profile);
  EXPECT_THAT(search.due(now), ElementsAre(at(9)));
}

// A daemon that was killed is remembered by the others: nobody waits long for it.
TEST_F(Search, one_that_only_another_has_told_of_is_waited_for_for_a_moment) {
  Profile profile = with(4);
  profile.others = {"10.0.0.9:7706"};
  now = start + milliseconds(100);
  answer(1, profile);
  EXPECT_EQ(search.next_due(), start);  // it is to be dialled
  search.due(now);
  EXPECT_FALSE(search.finished(start + milliseconds(1099)));
  EXPECT_EQ(search.next_due(), start + milliseconds(1100));
  EXPECT_TRUE(search.finished(start + milliseconds(1100)));
}

// Addresses that were named, and no multicast.
TEST_F(Search, where_nobody_else_can_come_it_ends_with_the_last_answer) {
  DaemonSearch named(2, "x86_64", {.listens = false}, start);
  named.sighted({at(1)}, std::nullopt);
  named.sighted({at(2)}, std::nullopt);
  EXPECT_FALSE(named.finished(now));
  named.due(now);
  named.answered(id(1), "host1", at(1), with(4), now);
  EXPECT_FALSE(named.finished(now));
  named.failed(at(2), "nobody listens");
  EXPECT_TRUE(named.finished(now));
}

TEST_F(Search, who_has_nothing_to_give_is_shown_and_not_taken) {
  answer(1, with(0));
  EXPECT_EQ(search.usable(), 0u);
  EXPECT_THAT(search.chosen(), IsEmpty());
  EXPECT_THAT(search.table(), HasSubstr("it is about to end"));
}

TEST_F(Search, another_machine_or_another_version_is_not_taken) {
  Profile other = with(4);
  other.machine = "aarch64";
  answer(1, other);
  other = with(4);
  other.protocol = kProtocol + 1;
  answer(2, other);
  EXPECT_EQ(search.usable(), 0u);
  EXPECT_THAT(search.table(), HasSubstr("it is for aarch64 programs"));
  EXPECT_THAT(search.table(), HasSubstr("which speaks otherwise"));
}

TEST_F(SearchForTwo, those_with_most_to_give_are_taken_first) {
  answer(1, with(2));
  answer(2, with(8));
  answer(3, with(4));
  const auto chosen = search.chosen();
  ASSERT_THAT(chosen, SizeIs(2));
  EXPECT_EQ(chosen[0].name, "host2");
  EXPECT_EQ(chosen[1].name, "host3");
}

TEST_F(Search, one_that_answers_at_two_addresses_is_one) {
  answer(1, with(4));
  search.sighted({at(2)}, std::nullopt);
  search.due(now);
  search.answered(id(1), "host1", at(2), with(4), now);
  EXPECT_EQ(search.usable(), 1u);
}

}  // namespace
}  // namespace pp::tools::daemon
