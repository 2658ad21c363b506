// Reporter: the thread that shows a driver's progress.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "log.hpp"
#include "progress.hpp"

namespace pp::runtime {

// On a terminal one line, written over again twice a second while there is something to wait for;
// elsewhere a line of the log now and then. It wakes up to look, and does nothing else when nothing
// runs.
class Reporter {
 public:
  // `standing` may be called on the reporter's thread as long as it lives. Both must outlive it.
  Reporter(Log& log, ProgressSetting setting, std::function<Progress::Standing()> standing);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

 private:
  void run();

  Log& log_;
  const ProgressSetting setting_;
  const std::function<Progress::Standing()> standing_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others; none if nothing is to be shown
};

}  // namespace pp::runtime
