// HttpDoor: where a node can be watched by HTTP: read-only, for who has its token.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "snapshot.hpp"

namespace pp::runtime {

// Answers GET and HEAD: `/` (the page), `/status.json`, `/metrics`, `/why?job=...`, `/healthz`,
// `/readyz`. A thread of its own; it does nothing while nobody asks. Nothing that is sent to it
// changes anything. Requests need the token of url(), as `?token=` or as `Authorization: Bearer`,
// and a Host that is this door's (a page of another site, whose name was made to lead here, has
// another one). Connections, the size of a request, and the time for it and for its answer are
// limited.
class HttpDoor {
 public:
  class Subject {
   public:
    virtual ~Subject() = default;
    // These are called on the door's thread, and take no more than a few tenths of a second.
    virtual Snapshot snapshot() = 0;
    // Where jobs of this name or number are and what they wait for; everything if it is empty.
    virtual std::string why(std::string_view job) = 0;
    virtual bool ready() = 0;
  };
  struct Settings {
    // "host:port"; port 0 takes any free one, an empty host means 127.0.0.1.
    std::string address;
    // /metrics, /healthz and /readyz need no token.
    bool open_health = false;
  };

  // `subject` must outlive it. Throws pp::Error where it cannot listen.
  HttpDoor(Subject& subject, Settings settings);
  ~HttpDoor();
  HttpDoor(const HttpDoor&) = delete;
  HttpDoor& operator=(const HttpDoor&) = delete;

  // Where the page is, token and all: who has it, may look.
  std::string url() const;

 private:
  class Thread;
  const std::unique_ptr<Thread> thread_;
};

}  // namespace pp::runtime
