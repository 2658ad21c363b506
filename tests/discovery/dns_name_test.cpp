// DnsName in virtual time with lookups of our own: when it asks, what it tells, and that it never
// waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <pp/dns_name.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sources.hpp"

namespace pp::discovery {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

constexpr int kLimit = 60'000;  // ms; only a hang reaches it
const Address kName{"nodes.example.org", 7400};

bool readable(int fd, int milliseconds) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) == 1;
}

// A lookup that answers what the test lays ready, and waits while nothing is.
class Zone {
 public:
  void answers(std::vector<Address> addresses, std::string why = {}) {
    const std::lock_guard lock(mutex_);
    ready_.push_back({std::move(addresses), std::move(why)});
    changed_.notify_all();
  }
  std::vector<Address> ask(const Address& name, std::string& why) {
    std::unique_lock lock(mutex_);
    asked_.push_back(name);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !ready_.empty(); });
    const auto [addresses, reason] = std::move(ready_.front());
    ready_.pop_front();
    why = reason;
    return addresses;
  }
  void wait_until_asked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !asked_.empty(); });
  }
  std::vector<Address> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::vector<Address>, std::string>> ready_;
  std::vector<Address> asked_;
};

class DnsNameTest : public testing::Test {
 protected:
  DnsNameTest() {
    // The lookup shares the zone: it may outlive the test.
    source_.emplace(kName, 1, [zone = zone_](const Address& name, std::string& why) {
      return zone->ask(name, why);
    });
  }

  // Begins the next lookup, has it answered so, and takes the answer in; returns when it asks next.
  nanoseconds lookup(std::vector<Address> addresses, std::string why = {}) {
    now_ = std::max(now_, source_->next_due(now_));
    source_->poll(now_, heard_);
    EXPECT_EQ(source_->next_due(now_), Time::max());
    zone_->answers(std::move(addresses), std::move(why));
    EXPECT_TRUE(readable(source_->descriptors().at(0), kLimit));
    source_->poll(now_, heard_);
    return source_->next_due(now_) - now_;
  }

  const std::shared_ptr<Zone> zone_ = std::make_shared<Zone>();
  std::optional<DnsName> source_;
  Heard heard_;
  Time now_ = at(seconds(5));
};

TEST_F(DnsNameTest, asks_at_once_and_tells_every_address_behind_the_name) {
  EXPECT_EQ(source_->next_due(now_), now_);
  lookup({{"10.0.0.1", 7400}, {"10.0.0.2", 7400}, {"fd00::3", 7400}});
  EXPECT_THAT(zone_->asked(), ElementsAre(kName));
  ASSERT_THAT(heard_.sightings, SizeIs(3));
  for (const Sighting& sighting : heard_.sightings) {
    EXPECT_FALSE(sighting.lasting);
    EXPECT_FALSE(sighting.node);
    EXPECT_THAT(sighting.addresses, SizeIs(1)) << "nobody says that they are one node";
  }
  EXPECT_THAT(heard_.take_addresses(),
              ElementsAre("10.0.0.1:7400", "10.0.0.2:7400", "[fd00::3]:7400"));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(DnsNameTest, asks_again_within_half_a_minute_and_tells_all_of_them_again) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_THAT(lookup({{"10.0.0.1", 7400}, {"10.0.0.2", 7400}}),
                AllOf(Ge(seconds(15)), Le(seconds(30))));
    EXPECT_THAT(heard_.take_addresses(), ElementsAre("10.0.0.1:7400", "10.0.0.2:7400"));
  }
  EXPECT_THAT(zone_->asked(), SizeIs(20));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(DnsNameTest, asks_nothing_before_its_time) {
  const nanoseconds pause = lookup({{"10.0.0.1", 7400}});
  source_->poll(now_ + pause - nanoseconds(1), heard_);
  EXPECT_EQ(source_->next_due(now_), now_ + pause);
  EXPECT_THAT(zone_->asked(), SizeIs(1));
  EXPECT_FALSE(readable(source_->descriptors().at(0), 0));
}

TEST_F(DnsNameTest, tells_an_address_that_was_answered_twice_once) {
  lookup({{"10.0.0.1", 7400}, {"10.0.0.1", 7400}});
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("10.0.0.1:7400"));
}

TEST_F(DnsNameTest, backs_off_while_it_fails) {
  const seconds whole[] = {seconds(1),  seconds(2),  seconds(4),  seconds(8),
                           seconds(16), seconds(30), seconds(30), seconds(30)};
  for (const seconds longest : whole)
    EXPECT_THAT(lookup({}, "no such name"), AllOf(Ge(longest / 2), Le(longest)));
  lookup({{"10.0.0.1", 7400}});
  EXPECT_THAT(lookup({}, "no such name"), Le(seconds(1))) << "a success ends the row";
}

TEST_F(DnsNameTest, notices_a_failure_once_and_its_end) {
  lookup({{"10.0.0.1", 7400}});
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  lookup({}, "no such name");
  EXPECT_THAT(heard_.take_sentences(),
              ElementsAre(AllOf(HasSubstr("nodes.example.org:7400"), HasSubstr("no such name"),
                                HasSubstr("expected a DNS name"))));
  lookup({}, "no such name");
  lookup({}, "another reason");
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  lookup({{"10.0.0.1", 7400}});
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("after 3 failures")));
  lookup({{"10.0.0.1", 7400}});
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  lookup({}, "no such name");
  EXPECT_THAT(heard_.take_sentences(), SizeIs(1)) << "it is another failure";
}

TEST_F(DnsNameTest, says_so_when_a_name_has_no_address_and_nobody_says_why) {
  lookup({});
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("it has no address")));
}

