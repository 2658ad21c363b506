// Tcp: two threads at the ends of a loopback connection, the least that any message costs.
#pragma once

#include <cstddef>
#include <thread>
#include <vector>

#include "pin.hpp"

namespace pp::bench {

// A TCP connection of this process with itself, without delay. The other end's thread, on the
// second core, sends back whatever comes in pieces of `echo` bytes, or, with echo of 0, one byte
// for each `bulk` bytes.
class TcpEcho {
 public:
  TcpEcho(std::size_t echo, std::size_t bulk, Waiting waiting = Waiting::kAsleep);
  ~TcpEcho();
  TcpEcho(const TcpEcho&) = delete;
  TcpEcho& operator=(const TcpEcho&) = delete;

  // All of it, or the program ends.
  void write(const void* bytes, std::size_t count) const;
  void read(void* bytes, std::size_t count) const;
  // What is there, one byte at least.
  std::size_t read_some(void* bytes, std::size_t most) const;

 private:
  int here_ = -1, there_ = -1;
  const int flags_;  // of every recv()
  std::thread other_;
};

}  // namespace pp::bench
