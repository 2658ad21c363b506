// Watching: what a node tells those who look at it, and what its door lets through.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <pp/runtime.hpp>
#include <pp/watch_point.hpp>
#include <string>
#include <thread>
#include <vector>

#include "chronicle.hpp"
#include "http_door.hpp"
#include "runtimes.hpp"
#include "snapshot.hpp"
#include "tally.hpp"

namespace pp {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using runtime::Chronicle;
using runtime::FunctionFigures;
using runtime::HttpDoor;
using runtime::Snapshot;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

int doubled(int value) { return 2 * value; }
int fails(int value) {
  if (value >= 0) throw std::runtime_error("nobody knows \"this\"");
  return value;
}

// ---- counting

const runtime::Function& function_named(const char* name) {
  static std::vector<std::unique_ptr<runtime::Function>> all;
  all.push_back(std::make_unique<runtime::Function>(
      runtime::Function{name, name, 7, 0, nullptr, true, {}, nullptr}));
  return *all.back();
}

std::vector<FunctionFigures> all_of(const runtime::Tally& tally) {
  std::vector<FunctionFigures> all;
  tally.each([&](const runtime::Function&, const FunctionFigures& one) { all.push_back(one); });
  return all;
}

TEST(Tallies, count_executions_by_the_powers_of_two_of_their_nanoseconds) {
  runtime::Tally tally;
  const runtime::Function& function = function_named("f");
  for (const int took : {0, 1, 2, 3, 4, 1023, 1024}) tally.count(&function, took * 1ns, false);
  tally.count(&function, std::chrono::hours(24), true);
  tally.count(&function, -5ns, false);  // a clock that was set back
  const std::vector<FunctionFigures> all = all_of(tally);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].runs(), 9u);
  EXPECT_EQ(all[0].failed, 1u);
  EXPECT_EQ(all[0].counts[0], 3u);
  EXPECT_EQ(all[0].counts[1], 2u);
  EXPECT_EQ(all[0].counts[9], 1u);
  EXPECT_EQ(all[0].counts[10], 1u);
  EXPECT_EQ(all[0].counts[FunctionFigures::kBuckets - 1], 1u) << "what is longer than any";
}

TEST(Tallies, keep_functions_apart_and_forget_the_runtimes_own) {
  runtime::Tally tally;
  const runtime::Function& f = function_named("f");
  const runtime::Function& g = function_named("g");
  for (int i = 0; i < 10; ++i) {
    tally.count(&f, 5ns, false);
    tally.count(i % 2 == 0 ? &g : nullptr, 5ns, false);
  }
  std::uint64_t runs = 0;
  for (const FunctionFigures& one : all_of(tally)) runs += one.runs();
  EXPECT_EQ(all_of(tally).size(), 2u);
  EXPECT_EQ(runs, 15u);
}

TEST(Tallies, of_more_functions_than_there_is_room_for_leave_some_out) {
  runtime::Tally tally;
  for (int i = 0; i < 400; ++i) tally.count(&function_named("one of many"), 1ns, false);
  EXPECT_EQ(all_of(tally).size(), 256u);
}

