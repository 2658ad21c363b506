// Daemon messages: out as they went in, and nothing else is taken.
#include "daemon_messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <pp/error.hpp>
#include <random>

namespace pp::tools::daemon {
namespace {

// As it would be handed over: aligned.
Message through(const Message& message) {
  const std::vector<std::byte> bytes = encode(message);
  EXPECT_EQ(bytes.size() % 8, 0u);
  std::vector<std::uint64_t> words(bytes.size() / 8);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return decode(std::as_bytes(std::span(words)));
}

Open an_open() {
  Open open;
  open.launch = "0123";
  open.program = "./app";
  open.hash.bytes.fill(9);
  open.size = 1234;
  open.machine = "x86_64";
  open.arguments = {"--size", "", "3 4"};
  open.environment = {"PP_FABRIC=off"};
  open.driver = "10.0.0.1:7";
  open.key.resize(40, std::byte{7});
  open.workers = 3;
  return open;
}

TEST(DaemonMessages, a_lease_is_opened_as_it_was_asked_for) {
  const Open open = std::get<Open>(through(an_open()));
  const Open want = an_open();
  EXPECT_EQ(open.protocol, kProtocol);
  EXPECT_EQ(open.launch, want.launch);
  EXPECT_EQ(open.program, want.program);
  EXPECT_EQ(open.hash, want.hash);
  EXPECT_EQ(open.size, want.size);
  EXPECT_EQ(open.machine, want.machine);
  EXPECT_EQ(open.arguments, want.arguments);
  EXPECT_EQ(open.environment, want.environment);
  EXPECT_EQ(open.driver, want.driver);
  EXPECT_EQ(open.key, want.key);
  EXPECT_EQ(open.workers, want.workers);
}

TEST(DaemonMessages, all_others_come_out_as_they_went_in) {
  EXPECT_TRUE(std::holds_alternative<Look>(through(Look{})));
  EXPECT_TRUE(std::holds_alternative<Wanted>(through(Wanted{})));
  EXPECT_TRUE(std::holds_alternative<Over>(through(Over{})));
  Profile profile;
  profile.workers = 5;
  profile.share = 2;
  profile.memory = std::uint64_t{1} << 40;
  profile.others = {"a:1", "[::1]:2"};
  const Profile read = std::get<Profile>(through(profile));
  EXPECT_EQ(read.workers, 5u);
  EXPECT_EQ(read.memory, profile.memory);
  EXPECT_EQ(read.others, profile.others);
  EXPECT_EQ(std::get<Piece>(through(Piece{std::vector<std::byte>(1000)})).bytes.size(), 1000u);
  EXPECT_EQ(std::get<Started>(through(Started{1, 2, 3})).workers, 3u);
  const Output output = std::get<Output>(through(Output{1, true, std::string("a\0b\n", 4)}));
  EXPECT_TRUE(output.error);
  EXPECT_EQ(output.bytes, std::string("a\0b\n", 4));
  EXPECT_EQ(std::get<ReportLine>(through(ReportLine{"ready"})).line, "ready");
  EXPECT_EQ(std::get<Heard>(through(Heard{7})).bytes, 7u);
  EXPECT_EQ(std::get<SignalFor>(through(SignalFor{15})).number, 15);
  const Ended ended = std::get<Ended>(through(Ended{1, {0, 9, true}, 12, 34, true}));
  EXPECT_EQ(ended.status, (ExitStatus{0, 9, true}));
  EXPECT_EQ(ended.peak_bytes, 34u);
  EXPECT_TRUE(ended.replaced);
  EXPECT_EQ(std::get<Refused>(through(Refused{"no"})).why, "no");
}

TEST(DaemonMessages, what_is_past_a_limit_is_refused) {
  EXPECT_THROW(through(Piece{std::vector<std::byte>(kMaxPiece + 1)}), Error);
  EXPECT_THROW(through(Output{0, false, std::string(kMaxOutput + 1, 'x')}), Error);
  EXPECT_THROW(through(ReportLine{std::string(kMaxLine + 1, 'x')}), Error);
  EXPECT_THROW(through(SignalFor{0}), Error);
  EXPECT_THROW(through(SignalFor{65}), Error);
  Open open = an_open();
  open.arguments.assign(kMostWords + 1, "x");
  EXPECT_THROW(through(open), Error);
  open = an_open();
  open.arguments.assign(2, std::string(kMaxWords / 2 + 1, 'x'));
  EXPECT_THROW(through(open), Error);
  open = an_open();
  open.key.resize(kMaxKey + 1);
  EXPECT_THROW(through(open), Error);
}

// Whoever holds the key may still be mistaken: whatever comes is a message or an Error.
TEST(DaemonMessages, damaged_ones_are_refused_or_read_and_nothing_else_happens) {
  const std::vector<std::byte> whole = encode(an_open());
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::uint64_t> words(whole.size() / 8);
    std::memcpy(words.data(), whole.data(), whole.size());
    for (unsigned flips = random() % 4; flips-- > 0;)
      words[random() % words.size()] ^= std::uint64_t{1} << random() % 64;
    words.resize(random() % 4 == 0 ? random() % words.size() : words.size());
    try {
      decode(std::as_bytes(std::span(words)));
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace pp::tools::daemon
