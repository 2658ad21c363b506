// Node: the whole machine; its members in order of construction show how it hangs together.
#pragma once

#include <memory>
#include <mutex>
#include <pp/black_box.hpp>
#include <pp/cluster_key.hpp>
#include <pp/function_table.hpp>
#include <pp/options.hpp>
#include <pp/statistics.hpp>
#include <pp/transport.hpp>
#include <pp/watch_point.hpp>
#include <string>

#include "chronicle.hpp"
#include "courier.hpp"
#include "crew.hpp"
#include "deadlines.hpp"
#include "home.hpp"
#include "http_door.hpp"
#include "job_log.hpp"
#include "log.hpp"
#include "node_local.hpp"
#include "progress.hpp"
#include "queue.hpp"
#include "sentinel.hpp"
#include "trace.hpp"
#include "trace_file.hpp"

namespace pp::runtime {

// "host:pid".
std::string default_name();

// Opens the network that the options ask for; null if none. Throws pp::Error.
std::unique_ptr<transport::Transport> open_transport(const Options& options,
                                                     const FunctionTable& functions);

// Where the options say that others are to be found. Throws pp::Error.
Courier::Sources open_sources(const Options& options, const transport::Introduction& self,
                              Log& log);

// What this node says of itself, but for its addresses.
transport::Introduction introduction(const Options& options, const FunctionTable& functions);

class Node final : private Sentinel::Subject, private HttpDoor::Subject {
 public:
  // `transport` may be null: a node of its own.
  Node(const Options& options, std::unique_ptr<transport::Transport> transport);
  explicit Node(const Options& options);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // A new job, from any thread; one that is no worker of this node waits while the queue is full.
  // Takes over one reference.
  void submit(Job& job);
  // The same from outside of this node's jobs, with an identity that was reserved: identity(n).
  void submit_as(Job& job, std::uint64_t id);
  // The first of so many numbers in a row, for jobs from outside of jobs.
  std::uint64_t reserve(std::uint64_t count) {
    return submitted_.fetch_add(count, std::memory_order_relaxed);
  }
  std::uint64_t identity(std::uint64_t n) const { return derive(options_.seed, n); }
  // A child of the job that runs on `worker`. Takes over one reference.
  void spawn(Worker& worker, Job& job);
  // A job that has its home and its identity already, and may be known to others: a callback, a
  // coroutine that goes on. Takes over one reference; never blocks for long.
  void queue(Job& job);
  // Somebody has been waiting for this job for a while: if nobody here or elsewhere could run it,
  // the log says so, once.
  void explain_wait(const Job& job);
  // A coroutine goes on. From any thread.
  void resume(Job& job);
  // A lent job that is not wanted any more.
  void recall(Job& job);

  // The program is asked to end: what no job has spawned and nobody has begun fails with Closed,
  // now or when it comes: to be called again as long as something is lent, which may come back. Any
  // thread.
  void wind_up();
  // Jobs run here, or jobs of this node elsewhere, or some are about to (a moment ago).
  bool at_work() const;
  // Some job has come from outside of jobs, at any time.
  bool has_worked() const { return submitted_.load(std::memory_order_relaxed) > 0; }

  bool wait(Job& job, Clock::time_point deadline) { return crew_.wait(job, deadline); }

  const std::string& name() const { return name_; }
  NodeId id() const { return id_; }
  unsigned workers() const { return crew_.workers(); }
  // Throws pp::Error past Queue::kMostWorkers.
  void set_workers(unsigned workers);
  Crew& crew() { return crew_; }
  Courier* courier() { return courier_.get(); }
  Log& log() { return log_; }
  Home& home() { return home_; }
  Deadlines& deadlines() { return deadlines_; }
  NodeLocals& locals() { return locals_; }
  // What the nodes of this launch on this host are running; null if nobody wants to know.
  const BlackBox* black_box() const { return black_box_.get(); }
  // Null unless this is a driver with one.
  JobLog* job_log() { return job_log_.get(); }
  const Options& options() const { return options_; }
  Statistics statistics();
  // How far the program's body is. Any thread; asks nobody.
  Progress::Standing standing() const;

  // What is waited for, where it is and since when: several lines. Any thread; also while every
  // worker is stuck.
  std::string describe() override;
  // The same, with the loans of jobs that have this in their name, label or number.
  std::string describe(std::string_view job);
  Sentinel& sentinel() { return sentinel_; }

  // HttpDoor::Subject
  Snapshot snapshot() override;
  std::string why(std::string_view job) override;
  bool ready() override;

 private:
  std::uint64_t progress() const override;
  bool waiting() const override;
  std::unique_ptr<BlackBox> open_black_box();
  std::unique_ptr<JobLog> open_job_log();
  std::unique_ptr<TraceFile> open_trace_file();
  void begin_trace();
  void write_trace();
  std::unique_ptr<Courier> make_courier(std::unique_ptr<transport::Transport> transport);
  void turn_away(Job& job);
  bool run_at_once(Worker& worker, Job& job);
  void warn_of_limits();
  void open_door();
  struct Alone final : Crew::Outside {
    void wake() noexcept override {}
    void hungry() noexcept override {}
  };

  const Options options_;
  const FunctionTable& functions_;
  const Clock::time_point started_;
  const NodeId id_;
  const std::string name_;
  Log log_;
  const std::unique_ptr<JobLog> job_log_;        // null unless this is a driver with one
  const std::unique_ptr<TraceFile> trace_file_;  // likewise
  Trace trace_;
  // Held while this node's own records are collected without a courier.
  std::mutex collecting_;
  Chronicle chronicle_;
  Home& home_;
  NodeLocals locals_;
  std::unique_ptr<BlackBox> black_box_;
  // Relaxed: only counts.
  std::atomic<std::uint64_t> submitted_{0};
  Deadlines deadlines_;
  Queue queue_;
  Alone alone_;
  // Relaxed: only that a sentence is said once.
  std::atomic<bool> explained_{false};
  std::unique_ptr<Courier> courier_;  // null without a network
  Crew crew_;
  Sentinel sentinel_;                            // these last: they look at all of them
  std::unique_ptr<WatchPointFile> watch_point_;  // null: nobody can look, or find it
  std::unique_ptr<HttpDoor> door_;               // null: nobody can look
};

}  // namespace pp::runtime
