// http_get: a connection for each request; nodes are near, and requests few.
#include "http_get.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <pp/error.hpp>

#include "descriptor.hpp"
#include "report_line.hpp"

namespace pp::tools {
namespace {

constexpr std::size_t kLargest = std::size_t{64} << 20;  // bytes of an answer

using Clock = std::chrono::steady_clock;

void wait_for(int socket, short what, Clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) throw Error("it does not answer in time");
    pollfd one{socket, what, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(left));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw Error(std::strerror(errno));
  }
}

Descriptor connected(const DoorUrl& door, Clock::time_point deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(door.host.c_str(), door.port.c_str(), &hints, &found))
    throw Error(::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, &::freeaddrinfo);
  std::string why = "there is no such address";
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Descriptor socket(
        ::socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol));
    if (!socket.open()) continue;
    int error = ::connect(socket.get(), at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      wait_for(socket.get(), POLLOUT, deadline);
      socklen_t size = sizeof error;
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) return socket;
    why = std::strerror(error);
  }
  throw Error(why);
}

std::string exchange(const DoorUrl& door, const std::string& request, Clock::time_point deadline) {
  const Descriptor socket = connected(door, deadline);
  for (std::size_t sent = 0; sent < request.size();) {
    wait_for(socket.get(), POLLOUT, deadline);
    const ssize_t count =
        ::send(socket.get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) throw Error(std::strerror(errno));
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  std::string answer;
  for (;;) {
    wait_for(socket.get(), POLLIN, deadline);
    char bytes[65536];
    const ssize_t count = ::recv(socket.get(), bytes, sizeof bytes, 0);
    if (count == 0) return answer;
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      throw Error(std::strerror(errno));
    }
    answer.append(bytes, static_cast<std::size_t>(count));
    if (answer.size() > kLargest) throw Error("its answer has no end");
    // KJ keeps the connection for the next request: the length tells where the answer ends.
    const std::size_t head = answer.find("\r\n\r\n");
    if (head == std::string::npos) continue;
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    const std::size_t at = answer.find(kLength);
    std::size_t length = 0;
    if (at < head &&
        std::from_chars(answer.data() + at + kLength.size(), answer.data() + head, length).ec ==
            std::errc{} &&
        answer.size() >= head + 4 + length)
      return answer;
  }
}

}  // namespace

DoorUrl DoorUrl::parse(std::string_view text) {
  const auto refuse = [&] {
    throw Error(std::string(text) +
                ": expected the address that a node with PP_HTTP, or pp-launch --http, has "
                "printed: http://HOST:PORT/?token=TOKEN");
  };
  std::string_view rest = text;
  constexpr std::string_view kScheme = "http://";
  if (!rest.starts_with(kScheme)) refuse();
  rest.remove_prefix(kScheme.size());
  DoorUrl url;
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view where = rest.substr(0, slash);
  const std::size_t colon = where.rfind(':');
  if (colon == std::string_view::npos || colon == 0) refuse();
  url.host = where.substr(0, colon);
  if (url.host.starts_with('[') && url.host.ends_with(']'))
    url.host = url.host.substr(1, url.host.size() - 2);
  url.port = where.substr(colon + 1);
  if (url.port.empty() || url.port.find_first_not_of("0123456789") != std::string::npos) refuse();
  const std::size_t token = rest.find("token=");
  if (token != std::string_view::npos) {
    url.token = rest.substr(token + 6);
    url.token = url.token.substr(0, url.token.find_first_of("&#"));
  }
  for (const char c : url.token)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) refuse();
  return url;
}

std::string http_get(const DoorUrl& door, std::string_view path, std::chrono::milliseconds limit) {
  const bool v6 = door.host.find(':') != std::string::npos;
  const std::string host = (v6 ? '[' + door.host + ']' : door.host) + ':' + door.port;
  std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + host + "\r\n";
  if (!door.token.empty()) request += "Authorization: Bearer " + door.token + "\r\n";
  request += "Connection: close\r\n\r\n";
  std::string answer;
  try {
    answer = exchange(door, request, Clock::now() + limit);
  } catch (const Error& error) {
    throw Error("no answer from the node at " + host + ": " + error.what());
  }
  const std::size_t head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 ") || head == std::string::npos)
    throw Error("what answers at " + host + " is no node of pp");
  std::string body = answer.substr(head + 4);
  if (answer.compare(9, 4, "200 ") != 0) {
    while (!body.empty() && body.back() == '\n') body.pop_back();
    throw Error("the node at " + host + " refuses: " + printable(body));
  }
  return body;
}

std::string percent_encoded(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

}  // namespace pp::tools