// Would show under ThreadSanitizer what is read while it is written.
TEST(Tallies, may_be_read_while_they_grow) {
  runtime::Tally tally;
  std::atomic<bool> ended{false};
  std::thread worker([&] {
    const runtime::Function* functions[] = {&function_named("f"), &function_named("g")};
    for (int i = 0; i < 20'000; ++i) tally.count(functions[i % 2], i * 1ns, i % 3 == 0);
    ended.store(true);
  });
  std::uint64_t seen = 0;
  while (!ended.load())
    for (const FunctionFigures& one : all_of(tally)) seen = std::max(seen, one.runs());
  worker.join();
  EXPECT_LE(seen, 20'000u);
}

TEST(FunctionFigures, tell_quantiles_within_a_factor_of_two) {
  FunctionFigures figures;
  EXPECT_EQ(figures.quantile(0.5), 0);
  figures.counts[10] = 98;  // about a microsecond
  figures.counts[20] = 2;   // about a millisecond
  EXPECT_GE(figures.quantile(0.5), 1024);
  EXPECT_LE(figures.quantile(0.5), 2048);
  EXPECT_GE(figures.quantile(0.99), 1 << 20);
  EXPECT_LE(figures.quantile(0.99), 2 << 20);
}

TEST(WhatHappens, is_kept_but_for_what_is_old) {
  Chronicle chronicle;
  for (int i = 0; i < 1000; ++i) chronicle.note(Chronicle::Kind::kJoined, std::to_string(i));
  const auto recent = chronicle.recent();
  ASSERT_EQ(recent.size(), Chronicle::kMost);
  EXPECT_EQ(recent.back().text, "999");
  EXPECT_EQ(recent.back().number, 1000u);
}

TEST(WhatHappens, again_and_again_stands_there_once) {
  Chronicle chronicle;
  chronicle.note(Chronicle::Kind::kJoined, "a");
  for (int i = 0; i < 1000; ++i) chronicle.note(Chronicle::Kind::kRefused, "b");
  EXPECT_EQ(chronicle.recent().size(), 2u);
}

TEST(WhatHappens, holds_few_of_a_million_failures) {
  Chronicle chronicle;
  int sentences = 0;
  for (int i = 0; i < 100'000; ++i) {
    chronicle.note_failure([&] {
      ++sentences;
      return std::to_string(i);
    });
  }
  EXPECT_GE(sentences, 1);
  EXPECT_LT(sentences, 50'000);
}

// ---- writing it down

Snapshot example() {
  Snapshot snapshot;
  snapshot.version = "0.1.0";
  snapshot.node = "driver \"one\"\n";
  snapshot.id = "00000001";
  snapshot.when = std::chrono::system_clock::time_point(1'700'000'000'123ms);
  snapshot.elapsed = 12.5;
  snapshot.open = 7;
  snapshot.nodes.resize(3);
  snapshot.nodes[0] = {.id = "00000001",
                       .name = snapshot.node,
                       .self = true,
                       .workers = 4,
                       .busy = 3,
                       .queued = 2,
                       .jobs = 10,
                       .lent = 5,
                       .memory = 4096};
  snapshot.nodes[1] = {.id = "00000002",
                       .name = "back\\slash \xff\xc3\xa4",
                       .state = "suspect",
                       .workers = 2,
                       .busy = 1,
                       .jobs = 5,
                       .stolen = 5,
                       .round_trip = 0.001};
  snapshot.nodes[2] = {.id = "00000003", .name = "gone", .state = "gone", .workers = 2, .jobs = 1};
  FunctionFigures figures{.failed = 1, .nanoseconds = 3'000'000};
  figures.counts[20] = 3;
  figures.counts[39] = 1;
  snapshot.functions["f(std::vector<int>, \"x\")"] = figures;
  snapshot.nodes[0].functions["f(std::vector<int>, \"x\")"] = {0.003, 1};
  snapshot.running.push_back({2, "f", 0.5});
  snapshot.events.push_back({1, snapshot.when, Chronicle::Kind::kDied, "it\tdied\x01"});
  return snapshot;
}

TEST(Snapshots, are_json_whatever_names_hold) {
  const json whole = json::parse(to_json(example()));
  EXPECT_EQ(whole.at("node"), "driver \"one\"\n");
  EXPECT_EQ(whole.at("nodes").at(1).at("name"), "back\\slash \xef\xbf\xbd\xc3\xa4");
  EXPECT_EQ(whole.at("time_ms"), 1'700'000'000'123);
  EXPECT_EQ(whole.at("progress").at("done"), 16);
  EXPECT_EQ(whole.at("progress").at("open"), 7);
  EXPECT_EQ(whole.at("totals").at("workers"), 6) << "of those who are there";
  EXPECT_FALSE(whole.at("nodes").at(0).contains("round_trip"));
  EXPECT_EQ(whole.at("nodes").at(1).at("round_trip"), 0.001);
  EXPECT_EQ(whole.at("functions").at(0).at("runs"), 4);
  EXPECT_EQ(whole.at("nodes").at(0).at("now").at(0), 1);
  EXPECT_EQ(whole.at("events").at(0).at("text"), "it\tdied\x01");
}

TEST(Snapshots, of_broken_utf8_of_every_kind_are_json) {
  for (const char* text : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
                           "\xf0\x9f\x98", "\x80", "\xf8\x88\x80\x80\x80", "a\xc3"}) {
    EXPECT_TRUE(json::accept(runtime::json_string(text))) << text;
  }
  EXPECT_EQ(runtime::json_string("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
}

TEST(Snapshots, are_metrics_with_a_help_and_a_type_each) {
  const std::string text = to_prometheus(example());
  EXPECT_THAT(text,
              AllOf(HasSubstr("pp_nodes{state=\"alive\"} 1\n"),
                    HasSubstr("pp_nodes{state=\"suspect\"} 1\n"),
                    HasSubstr("# TYPE pp_function_seconds histogram\n"),
                    HasSubstr("_count{function=\"f(std::vector<int>, \\\"x\\\")\"} 4\n"),
                    HasSubstr("le=\"+Inf\"} 4\n"), HasSubstr("node=\"driver \\\"one\\\"\\n\"")));
}

// Whoever reads them for a living says whether they are well formed.
TEST(Snapshots, are_metrics_that_promtool_accepts) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "promtool is not installed (Debian package: prometheus)";
  FILE* pipe = ::popen("promtool check metrics 2>&1", "w");
  ASSERT_NE(pipe, nullptr);
  const std::string text = to_prometheus(example());
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), pipe), text.size());
  EXPECT_EQ(::pclose(pipe), 0) << text;
}

