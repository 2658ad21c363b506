// SharedFolder in virtual time over a real folder: how nodes meet there, and what strangers may lay
// into it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <pp/shared_folder.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node_file.hpp"
#include "sources.hpp"

namespace pp::discovery {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

NodeId id_of(std::uint16_t number) {
  NodeId id;
  id.bytes.fill(0xa5);
  id.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  id.bytes[15] = static_cast<std::uint8_t>(number);
  return id;
}

Discovery::Self self_of(std::uint16_t number, std::vector<Address> addresses) {
  Discovery::Self self;
  self.node = id_of(number);
  self.name = "node" + std::to_string(number);
  self.addresses = std::move(addresses);
  return self;
}

const std::string kGood = "pp-node-1\nname other\naddress 10.0.0.9:7400\n";

class SharedFolderTest : public testing::Test {
 protected:
  std::filesystem::path file_of(std::uint16_t number) const {
    return folder_ / node_file_name(id_of(number));
  }
  // Another node's file.
  void lay(std::uint16_t number, const std::string& text = kGood) { write(file_of(number), text); }
  // Makes a file that old by the folder's clock, as ours has it.
  void make_old(const std::filesystem::path& file, nanoseconds age) {
    set_time(file, time_of(file_of(1)) - age.count());
  }
  void announce() { source_.introduce(self_of(1, {{"10.0.0.1", 7400}})); }
  // The next time that something is due, or that much later.
  void poll() { poll_at(source_.next_due(now_)); }
  void poll_after(nanoseconds pause) { poll_at(now_ + pause); }
  void poll_at(Time then) {
    now_ = std::max(now_, then);
    source_.poll(now_, heard_);
  }

