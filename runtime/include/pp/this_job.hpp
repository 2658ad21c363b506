// this_job(): what a job may ask about itself.
#pragma once

#include <cstdint>
#include <pp/random.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace pp {

namespace runtime {
struct Frame;
}

// The job that runs on this thread. A value for use in the function that asked: it is void when
// that returns, and in a coroutine after the next co_await (ask again).
class ThisJob {
 public:
  // The same whenever the program is run with the same input and PP_SEED: made of the parent's id
  // and the order in which it spawned, or of the order in which the program submitted.
  std::uint64_t id() const;
  // 1 for the first execution; more after a node was lost.
  unsigned attempt() const;
  // The name of the node that runs it.
  const std::string& node() const;
  // JobOptions::label; empty if none was given.
  std::string_view label() const;

  // Whether it has been cancelled, has outlived JobOptions::timeout, or is void because its owner
  // is gone. A nanosecond: ask often.
  bool stop_requested() const;
  // The same as a token, for functions that take one. Callbacks run on the thread that asks for the
  // stop, which may be one of pp's own: they should be short and wait for nothing.
  std::stop_token stop_token() const;
  // Throws Cancelled if stop_requested(): the usual way to obey.
  void throw_if_stopped() const;

  // The job's own generator, which goes on from call to call. Seeded by id(): the same job draws
  // the same numbers, wherever and whenever it runs, and however often. Each element of a map has
  // one of its own.
  Random& random() const;

 private:
  friend ThisJob this_job();
  explicit ThisJob(runtime::Frame& frame) : frame_(&frame) {}

  runtime::Frame* frame_;
};

// Throws pp::Error outside a job.
ThisJob this_job();

}  // namespace pp

#pragma GCC visibility pop