// ---- the door

class Exhibit final : public HttpDoor::Subject {
 public:
  Snapshot snapshot() override {
    ++snapshots;
    return example();
  }
  std::string why(std::string_view job) override { return "of " + std::string(job) + '\n'; }
  bool ready() override { return is_ready; }

  std::atomic<int> snapshots{0};
  std::atomic<bool> is_ready{true};
};

// A client that says what it is told to.
class Client {
 public:
  explicit Client(const HttpDoor& door) : Client(port_of(door)) {}
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  static std::uint16_t port_of(const HttpDoor& door) {
    const std::string url = door.url();
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.find(':', 7) + 1)));
  }
  static std::string token_of(const HttpDoor& door) {
    return door.url().substr(door.url().find("token=") + 6);
  }

  // False: nobody listens any more.
  bool say(const std::string& text) {
    return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  // Until it hangs up, or has given so many whole answers. (KJ keeps the connection for a while,
  // whatever the client wishes.)
  std::string hear(int answers = 1, bool with_body = true) {
    std::string text;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (whole(text, with_body) >= answers) return text;
      pollfd one{socket_, POLLIN, 0};
      if (::poll(&one, 1, 100) <= 0) continue;
      char bytes[65536];
      const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
      if (count <= 0) return text;
      text.append(bytes, static_cast<std::size_t>(count));
    }
    ADD_FAILURE() << "the door neither ends its answer nor hangs up; so far: " << text;
    return text;
  }

 private:
  static int whole(std::string_view text, bool with_body) {
    constexpr std::string_view kLength = "Content-Length: ";
    for (int answers = 0;; ++answers) {
      const std::size_t head = text.find("\r\n\r\n");
      if (head == std::string_view::npos) return answers;
      const std::size_t at = text.find(kLength);
      const std::size_t length = at < head && with_body
                                     ? std::stoul(std::string(text.substr(at + kLength.size(), 12)))
                                     : 0;
      if (text.size() < head + 4 + length) return answers;
      text.remove_prefix(head + 4 + length);
    }
  }

  const int socket_;
};

class Doors : public testing::Test {
 protected:
  std::string ask(const std::string& first_line, const std::string& headers = "") {
    Client client(door_);
    client.say(first_line + "\r\n" + headers + "\r\n");
    return client.hear(1, !first_line.starts_with("HEAD "));
  }
  std::string get(const std::string& path, const std::string& host = "localhost") {
    return ask("GET " + path + " HTTP/1.1", "Host: " + host + "\r\n" + bearer());
  }
  std::string bearer() const { return "Authorization: Bearer " + Client::token_of(door_) + "\r\n"; }

  Exhibit exhibit_;
  HttpDoor door_{exhibit_, {.address = ":0"}};
};

