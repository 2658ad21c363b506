// Node: putting the parts together, and taking them apart.
#include "node.hpp"

#include <unistd.h>

#include <algorithm>
#include <pp/network_transport.hpp>
#include <pp/usable_cores.hpp>

namespace pp::runtime {

namespace {

Options settled(Options options) {
  if (options.workers == 0) options.workers = usable_cores();
  if (options.name.empty()) options.name = default_name();
  return options;
}

}  // namespace

std::string default_name() {
  char host[65] = {};
  gethostname(host, sizeof host - 1);
  return std::string(host).substr(0, 48) + ":" + std::to_string(getpid());
}

transport::Introduction introduction(const Options& options, const FunctionTable& functions) {
  transport::Introduction self;
  self.node = NodeId::random();
  self.name = options.name.empty() ? default_name() : options.name;
  self.workers = options.workers == 0 ? usable_cores() : options.workers;
  self.function_table = functions.fingerprint();
  self.build = __VERSION__;
  self.launch = options.launch;
  return self;
}

std::unique_ptr<transport::Transport> open_transport(const Options& options,
                                                     const FunctionTable& functions) {
  if (!options.opens_network()) return nullptr;
  if (options.key_file.empty()) {
    throw Error(
        "pp: nodes that talk to each other need a cluster key: make one with pp-keygen and name "
        "its file in PP_KEY_FILE "
        "(or Options::key_file)");
  }
  transport::NetworkOptions network;
  network.introduction = introduction(options, functions);
  if (!options.listen.empty()) {
    network.listen = options.listen.starts_with(':')
                         ? Address{"", Address::parse("x" + options.listen).port}
                         : Address::parse(options.listen);
  }
  network.interface = options.interface;
  network.fabric = options.fabric;
  return transport::open_network(ClusterKey::load(options.key_file), std::move(network));
}

Node::Node(const Options& options)
    : Node(options, open_transport(options, FunctionTable::seal())) {}

Node::Node(const Options& options, std::unique_ptr<transport::Transport> transport)
    : options_(settled(options)),
      functions_(FunctionTable::seal()),
      started_(Clock::now()),
      id_(transport ? transport->self().node : NodeId::random()),
      name_(transport ? transport->self().name : options_.name),
      log_(name_, options_.report_fd),
      queue_(options_.workers),
      courier_(transport ? std::make_unique<Courier>(options_, std::move(transport),
                                                     Courier::Parts{queue_, log_, functions_})
                         : nullptr),
      crew_(*this, options_.workers, options_.stack_bytes, queue_, watch_list_,
            courier_ ? static_cast<Crew::Outside&>(*courier_) : alone_) {
  if (const unsigned allowed = Executor::allowed_workers(); allowed < options_.workers) {
    log_.warn("this program limits oneTBB to " + std::to_string(allowed) +
              " workers (tbb::global_control); pp wanted " + std::to_string(options_.workers));
  }
  if (courier_) courier_->start(crew_);
}

Node::~Node() {
  crew_.stop();
  if (courier_) courier_->stop();
  for (Job* job : queue_.drain()) {
    if (job->kind->store_failure != nullptr) {
      job->kind->store_failure(
          *job,
          Failure::of(Failure::Kind::kClosed, "pp: the runtime ended before this job was begun"));
    }
    crew_.finish(*job);
    job->release();
  }
}

void Node::submit(Job& job) {
  job.node = this;
  queue_.push_outside(&job);
  crew_.announce();
}

void Node::spawn(Worker& worker, Job& job) {
  job.node = this;
  queue_.deque(worker.index).push(&job);
  crew_.announce();
}

Statistics Node::statistics() {
  Statistics statistics;
  statistics.elapsed = Clock::now() - started_;
  const Crew::Totals totals = crew_.totals();
  NodeStatistics own{id_, name_, crew_.workers(), true, totals.jobs, totals.busy, 0};
  if (courier_) {
    Courier::Figures figures = courier_->figures(Clock::now() + std::chrono::milliseconds(250));
    own.stolen = figures.stolen;
    statistics.lent = figures.lent;
    statistics.lost = figures.lost;
    statistics.late = figures.late;
    statistics.refused_peers = figures.refused;
    statistics.nodes = std::move(figures.nodes);
  }
  statistics.nodes.insert(statistics.nodes.begin(), std::move(own));
  return statistics;
}

}  // namespace pp::runtime
