// When a node opens its fabric: for the first who may be on another host.
#include <fstream>
#include <optional>
#include <string>

#include "socket.hpp"
#include "wire.hpp"

namespace pp::transport {
namespace {

using testing::Node;
using testing::run;
using testing::same_key;

bool libfabric_is_loaded() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("libfabric") != std::string::npos) return true;
  return false;
}

class FabricOpening : public ::testing::Test {
 protected:
  Node open(bool shared_memory) {
    NetworkOptions options = testing::options("auto");
    options.shared_memory = shared_memory;
    return {open_network(same_key(key_), std::move(options)), testing::Diary{}};
  }
  ClusterKey key_ = ClusterKey::generate();
};

TEST_F(FabricOpening, is_left_out_where_all_are_on_one_host) {
  const bool before = libfabric_is_loaded();  // by another test of this process
  Node a = open(true), b = open(true);
  a.transport->dial(b.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  EXPECT_EQ(a.diary.ups.back().peer.provider, "shm");
  EXPECT_EQ(libfabric_is_loaded(), before);
}

TEST_F(FabricOpening, is_waited_for_by_who_shares_no_memory) {
  Node a = open(false), b = open(false);
  a.transport->dial(b.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  EXPECT_EQ(a.diary.ups.back().peer.provider, b.diary.ups.back().peer.provider);
  EXPECT_NE(a.diary.ups.back().peer.provider, "control");
  EXPECT_TRUE(a.diary.refusals.empty() && b.diary.refusals.empty());
}

TEST_F(FabricOpening, is_waited_for_at_both_ends_of_dials_that_cross) {
  Node a = open(false), b = open(false), c = open(false);
  for (Node* from : {&a, &b, &c}) {
    for (Node* to : {&a, &b, &c})
      if (from != to) from->transport->dial(to->address());
  }
  ASSERT_TRUE(run({&a, &b, &c}, [&] {
    return a.diary.live() == 2 && b.diary.live() == 2 && c.diary.live() == 2;
  }));
  EXPECT_NE(a.diary.ups.back().peer.provider, "control");
}

// It may be gone by the time the fabric is open.
TEST_F(FabricOpening, does_not_keep_a_stranger_that_has_left) {
  Node a = open(false);
  ConnectFailure failure;
  std::optional<Descriptor> stranger =
      begin_connect(look_up(a.address(), true, failure.why).front(), failure);
  ASSERT_TRUE(stranger);
  for (int i = 0; i < 3; ++i) a.transport->poll(Clock::now(), a.diary);  // it is let in, and held
  stranger.reset();
  Node b = open(false);
  b.transport->dial(a.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  EXPECT_NE(a.diary.ups.back().peer.provider, "control");
}

}  // namespace
}  // namespace pp::transport