TEST_F(Doors, lead_to_the_page_the_status_the_metrics_and_the_health) {
  EXPECT_THAT(get("/"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("<!doctype html>"),
                              HasSubstr("script-src 'nonce-"), Not(HasSubstr("NONCE_OF"))));
  EXPECT_THAT(get("/status.json"), AllOf(HasSubstr("application/json"), HasSubstr("\"nodes\":[")));
  EXPECT_THAT(get("/metrics"), AllOf(HasSubstr("version=0.0.4"), HasSubstr("\npp_workers{")));
  EXPECT_THAT(get("/healthz"), HasSubstr("\r\n\r\nok\n"));
  EXPECT_THAT(get("/why?job=a%20b%2Bc+d"), HasSubstr("of a b+c d\n"));
  EXPECT_THAT(get("/readyz"), HasSubstr("ready\n"));
  exhibit_.is_ready = false;
  EXPECT_THAT(get("/readyz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(get("/etc/passwd"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(get("/../status.json"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(Doors, give_every_page_another_nonce_and_let_it_load_nothing_from_elsewhere) {
  const std::string one = get("/");
  const std::string other = get("/");
  const auto nonce = [](const std::string& answer) {
    return answer.substr(answer.find("'nonce-"), 39);
  };
  EXPECT_NE(nonce(one), nonce(other));
  EXPECT_THAT(one,
              AllOf(HasSubstr("default-src 'none'"), HasSubstr("X-Content-Type-Options: nosniff"),
                    HasSubstr("Referrer-Policy: no-referrer"), Not(HasSubstr("https://"))));
}

TEST_F(Doors, stay_shut_without_the_token) {
  const std::string host = "Host: localhost\r\n";
  for (const char* path : {"/", "/status.json", "/metrics", "/why?job=x", "/healthz", "/readyz",
                           "/status.json?token=", "/status.json?token=wrong"}) {
    EXPECT_THAT(ask("GET " + std::string(path) + " HTTP/1.1", host), StartsWith("HTTP/1.1 401 "))
        << path;
  }
  EXPECT_THAT(ask("GET / HTTP/1.1", host + "Authorization: Basic eDp5\r\n"),
              StartsWith("HTTP/1.1 401 "));
  std::string wrong = Client::token_of(door_);
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  EXPECT_THAT(ask("GET /?token=" + wrong + " HTTP/1.1", host), StartsWith("HTTP/1.1 401 "));
  EXPECT_EQ(exhibit_.snapshots, 0);
  EXPECT_THAT(ask("GET /?token=" + Client::token_of(door_) + " HTTP/1.1", host),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(Doors, know_their_own_names_only) {
  for (const char* host : {"localhost", "LOCALHOST:80", "127.0.0.1:7", "[::1]:8080"})
    EXPECT_THAT(get("/healthz", host), StartsWith("HTTP/1.1 200 ")) << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "192.0.2.1", "[::2]:80", "[::1", ""})
    EXPECT_THAT(get("/healthz", host), StartsWith("HTTP/1.1 403 ")) << host;
  EXPECT_THAT(ask("GET /healthz HTTP/1.1", bearer()), StartsWith("HTTP/1.1 403 ")) << "no Host";
}

TEST_F(Doors, are_for_looking_only) {
  const std::string headers = "Host: localhost\r\n" + bearer();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    EXPECT_THAT(
        ask(std::string(method) + " /status.json HTTP/1.1", headers + "Content-Length: 0\r\n"),
        AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD")))
        << method;
  }
  EXPECT_EQ(exhibit_.snapshots, 0);
  const std::string head = ask("HEAD /status.json HTTP/1.1", headers);
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Length: ")));
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << "a body";
}

TEST_F(Doors, refuse_what_is_no_request_or_too_long) {
  EXPECT_THAT(ask("GARBAGE"), Not(StartsWith("HTTP/1.1 200 ")));
  EXPECT_THAT(get("/why?job=" + std::string(3000, 'x')), StartsWith("HTTP/1.1 414 "));
  EXPECT_THAT(get("/why?job=" + std::string(300, 'x')), StartsWith("HTTP/1.1 414 "));
  Client client(door_);
  client.say("GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
  const std::string part(65536, 'x');
  for (int i = 0; i < 64 && client.say(part); ++i) {
  }
  EXPECT_THAT(client.hear(), Not(StartsWith("HTTP/1.1 200 ")));
  EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 200 ")) << "afterwards, to others";
}

// A body that goes with a GET is not waited for, and one without an end is not read.
TEST_F(Doors, do_not_wait_for_what_they_do_not_want) {
  Client client(door_);
  client.say("POST /status.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n" +
             bearer() + "\r\n");
  EXPECT_THAT(client.hear(), StartsWith("HTTP/1.1 405 "));
}

TEST_F(Doors, serve_others_while_slow_clients_say_nothing) {
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<Client>(door_));
    slow.back()->say("GET / HTT");
  }
  EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 200 "));
  // And these are not waited for without end.
  EXPECT_THAT(slow.back()->hear(), Not(StartsWith("HTTP/1.1 200 ")));
}

TEST_F(Doors, answer_several_requests_on_one_connection) {
  Client client(door_);
  const std::string one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + bearer();
  client.say(one + "\r\n" + one + "\r\n");
  const std::string answers = client.hear(2);
  EXPECT_NE(answers.find("200 OK", answers.find("200 OK") + 1), std::string::npos) << answers;
}

TEST_F(Doors, ask_the_node_once_for_many_who_come_together) {
  for (int i = 0; i < 20; ++i) EXPECT_THAT(get("/status.json"), StartsWith("HTTP/1.1 200 "));
  EXPECT_LT(exhibit_.snapshots, 20);
}

TEST(ADoor, for_probes_needs_no_token_where_that_was_asked_for) {
  Exhibit exhibit;
  const HttpDoor door(exhibit, {.address = "127.0.0.1:0", .open_health = true});
  const auto ask = [&](const std::string& path) {
    Client client(door);
    client.say("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return client.hear();
  };
  for (const char* path : {"/healthz", "/readyz", "/metrics"})
    EXPECT_THAT(ask(path), StartsWith("HTTP/1.1 200 ")) << path;
  for (const char* path : {"/", "/status.json", "/why?job="})
    EXPECT_THAT(ask(path), StartsWith("HTTP/1.1 401 ")) << path;
}

TEST(ADoor, at_all_addresses_is_asked_for_by_number_but_not_by_any_name) {
  Exhibit exhibit;
  const HttpDoor door(exhibit, {.address = "0.0.0.0:0"});
  const auto ask = [&](const std::string& host) {
    Client client(door);
    client.say("GET /healthz?token=" + Client::token_of(door) + " HTTP/1.1\r\nHost: " + host +
               "\r\n\r\n");
    return client.hear();
  };
  EXPECT_THAT(ask("192.0.2.7:80"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("evil.example"), StartsWith("HTTP/1.1 403 "));
}

TEST(ADoor, where_somebody_is_already_says_so) {
  Exhibit exhibit;
  const HttpDoor first(exhibit, {.address = ":0"});
  const std::string taken = ":" + std::to_string(Client::port_of(first));
  try {
    const HttpDoor second(exhibit, {.address = taken});
    FAIL() << "two doors at one port";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("127.0.0.1" + taken), HasSubstr("PP_HTTP"), HasSubstr("port 0")));
  }
}

// KJ would have the whole process ignore it.
TEST(ADoor, leaves_sigpipe_as_the_program_had_it) {
  struct sigaction before {};
  sigaction(SIGPIPE, nullptr, &before);
  Exhibit exhibit;
  const HttpDoor door(exhibit, {.address = ":0"});
  struct sigaction after {};
  sigaction(SIGPIPE, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

// ---- who looks for it

class WatchPoints : public testing::Test {
 protected:
  WatchPoints() {
    char name[] = "/tmp/pp_watch_XXXXXX";
    folder_ = ::mkdtemp(name);
    const char* was = std::getenv("XDG_RUNTIME_DIR");
    if (was != nullptr) before_ = was;
    ::setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
  }
  ~WatchPoints() override {
    before_ ? ::setenv("XDG_RUNTIME_DIR", before_->c_str(), 1) : ::unsetenv("XDG_RUNTIME_DIR");
    std::filesystem::remove_all(folder_);
  }
  std::string folder_;
  std::optional<std::string> before_;
};

TEST_F(WatchPoints, are_found_as_long_as_they_stand_drivers_first) {
  const WatchPointFile worker({"http://127.0.0.1:1/", "w", false, getpid(), 3000});
  {
    const WatchPointFile old({"http://127.0.0.1:2/", "d", true, getpid(), 1000});
    const WatchPointFile young({"http://127.0.0.1:3/", "e", true, getpid(), 2000});
    const auto points = WatchPoint::local();
    ASSERT_EQ(points.size(), 3u);
    EXPECT_EQ(points[0].name, "e");
    EXPECT_EQ(points[1].name, "d");
    EXPECT_EQ(points[2].url, "http://127.0.0.1:1/");
  }
  EXPECT_EQ(WatchPoint::local().size(), 1u);
}

TEST_F(WatchPoints, are_readable_by_their_user_alone) {
  const WatchPointFile point({"http://127.0.0.1:1/", "w", false, getpid(), 3000});
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/pp"))
    EXPECT_EQ(entry.status().permissions(), std::filesystem::perms(0600));
}

TEST_F(WatchPoints, of_dead_processes_are_swept_up) {
  const WatchPointFile mine({"http://127.0.0.1:1/", "w", false, getpid(), 3000});
  std::ofstream(folder_ + "/pp/1-0.watch") << "http://x/\nn\ndriver\n999999999\n5\n";
  std::ofstream(folder_ + "/pp/2-0.watch") << "half";
  EXPECT_EQ(WatchPoint::local().size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/pp/1-0.watch"));
}

TEST_F(WatchPoints, in_a_folder_that_others_can_write_to_are_neither_made_nor_believed) {
  std::filesystem::create_directory(folder_ + "/pp");
  ::chmod((folder_ + "/pp").c_str(), 0777);
  EXPECT_THROW(WatchPointFile({"http://127.0.0.1:1/", "w", false, getpid(), 3000}), Error);
  std::ofstream(folder_ + "/pp/1-0.watch") << "http://x/\nn\ndriver\n" << getpid() << "\n5\n";
  EXPECT_TRUE(WatchPoint::local().empty());
}

// ---- the whole

json status_of(const std::string& url) {
  const std::size_t colon = url.find(':', 7);
  Client client(static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1))));
  client.say("GET /status.json" + url.substr(url.find("?token=")) +
             " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string answer = client.hear();
  return json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
}

TEST_F(WatchPoints, lead_to_what_a_runtime_has_done) {
  Options options;
  options.workers = 2;
  options.http = ":0";
  options.name = "watched";
  {
    Runtime rt(options);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(rt.submit<doubled>(i).get(), 2 * i);
    for (int i = 0; i < 3; ++i) EXPECT_THROW(rt.submit<fails>(i).get(), std::exception);
    const auto points = WatchPoint::local();
    ASSERT_EQ(points.size(), 1u);
    EXPECT_EQ(points[0].name, "watched");
    const json status = status_of(points[0].url);
    EXPECT_EQ(status.at("node"), "watched");
    EXPECT_EQ(status.at("progress").at("done"), 103);
    EXPECT_GT(status.at("nodes").at(0).at("memory"), 0);
    std::map<std::string, json> functions;
    for (const json& one : status.at("functions")) functions[one.at("name")] = one;
    bool failed = false;
    for (const auto& [name, one] : functions) {
      if (name.find("doubled") != std::string::npos) EXPECT_EQ(one.at("runs"), 100);
      if (name.find("fails") == std::string::npos) continue;
      EXPECT_EQ(one.at("failed"), 3);
      failed = true;
    }
    EXPECT_TRUE(failed) << status;
    EXPECT_EQ(status.at("events").back().at("kind"), "failed");
    EXPECT_THAT(std::string(status.at("events").back().at("text")), HasSubstr("nobody knows"));
  }
  EXPECT_TRUE(WatchPoint::local().empty());
}

TEST_F(WatchPoints, tell_how_many_elements_of_a_map_are_done_and_which_failed) {
  Options options;
  options.workers = 2;
  options.http = ":0";
  Runtime rt(options);
  std::vector<int> values(1000);
  Batch<int> batch = rt.map<doubled>(values);
  batch.get();
  Batch<int> bad = rt.map<fails>(std::vector<int>(10));
  EXPECT_ANY_THROW(bad.get());
  const json status = status_of(WatchPoint::local().at(0).url);
  EXPECT_EQ(status.at("progress").at("elements"), 1010);
  EXPECT_EQ(status.at("progress").at("elements_done"), 1010);
  EXPECT_EQ(status.at("progress").at("open"), 0);
  std::uint64_t failed = 0;
  for (const json& one : status.at("functions")) failed += one.at("failed").get<std::uint64_t>();
  EXPECT_EQ(failed, 10u);
}

}  // namespace
}  // namespace pp
