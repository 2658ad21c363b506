// Whoever does not belong: another key, another build, a scanner, garbage. Each is refused, named
// and counted, and the run goes on.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <random>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;

class Strangers : public Cluster {
 protected:
  // A driver and a worker that wait while strangers come.
  void SetUp() override {
    key_ = new_key("key");
    driver_ = std::make_unique<Process>(launch(2, {SPREAD_PROGRAM, "hold"}, {"--key-file", key_}),
                                        held_open());
    address_ = address_of(*driver_);
    driver_->wait_for_line("nodes are there");
  }

  std::size_t refused() {
    const std::size_t before = count(driver_->out(), "refused ");
    driver_->write_input("refused\n");
    driver_->wait_until([&] { return count(driver_->out(), "refused ") > before; },
                        "the count of refusals");
    const std::string line = lines_with(driver_->out(), "refused ").back();
    return std::stoul(line.substr(line.rfind(' ')));
  }

  // Nobody was harmed: work still runs on both nodes and the program ends well.
  void expect_that_the_run_goes_on() {
    ask_until(*driver_, "nodes", "nodes 2");
    driver_->write_input("spread\n");
    driver_->wait_for_line("jobs ran in 2 processes");
    driver_.reset();
  }

  int connect() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1))));
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to), 0)
        << std::strerror(errno);
    return socket;
  }

  std::string key_, address_;
  std::unique_ptr<Process> driver_;
};

TEST_F(Strangers, a_node_with_another_key_is_refused_with_a_sentence) {
  Process::Setting setting;
  setting.environment = worker_environment(address_, new_key("another"));
  Process stranger({SPREAD_PROGRAM}, setting);
  EXPECT_THAT(driver_->wait_for_line(" key"), HasSubstr("key"));
  EXPECT_GT(refused(), 0u);
  expect_that_the_run_goes_on();
}

TEST_F(Strangers, another_program_with_the_right_key_is_refused_by_name) {
  Process::Setting setting;
  setting.environment = worker_environment(address_, key_);
  Process stranger({NQUEENS_PROGRAM, "12"}, setting);
  const std::string sentence = driver_->wait_for_line("function");
  EXPECT_THAT(sentence, HasSubstr(":" + std::to_string(stranger.pid()))) << "the node's name";
  EXPECT_GT(refused(), 0u);
  expect_that_the_run_goes_on();
}

TEST_F(Strangers, a_node_of_another_launch_is_refused) {
  Process::Setting setting;
  setting.environment = worker_environment(address_, key_);
  setting.environment.push_back("PP_LAUNCH=another");
  Process stranger({SPREAD_PROGRAM}, setting);
  driver_->wait_for_line("launches differ");
  EXPECT_GT(refused(), 0u);
  expect_that_the_run_goes_on();
}

TEST_F(Strangers, garbage_on_the_port_is_refused_and_counted) {
  std::mt19937 random(20241);  // any bytes will do
  for (const std::size_t length : {1u, 16u, 64u, 1000u, 100'000u}) {
    const int socket = connect();
    std::string garbage(length, '\0');
    for (char& c : garbage) c = static_cast<char>(random());
    [[maybe_unused]] const ssize_t sent =
        ::send(socket, garbage.data(), garbage.size(), MSG_NOSIGNAL);
    // Whatever it thinks of it, within its limits it ends the connection.
    pollfd answer{socket, POLLIN, 0};
    EXPECT_EQ(::poll(&answer, 1, 60'000), 1)
        << length << " bytes of garbage hold a connection open";
    ::close(socket);
  }
  driver_->wait_until([this] { return refused() >= 3; }, "the refusals to be counted");
  expect_that_the_run_goes_on();
}

TEST_F(Strangers, other_protocols_are_refused) {
  for (const std::string greeting :
       {"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"}) {
    const int socket = connect();
    ::send(socket, greeting.data(), greeting.size(), MSG_NOSIGNAL);
    pollfd answer{socket, POLLIN, 0};
    EXPECT_EQ(::poll(&answer, 1, 60'000), 1);
    ::close(socket);
  }
  driver_->wait_until([this] { return refused() >= 1; }, "the refusals to be counted");
  expect_that_the_run_goes_on();
}

TEST_F(Strangers, a_port_scan_and_silent_connections_do_not_keep_others_out) {
  for (int i = 0; i < 200; ++i) ::close(connect());
  std::vector<int> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(connect());
  Process::Setting setting;
  setting.environment = worker_environment(address_, key_);
  Process worker({SPREAD_PROGRAM}, setting);
  ask_until(*driver_, "nodes", "nodes 3");
  for (const int socket : silent) ::close(socket);
  driver_->write_input("spread\n");
  driver_->wait_for_line("jobs ran in 3 processes");
}

}  // namespace
}  // namespace pp::test
