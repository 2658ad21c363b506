// Node: putting the parts together, and taking them apart.
#include "node.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <pp/network_transport.hpp>
#include <pp/usable_cores.hpp>

#include "in_seconds.hpp"
#include "page.hpp"
#include "particulars.hpp"
#include "patience.hpp"

namespace pp::runtime {

namespace {

// A worker's job may push so many children before they are run where they are spawned: enough to
// keep others busy, and bounded memory for a parent of a million.
constexpr std::int64_t kMostSpawned = 8192;

// Whether a node lives is membership's to find out; an idle session needs to speak only so often
// that nothing between the hosts forgets it.
constexpr std::chrono::seconds kKeepalive{60};

void check_workers(unsigned workers) {
  if (workers <= Queue::kMostWorkers) return;
  throw Error("pp: a node has at most " + std::to_string(Queue::kMostWorkers) + " workers, not " +
              std::to_string(workers) + "; start more nodes");
}

// Bytes.
std::size_t usual_cache() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  const std::size_t memory = pages > 0 && page > 0
                                 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page)
                                 : std::size_t{1} << 30;
  return std::min(memory / 8, std::size_t{4} << 30);
}

Failure closed() {
  return Failure::of(Failure::Kind::kClosed, "pp: the runtime ended before this job was begun");
}

// Processes that read the same clock get the same number: one kernel, and one time namespace.
std::uint64_t name_of_clock() {
  std::string name;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> name;
  struct stat space {};
  if (name.empty() || stat("/proc/self/ns/time", &space) != 0) return 0;
  return std::hash<std::string>{}(name + ' ' + std::to_string(space.st_ino)) | 1;
}

Options settled(Options options) {
  if (!options.workers) options.workers = usable_cores();
  check_workers(*options.workers);
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
  self.workers = options.workers.value_or(usable_cores());
  self.function_table = functions.fingerprint();
  self.build = __VERSION__;
  self.launch = options.launch;
  self.driver = options.role == Role::kDriver;
  return self;
}

