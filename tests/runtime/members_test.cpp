// Who is there, as a program sees it: nodes(), callbacks, and nodes that fall silent and return.
#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>

#include "runtimes.hpp"

namespace pp::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// What callbacks were told, in order.
class Diary {
 public:
  void write(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
    changed_.notify_all();
  }
  // The lines, as soon as there are so many.
  std::vector<std::string> read(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 60s, [&] { return lines_.size() >= count; });
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

// Until what `rt` knows of its only other node satisfies `holds`; a limit that only a hang reaches.
template <class Condition>
bool until(Runtime& rt, Condition holds) {
  const auto limit = std::chrono::steady_clock::now() + 60s;
  while (!holds(rt.nodes())) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(1ms);  // others run meanwhile
  }
  return true;
}

int echo(int n) { return n; }

Options quick() {
  Options options;
  options.suspect = 200ms;
  options.dead = 600ms;
  return options;
}

TEST(Members, are_listed_with_what_they_say_of_themselves) {
  Runtimes nodes(2, 3);
  ASSERT_TRUE(until(nodes[0], [](const auto& all) {
    return all.size() == 1 && all[0].round_trip > 0ns && !all[0].provider.empty();
  }));
  const NodeView other = nodes[0].nodes().front();
  EXPECT_EQ(other.id, nodes[1].id());
  EXPECT_EQ(other.name, "node1");
  EXPECT_EQ(other.address.to_string(), nodes[1].address());
  EXPECT_EQ(other.workers, 3u);
  EXPECT_EQ(other.state, MemberState::kAlive);
  EXPECT_EQ(other.provider, "loopback");
}

TEST(Members, are_told_when_somebody_has_another_number_of_workers) {
  Runtimes nodes(3);
  nodes[2].set_workers(5);
  for (const std::size_t i : {0u, 1u}) {
    EXPECT_TRUE(until(nodes[i], [&](const auto& all) {
      return std::any_of(all.begin(), all.end(), [&](const NodeView& node) {
        return node.id == nodes[2].id() && node.workers == 5;
      });
    })) << i;
  }
}

TEST(Members, who_are_there_and_who_come_and_go_are_told_to_callbacks) {
  Diary diary;
  Runtimes nodes(2);
  nodes[0].on_node_joined([&](const NodeView& node) { diary.write(node.name + " joined"); });
  nodes[0].on_node_left([&](const NodeView& node) {
    diary.write(node.name + " " + std::string(to_string(node.state)));
  });
  EXPECT_THAT(diary.read(1), ElementsAre("node1 joined"));
  nodes.end(1);
  EXPECT_THAT(diary.read(2), ElementsAre("node1 joined", "node1 left"));
}

TEST(Members, that_were_killed_are_gone) {
  Diary diary;
  Runtimes nodes(2);
  nodes[0].on_node_left([&](const NodeView& node) {
    diary.write(node.name + " " + std::string(to_string(node.state)));
  });
  nodes.world().kill(nodes[1].id());
  EXPECT_THAT(diary.read(1), ElementsAre("node1 gone"));
}

TEST(Members, callbacks_run_on_workers_and_may_wait_for_jobs) {
  Diary diary;
  Runtimes nodes(2);
  nodes[0].on_node_joined([&](const NodeView&) {
    diary.write(std::to_string(nodes[0].submit<echo>(7).get()) +
                (runtime::Crew::current() != nullptr ? " on a worker" : " elsewhere"));
  });
  EXPECT_THAT(diary.read(1), ElementsAre("7 on a worker"));
}

TEST(Members, a_callback_that_throws_does_not_keep_others_from_being_called) {
  Diary diary;
  Runtimes nodes(3);
  nodes[0].on_node_joined([](const NodeView&) { throw std::runtime_error("not today"); });
  nodes[0].on_node_joined([&](const NodeView&) { diary.write("called"); });
  EXPECT_THAT(diary.read(2), ElementsAre("called", "called"));
}

TEST(Members, that_fall_silent_are_suspected_then_lost_and_taken_back_when_they_return) {
  Diary diary;
  Runtimes nodes(2, 1, quick());
  nodes[0].on_node_joined([&](const NodeView& node) { diary.write(node.name + " joined"); });
  nodes[0].on_node_left([&](const NodeView& node) {
    diary.write(node.name + " " + std::string(to_string(node.state)));
  });
  diary.read(1);
  nodes.world().stop(nodes[1].id());
  EXPECT_TRUE(until(nodes[0], [](const auto& all) {
    return all.empty() || all[0].state == MemberState::kSuspect;
  }));
  EXPECT_THAT(diary.read(2), ElementsAre("node1 joined", "node1 silent"));
  EXPECT_EQ(nodes[0].submit<echo>(1).get(), 1) << "the others go on";
  nodes.world().resume(nodes[1].id());
  EXPECT_THAT(diary.read(3), ElementsAre("node1 joined", "node1 silent", "node1 joined"));
  EXPECT_EQ(nodes[0].submit<echo>(JobOptions{.where = Where::node(nodes[1].id())}, 2).get(), 2)
      << "and it works again";
}

TEST(Members, that_are_cut_off_for_a_moment_keep_what_is_placed_on_them) {
  Runtimes nodes(2);
  nodes.world().cut(nodes[0].id(), nodes[1].id());
  auto placed = nodes[0].submit<echo>(JobOptions{.where = Where::node(nodes[1].id())}, 3);
  nodes.world().heal(nodes[0].id(), nodes[1].id());
  EXPECT_EQ(placed.get(), 3);
}

}  // namespace
}  // namespace pp::test
