// MemoryLane: the bell rings for whom something was sent, and who sleeps.
#include "memory_lane.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

namespace pp::transport {
namespace {

class MemoryLaneOf : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> sockets{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets.data()), 0);
    std::string why;
    bool misbehaved = false;
    auto made = SharedMemory::make(why);
    ASSERT_NE(made, nullptr) << why;
    Descriptor copy{::fcntl(made->file(), F_DUPFD_CLOEXEC, 0)};
    auto joined = SharedMemory::join(std::move(copy), why, misbehaved);
    ASSERT_NE(joined, nullptr) << why;
    here_ = std::make_unique<MemoryLane>(std::move(made), Descriptor{sockets[0]});
    there_ = std::make_unique<MemoryLane>(std::move(joined), Descriptor{sockets[1]});
  }

  static bool rang(const MemoryLane& lane) {
    pollfd bell{lane.bell_fd(), POLLIN, 0};
    return ::poll(&bell, 1, 0) == 1;
  }

  const std::array<std::byte, 64> frame_{};
  std::unique_ptr<MemoryLane> here_, there_;
};

TEST_F(MemoryLaneOf, rings_for_a_sleeper_that_was_sent_something) {
  ASSERT_TRUE(there_->fall_asleep());
  ASSERT_EQ(here_->send(frame_), MemoryLane::Sent::kSent);
  here_->flush();
  EXPECT_TRUE(rang(*there_));
}

// Catches: who was sent a frame looks after everything, and woke the sender for it each time.
TEST_F(MemoryLaneOf, wakes_nobody_for_nothing) {
  ASSERT_TRUE(there_->fall_asleep());
  here_->flush();
  EXPECT_FALSE(rang(*there_));
}

TEST_F(MemoryLaneOf, does_not_ring_for_who_is_awake_and_finds_it_before_it_sleeps) {
  ASSERT_EQ(here_->send(frame_), MemoryLane::Sent::kSent);
  here_->flush();
  EXPECT_FALSE(rang(*there_));
  EXPECT_FALSE(there_->fall_asleep());
}

TEST_F(MemoryLaneOf, rings_again_for_what_is_sent_after_the_sleeper_woke_and_slept_again) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(there_->fall_asleep());
    ASSERT_EQ(here_->send(frame_), MemoryLane::Sent::kSent);
    here_->flush();
    ASSERT_TRUE(rang(*there_)) << round;
    ASSERT_TRUE(there_->hear_bell());
    there_->awake();
    std::span<std::byte> taken;
    ASSERT_EQ(there_->take(taken), MemoryLane::Taken::kFrame);
    here_->flush();
    EXPECT_FALSE(rang(*there_)) << round;
  }
}

}  // namespace
}  // namespace pp::transport