TEST_F(DnsNameTest, takes_no_more_addresses_than_its_limit_and_notices_that_once) {
  std::vector<Address> many;
  for (std::size_t i = 0; i <= DnsName::kMostAddresses; ++i)
    many.push_back({"10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256), 7400});
  lookup(many);
  EXPECT_THAT(heard_.take_addresses(), SizeIs(DnsName::kMostAddresses));
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("only the first 8192")));
  lookup(many);
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  many.pop_back();
  lookup(many);
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

TEST_F(DnsNameTest, never_waits_for_an_answer_and_asks_one_question_at_a_time) {
  source_->poll(now_, heard_);
  zone_->wait_until_asked();
  for (int minute = 1; minute < 10; ++minute) {
    source_->poll(now_ + std::chrono::minutes(minute), heard_);
    EXPECT_EQ(source_->next_due(now_ + std::chrono::minutes(minute)), Time::max());
  }
  EXPECT_THAT(zone_->asked(), SizeIs(1));
  EXPECT_FALSE(readable(source_->descriptors().at(0), 0));
  EXPECT_THAT(heard_.sightings, IsEmpty());
  zone_->answers({{"10.0.0.1", 7400}});
  EXPECT_TRUE(readable(source_->descriptors().at(0), kLimit));
  source_->poll(now_, heard_);
  for (int round = 0; round < 10; ++round) lookup({{"10.0.0.1", 7400}});
  EXPECT_THAT(zone_->asked(), SizeIs(11));
}

TEST_F(DnsNameTest, is_silent_again_when_the_answer_was_taken) {
  const int bell = source_->descriptors().at(0);
  for (int round = 0; round < 100; ++round) {
    lookup({{"10.0.0.1", 7400}});
    EXPECT_FALSE(readable(bell, 0));
  }
  EXPECT_THAT(source_->descriptors(), ElementsAre(bell));
}

// What it would catch: an end that waits for the lookup, and a lookup whose answer comes into the
// memory of a DnsName that is gone (under the sanitizers).
TEST_F(DnsNameTest, goes_without_waiting_and_what_is_answered_later_reaches_nobody) {
  source_->poll(now_, heard_);
  zone_->wait_until_asked();
  source_.reset();  // would hang here: nothing is answered yet
  zone_->answers({{"10.0.0.1", 7400}});
  EXPECT_THAT(heard_.sightings, IsEmpty());
}

// A node that has left lives on, perhaps for long. Who waits for a descriptor that nobody reads any
// more would wake for ever.
TEST_F(DnsNameTest, rings_for_nobody_when_this_node_has_left) {
  const int bell = source_->descriptors().at(0);
  source_->poll(now_, heard_);
  zone_->answers({{"10.0.0.1", 7400}});
  ASSERT_TRUE(readable(bell, kLimit));
  source_->leave();
  EXPECT_FALSE(readable(bell, 0));
}

TEST_F(DnsNameTest, rings_for_nobody_when_an_answer_comes_after_this_node_has_left) {
  const auto token = std::make_shared<int>();  // each copy of the lookup has a share of it
  source_.emplace(kName, 1, [zone = zone_, token](const Address& name, std::string& why) {
    return zone->ask(name, why);
  });
  const long shares = token.use_count();
  source_->poll(now_, heard_);
  zone_->wait_until_asked();
  source_->leave();
  zone_->answers({{"10.0.0.1", 7400}});
  while (token.use_count() > shares) std::this_thread::yield();  // its thread still has one
  EXPECT_FALSE(readable(source_->descriptors().at(0), 0));
}

TEST(DnsName, takes_an_exception_of_the_lookup_for_a_failure) {
  Heard heard;
  DnsName source(kName, 1, [](const Address&, std::string&) -> std::vector<Address> {
    throw std::runtime_error("the resolver is broken");
  });
  source.poll(at(seconds(0)), heard);
  ASSERT_TRUE(readable(source.descriptors().at(0), kLimit));
  source.poll(at(seconds(0)), heard);
  EXPECT_THAT(heard.take_sentences(), ElementsAre(HasSubstr("the resolver is broken")));
}

TEST(DnsName, asks_on_another_thread) {
  Heard heard;
  std::promise<std::thread::id> asker;
  DnsName source(kName, 1, [&asker](const Address&, std::string&) -> std::vector<Address> {
    asker.set_value(std::this_thread::get_id());
    return {{"10.0.0.1", 7400}};
  });
  source.poll(at(seconds(0)), heard);
  EXPECT_NE(asker.get_future().get(), std::this_thread::get_id());
  EXPECT_TRUE(readable(source.descriptors().at(0), kLimit));
}

TEST(DnsName, asks_the_system_unless_told_otherwise) {
  Heard heard;
  DnsName source({"127.0.0.1", 7400}, 1);
  source.poll(at(seconds(0)), heard);
  ASSERT_TRUE(readable(source.descriptors().at(0), kLimit));
  source.poll(at(seconds(0)), heard);
  EXPECT_THAT(heard.take_addresses(), ElementsAre("127.0.0.1:7400"));
  EXPECT_THAT(heard.sentences, IsEmpty());
}

TEST(DnsName, gets_numbers_from_the_system_with_the_port_of_the_name) {
  std::string why;
  EXPECT_THAT(DnsName::ask_system({"localhost", 7401}, why),
              Contains(AnyOf(Address{"127.0.0.1", 7401}, Address{"::1", 7401})))
      << why;
}

TEST(DnsName, says_what_the_system_said_of_a_name_that_cannot_be) {
  std::string why;
  // A label of more than 63 letters: no question leaves this host.
  EXPECT_THAT(DnsName::ask_system({std::string(64, 'x') + ".invalid", 7400}, why), IsEmpty());
  EXPECT_THAT(why, testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace pp::discovery
