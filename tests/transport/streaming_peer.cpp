// A node of its own process that a test can kill or stop: it dials, sends as fast as it may, and
// answers what it hears.
//
//   streaming_peer KEY_FILE HOST:PORT stream|echo
#include <chrono>
#include <cstring>
#include <iostream>
#include <pp/cluster_key.hpp>
#include <pp/network_transport.hpp>
#include <string_view>
#include <vector>

namespace {

using namespace pp::transport;

class Dialler final : public Handler {
 public:
  SessionId session{};
  bool up = false, over = false;
  std::uint64_t heard = 0;
  Transport* transport = nullptr;
  bool echoes = false;

  void on_up(SessionId id, const Peer&) override {
    session = id;
    up = true;
  }
  void on_message(SessionId from, std::span<const std::byte> message) override {
    ++heard;
    if (echoes) transport->send(from, message);
  }
  void on_word(SessionId, std::span<const std::byte>) override {}
  void on_down(SessionId, DownReason, std::string_view) override { over = true; }
  void on_dial_failed(const pp::Address&, DialFailure, std::string_view why) override {
    std::cerr << "dial failed: " << why << std::endl;
    over = true;
  }
  void on_refused(const Refusal& refusal) override {
    std::cerr << "refused: " << refusal.sentence << std::endl;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  NetworkOptions options;
  options.introduction.node = pp::NodeId::random();
  options.introduction.name = argv[3];
  options.introduction.workers = 1;
  options.introduction.function_table = 1;
  options.listen = {"127.0.0.1", 0};
  options.fabric = "off";
  options.limits.dead = std::chrono::milliseconds(60'000);
  const auto transport = open_network(pp::ClusterKey::load(argv[1]), options);

  Dialler peer;
  peer.transport = transport.get();
  peer.echoes = std::string_view(argv[3]) == "echo";
  transport->dial(pp::Address::parse(argv[2]));

  // Messages of all sizes, some of many frames; each begins with its number.
  std::uint64_t number = 0;
  std::vector<std::byte> message(40'000);
  while (!peer.over) {
    if (peer.up && !peer.echoes) {
      while (transport->backlog(peer.session) < 100'000) {
        const std::size_t size = number % 50 == 0 ? message.size() : 8 + 8 * (number % 97);
        std::memcpy(message.data(), &number, sizeof number);
        if (!transport->send(peer.session, std::span(message).first(size))) break;
        ++number;
      }
    }
    if (transport->poll(Clock::now(), peer) == 0)
      transport->wait(Clock::now() + std::chrono::seconds(1));
  }
}
