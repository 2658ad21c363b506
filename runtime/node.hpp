// Node: the whole machine; its members in order of construction show how it hangs together.
#pragma once

#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/function_table.hpp>
#include <pp/options.hpp>
#include <pp/statistics.hpp>
#include <pp/transport.hpp>
#include <string>

#include "courier.hpp"
#include "crew.hpp"
#include "log.hpp"
#include "queue.hpp"
#include "watch_list.hpp"

namespace pp::runtime {

// "host:pid".
std::string default_name();

// Opens the network that the options ask for; null if none. Throws pp::Error.
std::unique_ptr<transport::Transport> open_transport(const Options& options,
                                                     const FunctionTable& functions);

// What this node says of itself, but for its addresses.
transport::Introduction introduction(const Options& options, const FunctionTable& functions);

class Node {
 public:
  // `transport` may be null: a node of its own.
  Node(const Options& options, std::unique_ptr<transport::Transport> transport);
  explicit Node(const Options& options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // A job from outside the crew. Takes over one reference.
  void submit(Job& job);
  // A child of the job that runs on `worker`. Takes over one reference.
  void spawn(Worker& worker, Job& job);

  bool wait(Job& job, Clock::time_point deadline) { return crew_.wait(job, deadline); }

  const std::string& name() const { return name_; }
  NodeId id() const { return id_; }
  unsigned workers() const { return crew_.workers(); }
  Crew& crew() { return crew_; }
  Courier* courier() { return courier_.get(); }
  Log& log() { return log_; }
  const Options& options() const { return options_; }
  Statistics statistics();

 private:
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
  WatchList watch_list_;
  Queue queue_;
  Alone alone_;
  std::unique_ptr<Courier> courier_;  // null without a network
  Crew crew_;
};

}  // namespace pp::runtime
