// HostsFile in virtual time over real files: which lines are told, when, and what is said of
// others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <pp/hosts_file.hpp>
#include <string>
#include <utility>

#include "sources.hpp"

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class HostsFileTest : public testing::Test {
 protected:
  // The next look.
  void look() {
    now_ = std::max(now_, source_.next_due(now_));
    source_.poll(now_, heard_);
  }
  std::vector<std::string> told_of(const std::string& text) {
    write(file_, text);
    look();
    return heard_.take_addresses();
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "hosts";
  HostsFile source_{file_, 7400};
  Heard heard_;
  Time now_ = at(seconds(5));
};

TEST_F(HostsFileTest, tells_every_host_at_the_first_poll_and_for_ever) {
  write(file_, "node1\nnode2:7401\n");
  EXPECT_EQ(source_.next_due(now_), now_);
  source_.poll(now_, heard_);
  ASSERT_THAT(heard_.sightings, SizeIs(2));
  for (const Sighting& sighting : heard_.sightings) {
    EXPECT_TRUE(sighting.lasting);
    EXPECT_FALSE(sighting.leaving);
    EXPECT_FALSE(sighting.node);
    EXPECT_THAT(sighting.addresses, SizeIs(1));
  }
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node1:7400", "node2:7401"));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(HostsFileTest, reads_every_way_to_write_an_address) {
  EXPECT_THAT(told_of("node1\n"
                      "node2.example.org:7401\n"
                      "10.0.0.3\n"
                      "10.0.0.4:7402\n"
                      "fd00::5\n"
                      "[fd00::6]\n"
                      "[fd00::7]:7403\n"
                      "fe80::8%eth0\n"
                      "::1\n"),
              ElementsAre("node1:7400", "node2.example.org:7401", "10.0.0.3:7400", "10.0.0.4:7402",
                          "[fd00::5]:7400", "[fd00::6]:7400", "[fd00::7]:7403",
                          "[fe80::8%eth0]:7400", "[::1]:7400"));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(HostsFileTest, passes_over_comments_and_blank_lines_and_the_ends_of_dos) {
  EXPECT_THAT(
      told_of("# all of them\r\n\r\n  \t\r\n  node1  # in the basement\r\nnode2#\r\n\n#node3"
              "\nnode4\n"),
      ElementsAre("node1:7400", "node2:7400", "node4:7400"));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(HostsFileTest, understands_the_hosts_of_mpi_and_of_gnu_parallel) {
  EXPECT_THAT(told_of("node1 slots=4\n"
                      "node2\tslots=4 max_slots=8\n"
                      "8/node3\n"
                      "8/ann@node4\n"
                      "ann@node5\n"),
              ElementsAre("node1:7400", "node2:7400", "node3:7400", "node4:7400", "node5:7400"));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(HostsFileTest, tells_a_host_that_stands_there_twice_once) {
  EXPECT_THAT(told_of("node1\nnode1\nnode1:7400 slots=2\nnode1:7401\n"),
              ElementsAre("node1:7400", "node1:7401"));
}

TEST_F(HostsFileTest, looks_every_two_seconds_and_tells_what_is_new) {
  EXPECT_THAT(told_of("node1\n"), ElementsAre("node1:7400"));
  EXPECT_EQ(source_.next_due(now_), now_ + seconds(2));
  write(file_, "node1\nnode2\n");
  source_.poll(now_ + milliseconds(1999), heard_);
  EXPECT_THAT(heard_.take_addresses(), IsEmpty());
  source_.poll(now_ + seconds(2), heard_);
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node2:7400"));
  look();
  EXPECT_THAT(heard_.take_addresses(), IsEmpty());
}

TEST_F(HostsFileTest, notices_a_change_that_only_the_time_or_only_the_inode_betrays) {
  EXPECT_THAT(told_of("node1\n"), ElementsAre("node1:7400"));
  const std::int64_t before = time_of(file_);
  write(file_, "node2\n");
  set_time(file_, before + 1);
  look();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node2:7400"));
  write(folder_ / "other", "node3\n");
  set_time(folder_ / "other", before + 1);
  std::filesystem::rename(folder_ / "other", file_);
  look();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node3:7400"));
}

TEST_F(HostsFileTest, follows_a_link_to_the_file_that_it_names_now) {
  write(folder_ / "one", "node1\n");
  write(folder_ / "two", "node2\n");
  std::filesystem::create_symlink("one", file_);
  look();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node1:7400"));
  std::filesystem::remove(file_);
  std::filesystem::create_symlink("two", file_);
  look();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node2:7400"));
}

TEST_F(HostsFileTest, does_not_take_back_a_host_whose_line_vanished) {
  EXPECT_THAT(told_of("node1\nnode2\n"), SizeIs(2));
  write(file_, "node2\nnode33\n");
  look();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node33:7400"));
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(HostsFileTest, waits_for_the_end_of_a_line_that_is_still_being_written) {
  EXPECT_THAT(told_of("node1\nnode2"), ElementsAre("node1:7400"));
  EXPECT_THAT(told_of("node1\nnode22:7401\n"), ElementsAre("node22:7401"));
}

TEST_F(HostsFileTest, takes_a_last_line_without_an_end_when_it_stays_so) {
  EXPECT_THAT(told_of("node 0\nnode1\nnode2"), ElementsAre("node1:7400"));
  EXPECT_THAT(heard_.take_sentences(), SizeIs(1));
  look();
  EXPECT_THAT(heard_.take_addresses(), ElementsAre("node2:7400"));
  look();
  EXPECT_THAT(heard_.take_addresses(), IsEmpty());
  EXPECT_THAT(told_of("node1\nnode33\nnode2"), ElementsAre("node33:7400"));
  look();
  EXPECT_THAT(heard_.take_addresses(), IsEmpty()) << "node2 was told before the change";
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

TEST_F(HostsFileTest, names_the_line_of_a_last_one_that_is_wrong) {
  EXPECT_THAT(told_of("node1\n\nnode 2"), ElementsAre("node1:7400"));
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  look();
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("hosts:3: 'node 2'")));
}

TEST_F(HostsFileTest, notices_a_missing_file_once_and_reads_it_when_it_appears) {
  look();
  EXPECT_THAT(heard_.take_sentences(),
              ElementsAre(AllOf(HasSubstr(file_.string()), HasSubstr("No such file"),
                                HasSubstr("one host per line"), HasSubstr("every 2 s"))));
  look();
  look();
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  EXPECT_THAT(told_of("node1\n"), ElementsAre("node1:7400"));
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

TEST_F(HostsFileTest, notices_that_the_file_went_and_does_not_tell_its_hosts_again) {
  EXPECT_THAT(told_of("node1\n"), SizeIs(1));
  std::filesystem::rename(file_, folder_ / "aside");
  look();
  look();
  EXPECT_THAT(heard_.take_sentences(), SizeIs(1));
  std::filesystem::rename(folder_ / "aside", file_);
  look();
  EXPECT_THAT(heard_.take_addresses(), IsEmpty());
  std::filesystem::remove(file_);
  look();
  EXPECT_THAT(heard_.take_sentences(), SizeIs(1)) << "it was there in between";
  EXPECT_THAT(told_of("node1\nnode2\n"), ElementsAre("node2:7400"));
}

TEST_F(HostsFileTest, notices_a_folder_or_a_pipe_in_its_place) {
  std::filesystem::create_directory(file_);
  look();
  look();
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("not a regular file")));
  std::filesystem::remove(file_);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  look();  // and does not wait for a writer
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  std::filesystem::remove(file_);
  EXPECT_THAT(told_of("node1\n"), ElementsAre("node1:7400"));
}

TEST_F(HostsFileTest, names_the_first_wrong_line_and_takes_the_good_ones) {
  EXPECT_THAT(told_of("node1\n# fine\nnode2 node3\nnode4\nnode5:x\nnode6:0\n"),
              ElementsAre("node1:7400", "node4:7400"));
  EXPECT_THAT(
      heard_.take_sentences(),
      ElementsAre(AllOf(HasSubstr(file_.string() + ":3: 'node2 node3'"),
                        HasSubstr("expected host, host:port"), HasSubstr("(2 more lines"))));
  look();
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  EXPECT_THAT(told_of("node1\nnode2\nnode:5:x\n"), ElementsAre("node2:7400"));
  EXPECT_THAT(heard_.take_sentences(),
              ElementsAre(AllOf(HasSubstr("hosts:3: 'node:5:x'"), Not(HasSubstr("more line")))));
  EXPECT_THAT(told_of("node1\nnode2\n"), IsEmpty());
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

TEST_F(HostsFileTest, refuses_what_names_no_host) {
  const std::string wrong[] = {
      ":",
      ":7400",
      "8/",
      "@node1",
      "node1:",
      "node1:65536",
      "node1:-1",
      "node1:7400:1",
      "[node1]",
      "[node1]:1",
      "[::1",
      "[::1]7400",
      "[1:2:3]",
      "a,b",
      "node1/8",
      "=",
      "slots=4",
      "node1 slots",
      "node1 # ok\t",
      "1.2.3.4:7400 5.6.7.8",
      "http://node1",
      std::string("no\0de", 6),
      std::string(300, 'a'),
      "n\xc3\xb6"
      "de",
  };
  for (const std::string& line : wrong) {
    const bool is_good = line.starts_with("node1 #");  // one that shows the test can tell
    write(file_, line + "\n");
    HostsFile source(file_, 7400);
    Heard heard;
    source.poll(now_, heard);
    EXPECT_THAT(heard.take_addresses(), SizeIs(is_good ? 1 : 0)) << line;
    EXPECT_THAT(heard.take_sentences(), SizeIs(is_good ? 0 : 1)) << line;
  }
}

TEST_F(HostsFileTest, quotes_a_wrong_line_so_that_a_terminal_survives_it) {
  EXPECT_THAT(told_of("\x1b[2J" + std::string(1000, '\a') + "\n"), IsEmpty());
  ASSERT_THAT(heard_.sentences, SizeIs(1));
  EXPECT_THAT(heard_.sentences[0], AllOf(HasSubstr("'?[2J??"), HasSubstr("?...'")));
  EXPECT_LT(heard_.sentences[0].size(), 400u);
}

TEST_F(HostsFileTest, is_content_with_an_empty_file) {
  EXPECT_THAT(told_of(""), IsEmpty());
  look();
  EXPECT_THAT(heard_.sentences, IsEmpty());
}

TEST_F(HostsFileTest, reads_no_more_lines_than_its_limit) {
  std::string text(HostsFile::kMostLines - 1, '\n');
  EXPECT_THAT(told_of(text + "last\n"), ElementsAre("last:7400"));
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  EXPECT_THAT(told_of("first\n" + text + "beyond\nand"), ElementsAre("first:7400"));
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("only the first 65536 lines")));
  look();
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

TEST_F(HostsFileTest, reads_no_more_bytes_than_its_limit) {
  const std::string comment = '#' + std::string(HostsFile::kMostBytes - 8, 'x') + '\n';
  EXPECT_THAT(told_of(comment + "last1\n"), ElementsAre("last1:7400"));  // exactly as many
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
  EXPECT_THAT(told_of("node1\n" + comment + "last22\n"), ElementsAre("node1:7400"));
  EXPECT_THAT(heard_.take_sentences(), ElementsAre(HasSubstr("only the first 4 MiB")));
  look();
  EXPECT_THAT(heard_.take_addresses(), IsEmpty());
  EXPECT_THAT(heard_.take_sentences(), IsEmpty());
}

}  // namespace
}  // namespace pp::discovery
