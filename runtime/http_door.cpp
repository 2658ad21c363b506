// HttpDoor: KJ's HTTP server, and what it lets through.
#include "http_door.hpp"

#include <kj/async-io.h>
#include <kj/compat/http.h>
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <future>
#include <list>
#include <optional>
#include <pp/address.hpp>
#include <pp/error.hpp>
#include <pp/node_id.hpp>
#include <thread>

#include "page.hpp"

namespace pp::runtime {

namespace {

constexpr std::size_t kMostConnections = 64;  // a few people and a few collectors
constexpr std::size_t kLongestUrl = 2048;
constexpr std::size_t kLongestJob = 256;
constexpr auto kHeaderTimeout = 5 * kj::SECONDS;
constexpr auto kPipelineTimeout = 10 * kj::SECONDS;
constexpr auto kAnswerTimeout = 10 * kj::SECONDS;
constexpr auto kAfterFailure = 100 * kj::MILLISECONDS;
// Whoever asks again within this time is told the same.
constexpr std::chrono::milliseconds kFresh{250};

// Takes as long for any two texts of one length.
bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char different = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    different = static_cast<unsigned char>(different | (a[i] ^ b[i]));
  return different == 0;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_number_of_a_host(std::string_view host) {
  if (host.find(':') != std::string_view::npos) return true;  // no name has colons
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// "name:80", "[::1]:80", "name" without the port, in small letters.
std::string host_of(std::string_view header) {
  if (header.starts_with('[')) {
    const std::size_t end = header.find(']');
    return end == std::string_view::npos ? std::string() : lower(header.substr(1, end - 1));
  }
  return lower(header.substr(0, header.find(':')));
}

// The value of this name in a query, with %XX and + decoded; empty if there is none.
std::string parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != name) continue;
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto digit = [&](std::size_t at) {
        const char c = at < value.size() ? value[at] : 'x';
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
      };
      if (value[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
        out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
        i += 2;
      } else {
        out += value[i] == '+' ? ' ' : value[i];
      }
    }
    return out;
  }
  return {};
}

Address parse(const std::string& text) {
  Address address = Address::parse((text.starts_with(':') ? "127.0.0.1" : "") + text);
  return address;
}

struct Answer {
  unsigned code = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::string policy = "default-src 'none'; frame-ancestors 'none'";
};

