// wire: the bytes that a small job costs, by both nodes, sealed and with everything around it.
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>

#include "registry.hpp"
#include "remote.hpp"
#include "sample.hpp"

namespace pp::bench {
namespace {

using namespace std::chrono_literals;

// Two nodes in this process, so that both can be asked what they have sent. The first runs
// nothing itself.
class TwoNodes {
 public:
  TwoNodes() {
    char name[] = "/tmp/pp-bench-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw Error("no folder can be made in /tmp");
    folder_ = name;
    Options options = Options::from_environment();  // the lane
    options.workers = 0;
    options.listen = "127.0.0.1:0";
    options.key_file = folder_ / "key";
    options.discover = "off";
    ClusterKey::generate().save(options.key_file);
    owner_ = std::make_unique<Runtime>(options);
    options.workers = 1;
    options.peers = {Address::parse(owner_->address())};
    thief_ = std::make_unique<Runtime>(options);
    if (!owner_->wait_for_nodes(2, 10s)) throw Error("the two nodes did not meet within 10 s");
  }
  ~TwoNodes() {
    thief_.reset();
    owner_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TwoNodes(const TwoNodes&) = delete;
  TwoNodes& operator=(const TwoNodes&) = delete;

  Runtime& owner() { return *owner_; }
  std::uint64_t sent() const { return owner_->stats().bytes + thief_->stats().bytes; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Runtime> owner_, thief_;
};

int wire_pp(const Arguments& arguments) {
  TwoNodes nodes;
  const std::string lane = arguments.text("lane", "");
  const Small small{1, 2, 3, 4, 5, 6, 7, 8};
  for (const std::size_t window : {std::size_t{1}, std::size_t{256}, std::size_t{4096}}) {
    const std::size_t rounds = window == 1 ? 500 : arguments.flag("quick") ? 1 : 20'000 / window;
    std::vector<Future<Small>> jobs(window);
    const std::uint64_t before = nodes.sent();
    for (std::size_t round = 0; round < rounds; ++round) {
      for (auto& job : jobs) job = nodes.owner().submit<same_small>(small);
      for (const auto& job : jobs) job.wait();
    }
    const auto sent = static_cast<double>(nodes.sent() - before);
    emit(Sample{std::to_string(window) + " under way, " + lane,
                "bytes",
                sent / static_cast<double>(rounds * window),
                {},
                {}});
  }
  return 0;
}

}  // namespace

Case wire_case() {
  return {.name = "wire",
          .what = "bytes sent for a small job (64 bytes there and back), by both nodes, sealed",
          .contenders = {{kOurs,
                          [](const Settings& settings) {
                            std::vector<Run> runs;
                            for (const Lane& lane : settings.lanes) {
                              runs.push_back(cluster_run(settings, "wire.pp", {}, lane));
                              runs.back().shape.reset();  // both nodes are in one process
                            }
                            return runs;
                          }}},
          .reach = {},
          .bodies = {{"wire.pp", wire_pp}}};
}

}  // namespace pp::bench
