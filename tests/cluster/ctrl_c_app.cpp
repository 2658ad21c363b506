// ctrl_c_app: a program that is interrupted.
//
//   ctrl_c_app own      has a handler of its own for SIGINT: waits for it, says so, ends with 7
//   ctrl_c_app catches  maps for a quarter of an hour, says why the map ended, and ends with 0
#include <csignal>
#include <iostream>
#include <pp/pp.hpp>
#include <string_view>
#include <thread>
#include <vector>

namespace {

volatile std::sig_atomic_t interrupted = 0;

int nap(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  return milliseconds;
}

int own(pp::Runtime& rt) {
  std::cout << "at work" << std::endl;
  while (interrupted == 0) rt.submit<nap>(1).get();
  std::cout << "interrupted, and still able to count to " << rt.submit<nap>(2).get() << std::endl;
  return 7;
}

int catches(pp::Runtime& rt) {
  rt.submit<nap>(1).get();
  std::cout << "at work" << std::endl;
  try {
    rt.map<nap>(std::vector<int>(100'000, 10)).get();
  } catch (const pp::Closed& closed) {
    std::cout << "ended: " << closed.what() << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "own") std::signal(SIGINT, [](int) { interrupted = 1; });
  return pp::run(argc, argv,
                 [&](pp::Runtime& rt) { return what == "own" ? own(rt) : catches(rt); });
}