const char* words(unsigned code) {
  switch (code) {
    case 200:
      return "OK";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 414:
      return "URI Too Long";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

kj::StringPtr to_kj(const std::string& text) { return {text.c_str(), text.size()}; }

// What comes of a request; it knows no connection.
class Doorkeeper {
 public:
  Doorkeeper(HttpDoor::Subject& subject, bool open_health, std::string host, std::string token)
      : subject_(subject),
        open_health_(open_health),
        host_(lower(host)),
        any_address_(host_ == "0.0.0.0" || host_ == "::" || host_ == "*"),
        token_(std::move(token)) {}

  Answer answer(bool get_or_head, std::string_view url, std::optional<std::string_view> host,
                std::string_view authorization) {
    if (!get_or_head) return {405, kText, "this door is only for looking: GET and HEAD\n"};
    if (url.size() > kLongestUrl) return {414, kText, "an address of this door is shorter\n"};
    if (!host || !knows(*host)) {
      return {403, kText,
              "the Host header names another host than this door's: use the address that the node "
              "printed\n"};
    }
    const std::size_t mark = std::min(url.find('?'), url.size());
    const std::string_view path = url.substr(0, mark);
    const std::string_view query = url.substr(std::min(mark + 1, url.size()));
    const bool health = path == "/healthz" || path == "/readyz" || path == "/metrics";
    if (!(health && open_health_) && !has_token(query, authorization)) {
      return {401, kText,
              "the token is missing or wrong: use the whole address that the node printed\n"};
    }
    if (path == "/healthz") return {200, kText, "ok\n"};
    if (path == "/readyz") {
      if (subject_.ready()) return {200, kText, "ready\n"};
      return {503, kText, "not ready: nodes are missing, or this one is leaving\n"};
    }
    if (path == "/metrics")
      return {200, "text/plain; version=0.0.4; charset=utf-8", to_prometheus(snapshot())};
    if (path == "/status.json") return {200, "application/json", to_json(snapshot())};
    if (path == "/why") {
      const std::string job = parameter(query, "job");
      if (job.size() > kLongestJob) return {414, kText, "a job's name is shorter\n"};
      return {200, kText, subject_.why(job)};
    }
    if (path == "/") return page();
    return {404, kText,
            "there are /, /status.json, /metrics, /why?job=NAME, /healthz and /readyz\n"};
  }

 private:
  static constexpr const char* kText = "text/plain; charset=utf-8";

  // Somebody's page may have been given a name that leads here, and its scripts would be taken for
  // this page's: such a request names that host.
  bool knows(std::string_view header) const {
    const std::string host = host_of(header);
    return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == host_ ||
           (any_address_ && is_number_of_a_host(host));
  }

  bool has_token(std::string_view query, std::string_view authorization) const {
    constexpr std::string_view kBearer = "bearer ";
    if (lower(authorization.substr(0, kBearer.size())) == kBearer)
      return same(authorization.substr(kBearer.size()), token_);
    return same(parameter(query, "token"), token_);
  }

  // Its own script and style run, and nothing else does.
  static Answer page() {
    const std::string nonce = NodeId::random().to_string();
    constexpr std::string_view kPlace = "NONCE_OF_THIS_ANSWER";
    std::string html(kPage);
    for (std::size_t at = html.find(kPlace); at != std::string::npos; at = html.find(kPlace, at))
      html.replace(at, kPlace.size(), nonce);
    return {200, "text/html; charset=utf-8", std::move(html),
            "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
                "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'"};
  }

  const Snapshot& snapshot() {
    const auto now = std::chrono::steady_clock::now();
    if (!last_ || now - taken_ > kFresh) {
      last_ = subject_.snapshot();
      taken_ = std::chrono::steady_clock::now();
    }
    return *last_;
  }

  HttpDoor::Subject& subject_;
  const bool open_health_;
  const std::string host_;
  const bool any_address_;
  const std::string token_;
  std::optional<Snapshot> last_;
  std::chrono::steady_clock::time_point taken_{};
};

class Service final : public kj::HttpService, public kj::HttpServerErrorHandler {
 public:
  Service(Doorkeeper& keeper, kj::HttpHeaderTable::Builder builder, kj::Timer& timer)
      : keeper_(keeper),
        timer_(timer),
        authorization_(builder.add("Authorization")),
        policy_(builder.add("Content-Security-Policy")),
        sniffing_(builder.add("X-Content-Type-Options")),
        caching_(builder.add("Cache-Control")),
        referrer_(builder.add("Referrer-Policy")),
        origin_(builder.add("Cross-Origin-Resource-Policy")),
        allow_(builder.add("Allow")),
        challenge_(builder.add("WWW-Authenticate")),
        table_(builder.build()) {}

  const kj::HttpHeaderTable& table() const { return *table_; }

  kj::Promise<void> request(kj::HttpMethod method, kj::StringPtr url,
                            const kj::HttpHeaders& headers, kj::AsyncInputStream&,
                            Response& response) override {
    const auto header = [&](kj::HttpHeaderId id) -> std::optional<std::string_view> {
      KJ_IF_MAYBE (value, headers.get(id)) return std::string_view(value->begin(), value->size());
      return std::nullopt;
    };
    const bool get_or_head = method == kj::HttpMethod::GET || method == kj::HttpMethod::HEAD;
    return send(keeper_.answer(get_or_head, {url.begin(), url.size()},
                               header(kj::HttpHeaderId::HOST), header(authorization_).value_or("")),
                response);
  }

  // Nothing that clients do is worth a line in our log.
  kj::Promise<void> handleClientProtocolError(kj::HttpHeaders::ProtocolError error,
                                              kj::HttpService::Response& response) override {
    return send({error.statusCode, "text/plain; charset=utf-8",
                 std::string(error.description.begin(), error.description.size()) + '\n'},
                response);
  }
  kj::Promise<void> handleApplicationError(kj::Exception,
                                           kj::Maybe<kj::HttpService::Response&>) override {
    return kj::READY_NOW;
  }
  kj::Promise<void> handleNoResponse(kj::HttpService::Response&) override { return kj::READY_NOW; }

 private:
  kj::Promise<void> send(Answer answer, Response& response) {
    kj::HttpHeaders headers(*table_);
    headers.set(kj::HttpHeaderId::CONTENT_TYPE, to_kj(answer.type));
    headers.set(policy_, to_kj(answer.policy));
    headers.set(sniffing_, "nosniff");
    headers.set(caching_, "no-store");
    headers.set(referrer_, "no-referrer");
    headers.set(origin_, "same-origin");
    if (answer.code == 405) headers.set(allow_, "GET, HEAD");
    if (answer.code == 401) headers.set(challenge_, "Bearer");
    auto body = kj::heapString(answer.body.data(), answer.body.size());
    auto stream = response.send(answer.code, words(answer.code), headers,
                                static_cast<std::uint64_t>(body.size()));
    auto written = stream->write(body.begin(), body.size());
    // Who does not read the answer has the connection no longer than this.
    return timer_.timeoutAfter(kAnswerTimeout, written.attach(kj::mv(stream), kj::mv(body)));
  }

  Doorkeeper& keeper_;
  kj::Timer& timer_;
  const kj::HttpHeaderId authorization_, policy_, sniffing_, caching_, referrer_, origin_, allow_,
      challenge_;
  const kj::Own<kj::HttpHeaderTable> table_;
};

// Accepts, and keeps the connections few: when there are too many, the oldest goes.
class Connections final : private kj::TaskSet::ErrorHandler {
 public:
  Connections(kj::ConnectionReceiver& port, kj::HttpServer& server, kj::Timer& timer)
      : port_(port), server_(server), timer_(timer), tasks_(*this) {}

  kj::Promise<void> accept() {
    return port_.accept().then(
        [this](kj::Own<kj::AsyncIoStream> stream) {
          take(kj::mv(stream));
          return accept();
        },
        // No descriptor left, or the client has gone already: the next one may be luckier. Not at
        // once: who waits without a descriptor for it would be found again, and again.
        [this](kj::Exception&& why) -> kj::Promise<void> {
          if (why.getType() == kj::Exception::Type::FAILED) return kj::NEVER_DONE;
          return timer_.afterDelay(kAfterFailure).then([this] { return accept(); });
        });
  }

 private:
  void take(kj::Own<kj::AsyncIoStream> stream) {
    if (open_.size() >= kMostConnections) open_.front()->fulfill();
    auto end = kj::newPromiseAndFulfiller<void>();
    const auto place = open_.insert(open_.end(), kj::mv(end.fulfiller));
    tasks_.add(server_.listenHttp(kj::mv(stream))
                   .exclusiveJoin(kj::mv(end.promise))
                   .attach(kj::defer([this, place] { open_.erase(place); })));
  }
  void taskFailed(kj::Exception&&) override {}  // a connection broke: the client's business

  kj::ConnectionReceiver& port_;
  kj::HttpServer& server_;
  kj::Timer& timer_;
  std::list<kj::Own<kj::PromiseFulfiller<void>>> open_;  // the oldest first
  kj::TaskSet tasks_;                                    // after what its tasks touch when they end
};

}  // namespace

class HttpDoor::Thread {
 public:
  Thread(Subject& subject, Settings settings)
      : address_(parse(settings.address)), token_(NodeId::random().to_string()) {
    std::promise<std::uint16_t> listening;
    std::future<std::uint16_t> port = listening.get_future();
    thread_ = std::thread(
        [this, &subject, settings, &listening] { run(subject, settings.open_health, listening); });
    try {
      address_.port = port.get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  ~Thread() {
    end_->fulfill();
    thread_.join();
  }

  std::string url() const {
    Address shown = address_;
    if (shown.host == "0.0.0.0" || shown.host == "*") shown.host = "127.0.0.1";
    if (shown.host == "::") shown.host = "::1";
    return "http://" + shown.to_string() + "/?token=" + token_;
  }

 private:
  void run(Subject& subject, bool open_health, std::promise<std::uint16_t>& listening) {
    // Signals are for threads of the program; and KJ would have it ignore SIGPIPE for ever, where
    // it is enough that it does not come here.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    struct sigaction pipe {};
    sigaction(SIGPIPE, nullptr, &pipe);
    bool open = false;
    try {
      auto io = kj::setupAsyncIo();
      sigaction(SIGPIPE, &pipe, nullptr);
      auto end = kj::newPromiseAndCrossThreadFulfiller<void>();
      end_ = kj::mv(end.fulfiller);
      const std::string host =
          address_.host.find(':') == std::string::npos ? address_.host : '[' + address_.host + ']';
      auto where =
          io.provider->getNetwork().parseAddress(to_kj(host), address_.port).wait(io.waitScope);
      auto port = where->listen();
      Doorkeeper keeper(subject, open_health, address_.host, token_);
      auto& timer = io.provider->getTimer();
      Service service(keeper, kj::HttpHeaderTable::Builder(), timer);
      kj::HttpServerSettings settings;
      settings.headerTimeout = kHeaderTimeout;
      settings.pipelineTimeout = kPipelineTimeout;
      settings.canceledUploadGraceBytes = 0;
      settings.errorHandler = service;
      kj::HttpServer server(timer, service.table(), service, settings);
      Connections connections(*port, server, timer);
      open = true;
      listening.set_value(static_cast<std::uint16_t>(port->getPort()));
      connections.accept().exclusiveJoin(kj::mv(end.promise)).wait(io.waitScope);
    } catch (const kj::Exception& error) {
      if (open) return;  // nobody can look any more; the node works on
      sigaction(SIGPIPE, &pipe, nullptr);
      listening.set_exception(std::make_exception_ptr(
          Error("pp: no door for watchers at " + address_.to_string() + " (PP_HTTP): " +
                std::string(error.getDescription().begin(), error.getDescription().size()) +
                "; expected an address of this host and a free port, or port 0")));
    }
  }

  Address address_;
  const std::string token_;
  kj::Own<kj::CrossThreadPromiseFulfiller<void>> end_;  // made by the thread, before it listens
  std::thread thread_;
};

HttpDoor::HttpDoor(Subject& subject, Settings settings)
    : thread_(std::make_unique<Thread>(subject, std::move(settings))) {}

HttpDoor::~HttpDoor() = default;

std::string HttpDoor::url() const { return thread_->url(); }

}  // namespace pp::runtime
