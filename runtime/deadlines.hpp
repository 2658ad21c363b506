// Deadlines: the thread that ends the time of jobs that have a limit, and tells jobs to stop for
// those who must not run user code.
#pragma once

#include <condition_variable>
#include <map>
#include <pp/job.hpp>
#include <thread>
#include <vector>

#include "guarded.hpp"
#include "particulars.hpp"

namespace pp::runtime {

// The clock of a job runs from begin() to end(), and stands between pause() and resume(). When its
// time is over, the job is settled with Timeout on the thread of this class, whoever waits is told,
// and the execution is told to stop; the callbacks that jobs register on their stop tokens run
// there too. The thread starts when it is first needed. Any thread may call any member.
class Deadlines {
 public:
  using Clock = std::chrono::steady_clock;

  // `node` is the name that messages give.
  explicit Deadlines(std::string node) : node_(std::move(node)) {}
  ~Deadlines();
  // Ends the thread; nobody is told to stop any more. REQUIRES: no execution runs any more.
  void stop();

  // REQUIRES: has_time_limit(job); called by its execution, in this order.
  void begin(Job& job);
  void pause(Job& job);
  void resume(Job& job);
  void end(Job& job);

  // Tells a job to stop, soon, on this class's thread.
  void tell_to_stop_soon(Job& job);

 private:
  struct Agenda {
    std::multimap<Clock::time_point, Job*> due;  // each with a reference
    std::vector<Job*> to_stop;                   // likewise
    bool ending = false;
    bool started = false;
    void check() const {}
  };

  void insert(Job& job, std::chrono::nanoseconds left);
  bool erase(Job& job);
  void start(Agenda& agenda);
  void run();
  void expire(Job& job);

  const std::string node_;
  Guarded<Agenda> agenda_;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace pp::runtime