std::unique_ptr<transport::Transport> open_transport(const Options& options,
                                                     const FunctionTable& functions) {
  if (!options.opens_network()) return nullptr;
  if (options.key_file.empty()) {
    throw Error(
        "pp: nodes that talk to each other need a cluster key: make one with pp-keygen and name "
        "its file in PP_KEY_FILE (or Options::key_file)");
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
  network.shared_memory = options.shared_memory;
  network.towards = options.peers;
  network.limits.dead = options.dead;
  network.limits.heartbeat = options.dead / 3;
  network.limits.keepalive = std::max<std::chrono::milliseconds>(kKeepalive, options.dead);
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
      job_log_(open_job_log()),
      trace_file_(open_trace_file()),
      home_(Home::open(*this, name_)),
      black_box_(open_black_box()),
      deadlines_(name_),
      queue_(0, options_.queue_limit),
      courier_(make_courier(std::move(transport))),
      crew_(*this, *options_.workers, options_.stack_bytes, queue_, deadlines_,
            courier_ ? static_cast<Crew::Outside&>(*courier_) : alone_, home_.patience(), trace_,
            black_box_.get(), chronicle_),
      sentinel_(*this, log_,
                options_.role == Role::kDriver ? options_.stalled : std::chrono::milliseconds(0)) {
  begin_trace();
  warn_of_limits();
  home_.set_without_workers(workers() == 0);
  open_door();
  if (courier_) courier_->start(crew_);
}

void Node::open_door() {
  if (options_.http.empty()) return;
  door_ = std::make_unique<HttpDoor>(static_cast<HttpDoor::Subject&>(*this),
                                     HttpDoor::Settings{options_.http, options_.http_open});
  const std::string url = door_->url();
  log_.report("http " + url);
  if (options_.report_fd < 0) log_.state("can be watched at " + url);
  try {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    watch_point_ = std::make_unique<WatchPointFile>(
        WatchPoint{url, name_, options_.role == Role::kDriver, getpid(),
                   std::chrono::duration_cast<std::chrono::milliseconds>(now).count()});
  } catch (const Error& error) {
    log_.info(std::string(error.what()) + "; pp-top has to be told the address");
  }
}

// A node can do without it. A worker whose launcher is on another host makes one itself: whoever
// looks after it here may open that, and read it when the node is dead.
std::unique_ptr<BlackBox> Node::open_black_box() {
  const bool given = options_.black_box_fd >= 0;
  if (!given && (options_.role != Role::kWorker || options_.report_fd < 0)) return nullptr;
  try {
    std::unique_ptr<BlackBox> box =
        given ? BlackBox::open(options_.black_box_fd) : BlackBox::make(1, *options_.workers);
    box->enter(id_, name_, functions_);
    if (!given) {
      log_.report("box " + std::to_string(::getpid()) + " " + std::to_string(box->descriptor()));
    }
    return box;
  } catch (const Error& error) {
    log_.warn(error.what());
    return nullptr;
  }
}

std::unique_ptr<JobLog> Node::open_job_log() {
  if (options_.role != Role::kDriver) return nullptr;
  if (options_.joblog.empty()) {
    if (!options_.resume) return nullptr;
    throw Error("pp: Options::resume needs a job log to go on from: Options::joblog");
  }
  JobLog::Settings settings;
  settings.file = options_.joblog;
  settings.resume = options_.resume;
  settings.header.functions = functions_.fingerprint();
  settings.header.seed = options_.seed;
  settings.header.build = __VERSION__;
  return std::make_unique<JobLog>(std::move(settings), log_);
}

std::unique_ptr<TraceFile> Node::open_trace_file() {
  if (options_.role != Role::kDriver || options_.trace.empty()) return nullptr;
  return std::make_unique<TraceFile>(options_.trace, id_, name_, Trace::nanoseconds(started_));
}

void Node::begin_trace() {
  trace_.call_when_due([this] {
    if (courier_) return courier_->trace_due();
    // Whoever comes second finds what he brings collected in a moment.
    const std::unique_lock collecting(collecting_, std::try_to_lock);
    if (collecting) trace_file_->collect(id_, trace_, false);
  });
  if (trace_file_) trace_.begin(TraceFile::kGrain);
}

// REQUIRES: nothing runs any more.
void Node::write_trace() {
  if (!trace_file_) return;
  trace_.end();
  trace_file_->collect(id_, trace_, true);
  try {
    const std::string said = trace_file_->write([this](std::uint64_t id) {
      const Function* function = functions_.find(id);
      return function == nullptr ? std::string_view("a function") : function->name;
    });
    if (!said.empty()) log_.warn(said);
  } catch (const Error& error) {
    log_.warn(error.what());
  }
}

std::unique_ptr<Courier> Node::make_courier(std::unique_ptr<transport::Transport> transport) {
  if (!transport) return nullptr;
  Courier::Sources sources = open_sources(options_, transport->self(), log_);
  Courier::Parts parts{queue_, log_, functions_, home_, black_box_.get(), &chronicle_};
  parts.result_secret = NodeId::random().bytes;
  parts.trace = &trace_;
  parts.trace_file = trace_file_.get();
  parts.clock = name_of_clock();
  parts.most_cached = options_.cache_bytes.value_or(usual_cache());
  return std::make_unique<Courier>(options_, std::move(transport), std::move(sources), parts);
}

void Node::warn_of_limits() {
  if (const unsigned allowed = Executor::allowed_workers(); allowed < workers()) {
    log_.warn("this program limits oneTBB to " + std::to_string(allowed) +
              " workers (tbb::global_control); pp wanted " + std::to_string(workers()));
  }
}

void Node::set_workers(unsigned workers) {
  check_workers(workers);
  home_.set_without_workers(workers == 0);
  crew_.set_workers(workers);
  if (courier_) courier_->wake();  // it tells the others
  warn_of_limits();
}

Node::~Node() {
  watch_point_.reset();
  door_.reset();
  queue_.turnstile().close();
  // What others have lent us and nobody has begun is no longer begun here: they are not to wait for
  // it until the last job that runs has ended, which may be waiting for one of theirs.
  if (courier_) courier_->begin_end();
  crew_.stop();
  deadlines_.stop();  // it may have been delivering a result to the courier
  if (courier_) courier_->stop();
  home_.close();  // what hangs on the jobs that end now fails likewise, and does not come here
  for (Job* job : queue_.drain()) {
    fail_and_finish(*job, closed());
    job->release();
  }
  home_.end_strands();
  write_trace();
  if (black_box_) black_box_->leave();
}

void Node::submit(Job& job) {
  Worker* worker = Crew::current();
  job.home = &home_;
  if (worker != nullptr && worker->node == this && worker->frame != nullptr) {
    job.id = derive(worker->frame->id, worker->frame->children++);
    if (queue_.full() && run_at_once(*worker, job)) return;
    return queue(job);
  }
  submit_as(job, identity(reserve(1)));
}

void Node::submit_as(Job& job, std::uint64_t id) {
  Collecting::of_this_thread().submitted();
  job.home = &home_;
  job.id = id;
  job.state.fetch_or(Job::kOutside, std::memory_order_relaxed);
  if (queue_.turns_away(job)) return turn_away(job);
  const auto nobody_runs_any = [this] {
    const bool others = courier_ && !courier_->nodes().empty();
    return !others && (workers() == 0 || queue_.empty());
  };
  if (queue_.full() &&
      !queue_.turnstile().wait([this] { return queue_.listed(); }, nobody_runs_any)) {
    // This node may be gone.
    if (job.claim(Job::kRunning)) fail_and_finish(job, closed());
    return job.release();
  }
  if (queue_.turns_away(job)) return turn_away(job);  // room was made by winding up
  queue(job);
}

void Node::queue(Job& job) {
  if (job.place == Where::Kind::kNode && find_particulars(job)->options.where.target() == id_)
    job.place = Where::Kind::kHere;
  const bool here = job.runs_here();
  if (!here && !travels(job)) {
    if (job.claim(Job::kRunning)) {
      fail_and_finish(job, Failure::of(Failure::Kind::kUndecodable,
                                       "pp: " + title_of(job) +
                                           " is to run on another node, but cannot travel there"));
    }
    return job.release();
  }
  // Pushed, it may be run and freed by others at once.
  const std::string title = here ? std::string() : title_of(job);
  queue_.push(&job);
  if (here) return crew_.announce();
  if (courier_) courier_->placed();
  crew_.announce_elsewhere();
  if (!courier_ && !explained_.exchange(true, std::memory_order_relaxed)) {
    log_.warn(
        "the job " + title +
        " is to run on another node, but this one has no network: it waits for ever (PP_LISTEN, "
        "PP_PEERS)");
  }
}

void Node::resume(Job& job) {
  queue_.push_resumed(&job);
  crew_.announce();
}

void Node::spawn(Worker& worker, Job& job) {
  job.id = derive(worker.frame->id, worker.frame->children++);
  job.home = &home_;
  if (job.priority != Priority::kNormal || job.place != Where::Kind::kAnywhere) {
    if (queue_.full() && run_at_once(worker, job)) return;
    return queue(job);
  }
  Deque& deque = *worker.deque;
  if (deque.size() >= kMostSpawned && run_at_once(worker, job)) return;
  deque.push(&job);
  crew_.announce();
}

// Instead of being queued. False: it has to be queued.
bool Node::run_at_once(Worker& worker, Job& job) {
  return job.runs_here() && crew_.run_now(worker, job);
}

void Node::explain_wait(const Job& job) {
  const bool others = courier_ && !courier_->nodes().empty();
  const bool nobody_here = workers() == 0 && job.place != Where::Kind::kNode;
  const bool stuck = job.runs_here() ? nobody_here && (!others || job.place == Where::Kind::kHere)
                                     : job.place == Where::Kind::kNotHere && !others;
  if (!stuck || !job.queued() || explained_.exchange(true, std::memory_order_relaxed)) return;
  const std::string what = job.kind->run == nullptr ? "somebody" : "the job " + title_of(job);
  log_.warn(job.runs_here()
                ? what +
                      " waits, but this node has 0 workers and no other node is there to run it: "
                      "see Runtime::set_workers(), PP_WORKERS"
                : what + " waits for another node to run it, and none is connected");
}

void Node::recall(Job& job) {
  if (courier_) courier_->recall(job);
}

void Node::turn_away(Job& job) {
  if (job.claim(Job::kRunning) && job.settle()) fail_and_finish(job, turned_away());
  job.release();
}

void Node::wind_up() {
  queue_.wind_up();
  for (Job* job : queue_.take_turned_away()) {
    if (!job->done() && job->settle()) fail_and_finish(*job, turned_away());
    job->release();
  }
}

bool Node::at_work() const {
  return crew_.busy() > 0 || !queue_.empty() || (courier_ && courier_->open_loans() > 0);
}

std::uint64_t Node::progress() const {
  return crew_.totals().jobs + (courier_ ? courier_->progress() : 0);
}

bool Node::waiting() const {
  return !queue_.empty() || queue_.elsewhere() + queue_.placed() > 0 || crew_.busy() > 0 ||
         (courier_ && courier_->open_loans() > 0);
}

std::string Node::describe() { return describe({}); }

std::string Node::describe(std::string_view job) {
  const Clock::time_point now = Clock::now();
  std::string lines = "state of " + name_ + " after " + in_seconds(now - started_) + ": " +
                      std::to_string(crew_.busy()) + " of " + std::to_string(workers()) +
                      " workers run jobs, " + std::to_string(crew_.totals().jobs) + " jobs done\n";
  lines += crew_.describe(now);
  const auto queued = [&](std::size_t jobs, const char* what) {
    if (jobs > 0) lines += "  " + std::to_string(jobs) + " queued " + what + '\n';
  };
  queued(queue_.own(), "to run anywhere");
  queued(queue_.pinned(), "to run here");
  queued(queue_.borrowed(), "for other nodes");
  queued(queue_.elsewhere(), "to run on any node but this one");
  queued(queue_.placed(), "to run on one other node");
  if (courier_) lines += courier_->describe(now + std::chrono::seconds(1), job);
  return lines;
}

// Of single jobs it is known how many there were, and how many wait, run or are lent at present
// (the pieces of batches among them, which are few).
Progress::Standing Node::standing() const {
  Progress::Standing standing;
  const Home::Batches batches = home_.batches();
  const std::uint64_t submitted = submitted_.load(std::memory_order_relaxed);
  const std::uint64_t single = submitted - std::min(submitted, batches.pieces);
  std::uint64_t open = queue_.listed() + crew_.busy();
  standing.nodes = 1;
  standing.workers = crew_.workers();
  standing.idle = crew_.idle();
  if (courier_) {
    open += courier_->open_loans();
    for (const NodeView& node : courier_->nodes()) {
      ++standing.nodes;
      standing.workers += node.workers;
      standing.idle += std::min(node.idle, node.workers);
    }
    standing.lost = courier_->lost();
  }
  standing.total = single + batches.elements;
  standing.done = batches.done + single - std::min(single, open);
  return standing;
}

Statistics Node::statistics() {
  Statistics statistics;
  statistics.elapsed = Clock::now() - started_;
  const Crew::Totals totals = crew_.totals();
  NodeStatistics own{id_, name_, crew_.workers(), true, totals.jobs, totals.busy, 0};
  if (job_log_) {
    const JobLog::Figures figures = job_log_->figures();
    statistics.recorded_elements = figures.elements;
    statistics.resumed_elements = figures.taken;
  }
  if (courier_) {
    Courier::Figures figures = courier_->figures(Clock::now() + std::chrono::milliseconds(250));
    own.stolen = figures.stolen;
    statistics.lent = figures.lent;
    statistics.lost = figures.lost;
    statistics.late = figures.late;
    statistics.refused_peers = figures.refused;
    statistics.misbehaved = figures.misbehaved;
    statistics.ignored = figures.ignored;
    statistics.messages = figures.messages;
    statistics.words = figures.words;
    statistics.bytes = figures.bytes;
    statistics.fetched = figures.fetched;
    statistics.fetched_bytes = figures.fetched_bytes;
    statistics.reused = figures.reused;
    statistics.given_bytes = figures.given_bytes;
    statistics.nodes = std::move(figures.nodes);
  }
  statistics.nodes.insert(statistics.nodes.begin(), std::move(own));
  return statistics;
}

Snapshot Node::snapshot() {
  constexpr std::chrono::milliseconds kAnswersWithin{100};  // who is slower is told of as before
  const Clock::time_point now = Clock::now();
  const auto seconds = [](auto time) { return std::chrono::duration<double>(time).count(); };
  Snapshot snapshot;
  snapshot.version = kVersion;
  snapshot.node = name_;
  snapshot.id = id_.short_name();
  snapshot.driver = options_.role == Role::kDriver;
  snapshot.when = std::chrono::system_clock::now();
  snapshot.elapsed = seconds(now - started_);
  const Home::Batches batches = home_.batches();
  snapshot.elements = batches.elements;
  snapshot.elements_done = batches.done;
  if (snapshot.elements > snapshot.elements_done)
    snapshot.open = snapshot.elements - snapshot.elements_done;
  snapshot.events = chronicle_.recent();
  for (const Crew::Running& one : crew_.running())
    snapshot.running.push_back({one.worker, std::string(one.function), seconds(now - one.since)});

  const Crew::Totals totals = crew_.totals();
  Snapshot::Node& self = snapshot.nodes.emplace_back();
  self.id = id_.short_name();
  self.name = name_;
  for (const auto& [name, figures] : crew_.functions_by_name()) {
    snapshot.functions[std::string(name)] = figures;
    self.functions[std::string(name)] = {static_cast<double>(figures.nanoseconds) * 1e-9,
                                         figures.running};
  }
  self.self = true;
  self.workers = workers();
  self.busy = std::min(crew_.busy(), self.workers);
  self.queued = static_cast<std::uint32_t>(queue_.own() + queue_.borrowed() + queue_.pinned() +
                                           queue_.elsewhere() + queue_.placed());
  self.jobs = totals.jobs;
  self.busy_time = seconds(totals.busy);
  // (What runs has not been added to that yet: a job of an hour would be idle time for an hour.)
  for (const Snapshot::Running& one : snapshot.running) self.busy_time += one.since;
  self.memory = crew_.memory();
  if (courier_) {
    self.address = courier_->address();
    const Courier::Figures figures = courier_->figures(now + kAnswersWithin);
    self.stolen = figures.stolen;
    self.lent = figures.lent;
    snapshot.lost = figures.lost;
    snapshot.late = figures.late;
    snapshot.refused = figures.refused;
    snapshot.misbehaved = figures.misbehaved;
    std::map<NodeId, NodeView> views;
    for (NodeView& view : courier_->nodes()) views.emplace(view.id, std::move(view));
    constexpr std::size_t kMostGone = 64;  // the table is of those who are there
    std::size_t gone = 0;
    for (const NodeStatistics& other : figures.nodes) {
      const auto view = views.find(other.id);
      if (view == views.end() && ++gone > kMostGone) continue;
      Snapshot::Node& node = snapshot.nodes.emplace_back();
      node.id = other.id.short_name();
      node.name = other.name;
      node.workers = other.workers;
      node.jobs = other.jobs;
      node.stolen = other.stolen;
      node.lent = other.lent;
      node.memory = other.memory;
      node.busy_time = seconds(other.time);
      node.state = "gone";
      if (const auto ran = figures.functions.find(other.id); ran != figures.functions.end()) {
        for (const FunctionFigures& one : ran->second) {
          const Function* function = functions_.find(one.function);
          if (function == nullptr) continue;
          const std::string name(function->name);
          snapshot.functions[name].add(one);
          node.functions[name] = {static_cast<double>(one.nanoseconds) * 1e-9, one.running};
        }
      }
      if (view == views.end()) continue;
      node.state = view->second.state == MemberState::kSuspect ? "suspect" : "alive";
      node.address = view->second.address.to_string();
      node.provider = view->second.provider;
      node.busy = node.workers - std::min(view->second.idle, node.workers);
      node.queued = view->second.queued;
      if (view->second.round_trip.count() > 0) node.round_trip = seconds(view->second.round_trip);
    }
  }
  for (const Snapshot::Node& node : snapshot.nodes)
    if (node.state != "gone") snapshot.open += node.queued + node.busy;
  return snapshot;
}

std::string Node::why(std::string_view job) { return describe(job); }

bool Node::ready() {
  if (!courier_) return true;
  if (courier_->farewell()) return false;
  const std::size_t there = courier_->nodes().size() + 1;
  return options_.role == Role::kDriver ? there >= options_.nodes : there > 1;
}

}  // namespace pp::runtime