  TemporaryFolder folder_;
  SharedFolder source_{folder_.path(), 1};
  Heard heard_;
  Time now_ = at(seconds(5));
};

// --- our own file ---

TEST_F(SharedFolderTest, says_who_and_where_this_node_is) {
  Discovery::Self self = self_of(1, {{"10.0.0.1", 7400}, {"fd00::1", 7400}});
  source_.introduce(self);
  EXPECT_EQ(source_.next_due(now_), now_);
  EXPECT_THAT(folder_.names(), IsEmpty()) << "only poll() writes";
  poll();
  EXPECT_THAT(folder_.names(), ElementsAre(self.node.to_string() + ".ppnode"));
  EXPECT_EQ(contents(file_of(1)),
            "pp-node-1\nname node1\naddress 10.0.0.1:7400\naddress [fd00::1]:7400\n");
  EXPECT_THAT(heard_.sightings, IsEmpty()) << "of itself it knows";
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(SharedFolderTest, writes_nothing_for_a_node_that_cannot_be_dialled) {
  poll();
  source_.introduce(self_of(1, {}));
  poll();
  source_.introduce(self_of(1, {{"10.0.0.1", 0}}));
  poll_after(minutes(1));
  EXPECT_THAT(folder_.names(), IsEmpty());
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(SharedFolderTest, writes_anew_when_it_is_introduced_anew) {
  announce();
  poll();
  source_.introduce(self_of(1, {{"10.0.0.2", 7402}}));
  EXPECT_EQ(source_.next_due(now_), now_);
  poll();
  EXPECT_THAT(contents(file_of(1)), HasSubstr("address 10.0.0.2:7402\n"));
  source_.introduce(self_of(1, {}));
  poll();
  EXPECT_THAT(folder_.names(), IsEmpty());
  announce();
  poll();
  EXPECT_THAT(folder_.names(), SizeIs(1));
}

TEST_F(SharedFolderTest, refreshes_its_file_every_half_minute) {
  announce();
  poll();
  make_old(file_of(1), hours(1));
  const std::int64_t old = time_of(file_of(1));
  poll_after(milliseconds(29'999));
  EXPECT_EQ(time_of(file_of(1)), old);
  poll_after(milliseconds(1));
  EXPECT_GT(time_of(file_of(1)), old + nanoseconds(minutes(50)).count());
  make_old(file_of(1), hours(1));
  poll_after(seconds(30));
  EXPECT_GT(time_of(file_of(1)), old + nanoseconds(minutes(50)).count());
}

TEST_F(SharedFolderTest, writes_its_file_again_when_somebody_removed_or_changed_it) {
  announce();
  poll();
  const std::string text = contents(file_of(1));
  std::filesystem::remove(file_of(1));
  poll_after(seconds(30));
  EXPECT_EQ(contents(file_of(1)), text);
  write(file_of(1), "garbage");
  poll_after(seconds(30));
  EXPECT_EQ(contents(file_of(1)), text);
  write(folder_ / "forged", std::string(text.size(), 'x'));
  std::filesystem::rename(folder_ / "forged", file_of(1));
  poll_after(seconds(30));
  EXPECT_EQ(contents(file_of(1)), text);
  std::filesystem::remove(file_of(1));
  std::filesystem::create_symlink("elsewhere", file_of(1));
  poll_after(seconds(30));
  EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(file_of(1))));
  EXPECT_EQ(contents(file_of(1)), text);
  EXPECT_THAT(folder_.names(), SizeIs(1));
}

TEST_F(SharedFolderTest, does_not_write_through_what_lies_in_its_way) {
  write(folder_ / "precious", "keep me");
  std::filesystem::create_symlink("precious", file_of(1).string() + "-new");
  announce();
  poll();
  EXPECT_EQ(contents(folder_ / "precious"), "keep me");
  EXPECT_THAT(folder_.names(), ElementsAre(file_of(1).filename().string(), "precious"));
}

TEST_F(SharedFolderTest, takes_its_file_away_when_it_leaves) {
  announce();
  poll();
  source_.leave();
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(SharedFolderTest, takes_its_file_away_when_it_ends_without_a_word) {
  {
    SharedFolder other(folder_.path(), 2);
    other.introduce(self_of(2, {{"10.0.0.2", 7400}}));
    other.poll(now_, heard_);
    EXPECT_THAT(folder_.names(), SizeIs(1));
  }
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(SharedFolderTest, writes_at_most_eight_addresses_and_a_name_of_one_line) {
  Discovery::Self self = self_of(1, {});
  self.name = "two\nlines";
  for (int i = 0; i < 10; ++i) self.addresses.push_back({"10.0.0." + std::to_string(i), 7400});
  source_.introduce(self);
  poll();
  std::string why;
  const std::vector<Address> read = read_node_file(contents(file_of(1)), why);
  ASSERT_THAT(read, SizeIs(8)) << why;
  EXPECT_EQ(read.back().host, "10.0.0.7");
  EXPECT_THAT(contents(file_of(1)), HasSubstr("name two?lines\n"));
}

// --- the others ---

TEST_F(SharedFolderTest, two_nodes_meet) {
  SharedFolder other(folder_.path(), 2);
  other.introduce(self_of(2, {{"10.0.0.2", 7400}, {"fd00::2", 7400}}));
  announce();
  other.poll(now_, heard_);
  EXPECT_THAT(heard_.sightings, IsEmpty());
  poll();
  ASSERT_THAT(heard_.sightings, SizeIs(1));
  EXPECT_EQ(heard_.sightings[0].node, id_of(2));
  EXPECT_FALSE(heard_.sightings[0].lasting);
  EXPECT_FALSE(heard_.sightings[0].leaving);
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("10.0.0.2:7400", "[fd00::2]:7400"));
  other.poll(other.next_due(now_), heard_);
  ASSERT_THAT(heard_.sightings, SizeIs(1));
  EXPECT_EQ(heard_.sightings[0].node, id_of(1));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(SharedFolderTest, lists_every_two_seconds_and_later_every_five) {
  const Time start = now_;
  poll();
  while (now_ < start + minutes(2)) {
    const nanoseconds pause = source_.next_due(now_) - now_;
    const seconds whole = now_ < start + seconds(30) ? seconds(2) : seconds(5);
    EXPECT_THAT(pause, AllOf(Ge(whole * 3 / 4), Le(whole)));
    source_.poll(now_ + pause - nanoseconds(1), heard_);
    EXPECT_EQ(source_.next_due(now_), now_ + pause) << "it was not due";
    poll();
  }
}

TEST_F(SharedFolderTest, tells_a_new_file_at_the_next_listing_and_once) {
  poll();
  lay(2);
  poll();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("10.0.0.9:7400"));
  for (const Time end = now_ + minutes(5); now_ < end;) poll();
  EXPECT_THAT(heard_.take_addresses(), IsEmpty()) << "nobody refreshes it";
}

TEST_F(SharedFolderTest, tells_at_once_what_a_node_says_anew) {
  lay(2);
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  lay(2, "pp-node-1\naddress 10.0.0.33:7400\n");
  poll();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("10.0.0.33:7400"));
}

TEST_F(SharedFolderTest, hints_again_every_half_minute_while_a_node_refreshes_its_file) {
  lay(2);
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  int hints = 0;
  for (const Time start = now_; now_ < start + minutes(5);) {
    set_time(file_of(2), time_of(file_of(2)) + 1'000'000);  // more often than anybody should
    poll();
    hints += static_cast<int>(heard_.take_addresses().size());
  }
  EXPECT_THAT(hints, AllOf(Ge(8), Le(10)));
}

TEST_F(SharedFolderTest, remembers_that_a_file_was_refreshed_until_it_may_hint_again) {
  lay(2);
  poll();
  heard_.take_addresses();
  set_time(file_of(2), time_of(file_of(2)) + 1'000'000);
  poll();
  EXPECT_THAT(heard_.take_addresses(), IsEmpty());
  poll_after(seconds(30));
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  poll_after(seconds(30));
  EXPECT_THAT(heard_.take_addresses(), IsEmpty());
}

TEST_F(SharedFolderTest, tells_a_file_that_went_and_came_again) {
  lay(2);
  poll();
  std::filesystem::remove(file_of(2));
  poll();
  lay(2);
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(2));
}

// --- old files ---

TEST_F(SharedFolderTest, does_not_tell_what_was_not_refreshed_for_two_minutes) {
  announce();
  poll();
  lay(2);
  lay(3, "pp-node-1\naddress 10.0.0.3:7400\n");
  make_old(file_of(2), seconds(121));
  make_old(file_of(3), seconds(110));
  poll();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("10.0.0.3:7400"));
  make_old(file_of(2), seconds(1));  // it was only asleep
  poll();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("10.0.0.9:7400"));
}

