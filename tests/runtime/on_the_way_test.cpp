// Two nodes over real connections with somebody on the way who spoils what they say: they come
// together again by themselves, and every job ends with its result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <pp/network_transport.hpp>
#include <pp/pp.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "middle.hpp"
#include "node.hpp"

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;
using transport::testing::Middle;

std::uint64_t triple(std::uint64_t n) { return 3 * n; }

enum class Fault { kAlter, kTruncate, kCut, kReflect, kReorder, kDuplicate, kOmit };
constexpr std::pair<Fault, const char*> kFaults[] = {
    {Fault::kAlter, "altered"},     {Fault::kTruncate, "truncated"},
    {Fault::kCut, "cut_short"},     {Fault::kReflect, "reflected"},
    {Fault::kReorder, "reordered"}, {Fault::kDuplicate, "duplicated"},
    {Fault::kOmit, "omitted"}};

class SomebodyOnTheWay : public testing::TestWithParam<std::size_t> {
 protected:
  SomebodyOnTheWay()
      : file_(std::filesystem::temp_directory_path() /
              ("pp-on-the-way-" + NodeId::random().to_string() + ".key")) {
    ClusterKey::generate().save(file_);
  }
  ~SomebodyOnTheWay() override { std::filesystem::remove(file_); }

  std::unique_ptr<Node> open(const std::string& name, std::vector<Address> peers) {
    Options options;
    options.workers = 1;
    options.discover = "off";
    options.name = name;
    options.peers = std::move(peers);
    transport::NetworkOptions network;
    network.introduction = introduction(options, FunctionTable::seal());
    network.listen = {"127.0.0.1", 0};
    network.fabric = "off";
    network.shared_memory = false;  // nobody is on that way
    auto transport = transport::open_network(ClusterKey::load(file_), network);
    last_address_ = transport->self().addresses.front();
    return std::make_unique<Node>(options, std::move(transport));
  }

  const std::filesystem::path file_;
  Address last_address_;
};

INSTANTIATE_TEST_SUITE_P(Frames, SomebodyOnTheWay,
                         testing::Range(std::size_t{0}, std::size(kFaults)), [](const auto& param) {
                           return std::string(kFaults[param.param].second);
                         });

TEST_P(SomebodyOnTheWay, every_job_ends_with_its_result) {
  const Fault fault = kFaults[GetParam()].first;
  std::mt19937 random(20'265 + static_cast<unsigned>(GetParam()));
  testing::internal::CaptureStderr();
  auto owner = open("owner", {});
  Middle middle(last_address_);
  // One frame in fifty is spoilt, three in all.
  std::atomic<int> left{3};
  std::vector<std::byte> kept;
  Middle::From kept_from{};
  middle.act(
      [&](const Middle::Unit& unit, std::vector<std::byte>& on, std::vector<std::byte>& back) {
        on = unit.bytes;
        if (!kept.empty() && unit.from == kept_from) {
          on.insert(on.end(), kept.begin(), kept.end());
          kept.clear();
          return true;
        }
        if (!unit.frame || unit.number < 10 || random() % 50 != 0 || left == 0) return true;
        --left;
        switch (fault) {
          case Fault::kAlter:
            on[random() % on.size()] ^= std::byte{0x10};
            break;
          case Fault::kTruncate:
            on.resize(on.size() - 8);
            break;
          case Fault::kCut:
            on.resize(on.size() / 2);
            return false;
          case Fault::kReflect:
            back = unit.bytes;
            break;
          case Fault::kReorder:
            kept = std::exchange(on, {});
            kept_from = unit.from;
            break;
          case Fault::kDuplicate:
            on.insert(on.end(), unit.bytes.begin(), unit.bytes.end());
            break;
          case Fault::kOmit:
            on.clear();
            break;
        }
        return true;
      });
  // Set at the end of the test. Relaxed: nothing else is published by it.
  std::atomic<bool> over{false};
  std::thread on_the_way([&] {
    while (!over.load(std::memory_order_relaxed)) {
      middle.wait(1);
      middle.pump();
    }
  });
  auto borrower = open("borrower", {middle.address()});
  EXPECT_TRUE(owner->courier()->wait_for_nodes(1, Clock::now() + 30s));
  std::uint64_t wrong = 0, submitted = 0;
  const auto end = Clock::now() + 60s;
  // Batches until the harm is done: a session that was spoilt may be followed by one that goes
  // another way.
  for (int batch = 0; batch < 5 || (left == 3 && Clock::now() < end); ++batch) {
    std::vector<Future<std::uint64_t>> all;
    for (int i = 0; i < 200; ++i) {
      JobOptions options;
      options.where = Where::not_here();
      auto* job = make_job_with<Constant<&triple>>(std::move(options), submitted++);
      all.emplace_back(job);
      owner->submit(*job);
    }
    for (std::uint64_t i = 0; i < all.size(); ++i)
      wrong += all[i].get() != 3 * (submitted - all.size() + i);
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_LT(left, 3) << "nothing was spoilt";
  const std::uint64_t blamed = owner->statistics().misbehaved + borrower->statistics().misbehaved;
  borrower.reset();
  owner.reset();
  over.store(true, std::memory_order_relaxed);
  on_the_way.join();
  const std::string said = testing::internal::GetCapturedStderr();
  if (fault == Fault::kCut) {
    EXPECT_EQ(blamed, 0u) << said;
  } else {
    EXPECT_GE(blamed, 1u);
    EXPECT_THAT(said, testing::ContainsRegex("is over: (a frame|frames)"));
  }
}

}  // namespace
}  // namespace pp::runtime