TEST_F(SharedFolderTest, removes_what_was_not_refreshed_for_an_hour) {
  announce();
  poll();
  lay(2);
  lay(3);
  write(file_of(4).string() + "-new", "half a fi");
  write(file_of(5).string() + "-new", "half a fi");
  make_old(file_of(2), minutes(61));
  make_old(file_of(3), minutes(59));
  make_old(file_of(4).string() + "-new", minutes(61));
  make_old(file_of(5).string() + "-new", minutes(59));
  poll();
  EXPECT_THAT(folder_.names(),
              UnorderedElementsAre(file_of(1).filename().string(), file_of(3).filename().string(),
                                   file_of(5).filename().string() + "-new"));
  EXPECT_THAT(heard_.sightings, IsEmpty());
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(SharedFolderTest, counts_on_from_the_folders_clock_between_two_refreshes) {
  announce();
  poll();
  lay(2);
  make_old(file_of(2), seconds(119));
  now_ = std::max(now_ + seconds(2), source_.next_due(now_));  // and 121 s is too old
  poll_at(now_);
  EXPECT_THAT(heard_.sightings, IsEmpty());
}

TEST_F(SharedFolderTest, takes_a_file_from_the_future_for_fresh) {
  announce();
  poll();
  lay(2);
  make_old(file_of(2), -hours(24 * 365));
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(file_of(2)));
}

TEST_F(SharedFolderTest, survives_times_that_no_clock_shows) {
  announce();
  poll();
  lay(2);
  lay(3);
  const timespec never[] = {{-(std::int64_t{1} << 62), 0}, {-(std::int64_t{1} << 62), 0}};
  const timespec ever[] = {{std::int64_t{1} << 62, 0}, {std::int64_t{1} << 62, 0}};
  ::utimensat(AT_FDCWD, file_of(2).c_str(), never, 0);  // a disk that knows no such time takes
  ::utimensat(AT_FDCWD, file_of(3).c_str(), ever, 0);   // the nearest that it knows
  poll();
  EXPECT_FALSE(std::filesystem::exists(file_of(2)));
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
}

TEST_F(SharedFolderTest, takes_every_file_for_fresh_and_removes_none_without_a_file_of_its_own) {
  source_.introduce(self_of(1, {}));
  lay(2);
  set_time(file_of(2), 1);
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(file_of(2)));
}

TEST_F(SharedFolderTest, trusts_no_clock_that_it_gave_up) {
  announce();
  poll();
  source_.introduce(self_of(1, {}));
  lay(2);
  set_time(file_of(2), 1);
  poll();
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
}

// --- what strangers lay into it ---

TEST_F(SharedFolderTest, passes_over_what_is_not_called_like_a_node_file) {
  const std::string hex = id_of(2).to_string();
  for (const std::string& name :
       {std::string("README"), hex, hex + ".txt", hex + ".ppnode.bak", hex.substr(1) + ".ppnode",
        'a' + hex + ".ppnode", std::string(32, 'A') + ".ppnode", std::string(32, 'g') + ".ppnode",
        std::string(".ppnode"), std::string("-new"), "." + hex + ".ppnode"})
    write(folder_ / name, kGood);
  std::filesystem::create_directory(folder_ / "folder");
  poll();
  EXPECT_THAT(heard_.sightings, IsEmpty());
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(SharedFolderTest, notices_a_file_that_no_node_wrote_once_and_takes_the_others) {
  lay(2, "garbage\n");
  lay(3);
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  EXPECT_THAT(heard_.take_sentences(),
              ElementsAre(AllOf(
                  HasSubstr(folder_.path().string()), HasSubstr(file_of(2).filename().string()),
                  HasSubstr("its first line is not pp-node-1"), HasSubstr("remove it"))));
  set_time(file_of(2), 1);
  poll();
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  lay(2, kGood);
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1)) << "it may be mended";
}

TEST_F(SharedFolderTest, does_not_let_many_bad_files_fill_the_log) {
  for (std::uint16_t i = 100; i < 200; ++i) lay(i, "garbage\n");
  poll();
  ASSERT_THAT(heard_.sentences, SizeIs(16));
  EXPECT_THAT(heard_.sentences[14], Not(HasSubstr("more of them")));
  EXPECT_THAT(heard_.sentences[15], HasSubstr("more of them are not mentioned"));
}

TEST_F(SharedFolderTest, opens_regular_files_only) {
  write(folder_ / "target", kGood);
  std::filesystem::create_symlink("target", file_of(2));
  ASSERT_EQ(::mkfifo(file_of(3).c_str(), 0600), 0);
  std::filesystem::create_directory(file_of(4));
  poll();  // and does not wait for a writer
  poll();
  EXPECT_THAT(heard_.sightings, IsEmpty());
  ASSERT_THAT(heard_.sentences, SizeIs(3));
  for (const std::string& sentence : heard_.sentences)
    EXPECT_THAT(sentence, HasSubstr("it is not a regular file"));
}

TEST_F(SharedFolderTest, meets_everybody_where_there_are_more_files_than_one_listing_looks_at) {
  constexpr std::uint16_t kFiles = 2 * SharedFolder::kMostLooks + 10;
  std::set<std::string> told;
  for (std::uint16_t i = 0; i < kFiles; ++i)
    lay(static_cast<std::uint16_t>(1000 + i),
        "pp-node-1\naddress node" + std::to_string(i) + ":7400\n");
  for (int listing = 0; listing < 3; ++listing) {
    poll();
    const std::vector<std::string> addresses = heard_.take_addresses();
    EXPECT_LE(addresses.size(), SharedFolder::kMostLooks);
    told.insert(addresses.begin(), addresses.end());
  }
  EXPECT_THAT(told, SizeIs(kFiles));
}

TEST_F(SharedFolderTest, looks_at_no_more_files_than_its_limit_and_notices_that_once) {
  for (std::size_t i = 0; i <= SharedFolder::kMostFiles; ++i)
    write(folder_ / std::to_string(i), "");
  poll();
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(AllOf(HasSubstr("more than 16384 files"),
                                                         HasSubstr("a folder of their own"))));
  poll();
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

// --- a folder that is not there ---

TEST_F(SharedFolderTest, notices_a_missing_folder_once_and_meets_there_when_it_appears) {
  SharedFolder source(folder_ / "later", 1);
  source.introduce(self_of(1, {{"10.0.0.1", 7400}}));
  for (int i = 0; i < 3; ++i) {
    now_ = source.next_due(now_);
    source.poll(now_, heard_);
    EXPECT_GT(source.next_due(now_), now_);
  }
  EXPECT_THAT(heard_.take_sentences(),
              ElementsAre(AllOf(HasSubstr((folder_ / "later").string()), HasSubstr("No such file"),
                                HasSubstr("every node may read and write"))));
  std::filesystem::create_directory(folder_ / "later");
  write(folder_ / "later" / node_file_name(id_of(2)), kGood);
  source.poll(source.next_due(now_), heard_);
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "later" / node_file_name(id_of(1))));
  std::filesystem::remove_all(folder_ / "later");
  source.poll(source.next_due(now_ + seconds(2)), heard_);
  EXPECT_THAT(heard_.take_sentences(), SizeIs(1)) << "it was there in between";
  source.leave();
}

TEST_F(SharedFolderTest, notices_a_file_in_the_place_of_the_folder) {
  write(folder_ / "file", "");
  SharedFolder source(folder_ / "file", 1);
  source.poll(now_, heard_);
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("Not a directory")));
}

TEST_F(SharedFolderTest, notices_once_that_it_cannot_write_and_still_sights_the_others) {
  std::filesystem::create_directory(file_of(1));  // in the way, even of root
  announce();
  lay(2);
  poll();
  EXPECT_THAT(heard_.take_addresses(), SizeIs(1));
  EXPECT_THAT(heard_.take_sentences(),
              ElementsAre(AllOf(HasSubstr("cannot be written to"), HasSubstr("do not find this "
                                                                             "node"))));
  poll();
  poll();
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  EXPECT_THAT(folder_.names(), SizeIs(2)) << "nothing half written is left";
  std::filesystem::remove(file_of(1));
  poll_after(seconds(5));
  EXPECT_THAT(contents(file_of(1)), HasSubstr("10.0.0.1:7400"));
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

// --- the form of the file ---

std::string refusal_of(const std::string& text) {
  std::string why;
  EXPECT_THAT(read_node_file(text, why), IsEmpty()) << text;
  EXPECT_THAT(why, Not(IsEmpty()));
  return why;
}

TEST(NodeFile, refuses_what_no_node_writes) {
  const std::string head = "pp-node-1\n";
  EXPECT_THAT(refusal_of(""), HasSubstr("first line"));
  EXPECT_THAT(refusal_of("pp-node-2\naddress a:1\n"), HasSubstr("first line"));
  EXPECT_THAT(refusal_of("pp-node-1"), HasSubstr("first line"));
  EXPECT_THAT(refusal_of(head), HasSubstr("no address"));
  EXPECT_THAT(refusal_of(head + "name a\n"), HasSubstr("no address"));
  EXPECT_THAT(refusal_of(head + "address a:1"), HasSubstr("last line has no end"));
  EXPECT_THAT(refusal_of(head + "address a\n"), HasSubstr("malformed"));
  EXPECT_THAT(refusal_of(head + "address a:1 \n"), HasSubstr("malformed"));
  EXPECT_THAT(refusal_of(head + "address a:0\n"), HasSubstr("port 0"));
  EXPECT_THAT(refusal_of(head + "address a:1\r\n"), HasSubstr("malformed"));
  EXPECT_THAT(refusal_of(head + "address a:1\n\n"), HasSubstr("neither"));
  EXPECT_THAT(refusal_of(head + "adress a:1\n"), HasSubstr("neither"));
  EXPECT_THAT(refusal_of(head + "name \naddress a:1\n"), HasSubstr("printable"));
  EXPECT_THAT(refusal_of(head + "name a\tb\naddress a:1\n"), HasSubstr("printable"));
  EXPECT_THAT(refusal_of(head + "name " + std::string(256, 'a') + "\naddress a:1\n"),
              HasSubstr("printable"));
  EXPECT_THAT(refusal_of(head + "name a\nname b\naddress a:1\n"), HasSubstr("two names"));
  std::string nine = head;
  for (int i = 1; i <= 9; ++i) nine += "address a:" + std::to_string(i) + "\n";
  EXPECT_THAT(refusal_of(nine), HasSubstr("more than 8"));
  EXPECT_THAT(refusal_of(head + "address a:1\n" + std::string(5000, 'x') + "\n"),
              HasSubstr("4 KiB"));
}

TEST(NodeFile, reads_what_a_node_writes_at_its_longest) {
  Discovery::Self self = self_of(1, {});
  self.name = std::string(1000, 'n');
  for (std::uint16_t i = 1; i <= 8; ++i) self.addresses.push_back({std::string(253, 'h'), i});
  std::string why;
  EXPECT_EQ(read_node_file(node_file_text(self).value(), why), self.addresses) << why;
}

TEST(NodeFile, is_named_after_its_node) {
  EXPECT_EQ(node_of_file(node_file_name(id_of(513))), id_of(513));
  EXPECT_EQ(node_of_file(std::string(39, 'a')), std::nullopt);
}

}  // namespace
}  // namespace pp::discovery
