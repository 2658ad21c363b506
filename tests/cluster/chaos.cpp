// Chaos: faults by the plan, and everything that the nodes say held against what they should.
#include "chaos.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iomanip>
#include <ostream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "fleet.hpp"
#include "recoveries.hpp"
#include "report_line.hpp"

namespace pp::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

// What a healthy cluster needs far less than, on the slowest machine.
constexpr seconds kToJoin{60};
constexpr seconds kToLeave{60};
constexpr seconds kToEnd{120};
constexpr milliseconds kDrain{5000};  // PP_DRAIN: some of the jobs have to be given back

// Something that must not happen: ends the chaos.
using Complaint = std::runtime_error;

milliseconds since(Time begin) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
}

// Every fault and every line with its time, for whoever looks for a cause.
class Timeline {
 public:
  explicit Timeline(const std::string& file) {
    if (file.empty()) return;
    out_.open(file);
    if (!out_) throw std::runtime_error(file + " cannot be written");
  }
  void say(std::string_view who, std::string_view what) {
    if (!out_.is_open()) return;
    const milliseconds at = since(begin_);
    out_ << std::setw(8) << at.count() << " ms  " << who << ": " << what << std::endl;
  }
  bool is_kept() const { return out_.is_open(); }

 private:
  const Time begin_ = Clock::now();
  std::ofstream out_;
};

std::string key_in(const Folder& folder, const std::string& keygen) {
  const std::string file = folder / "key";
  Process run({keygen, file});
  if (run.wait() != 0) throw std::runtime_error("no key: " + run.err());
  return file;
}

Fleet::Setup setup(const ChaosSettings& settings, const std::string& key_file) {
  Fleet::Setup setup;
  setup.on_hosts = settings.on_hosts;
  setup.places = settings.nodes - 1;
  setup.driver = {settings.program, settings.work, std::to_string(settings.seed)};
  setup.worker = {settings.program};
  setup.key_file = key_file;
  setup.environment = {"PP_WORKERS=" + std::to_string(settings.workers),
                       "PP_RETRIES=" + std::to_string(settings.retries),
                       "PP_DRAIN=" + std::to_string(kDrain.count())};
  if (settings.fabric == "shm") setup.environment.push_back("PP_FABRIC=off");
  if (settings.fabric != "auto" && settings.fabric != "shm") {
    setup.environment.push_back("PP_FABRIC=" + settings.fabric);
    setup.environment.push_back("PP_SHM=off");
  }
  if (settings.launch)
    setup.environment.push_back("PP_LAUNCH=chaos" + std::to_string(settings.seed));
  setup.environment.push_back("PP_LOG=info");  // says when suspects are tried
  return setup;
}

class Chaos {
 public:
  explicit Chaos(const ChaosSettings& settings)
      : settings_(settings),
        timeline_(settings.timeline),
        fleet_(setup(settings, key_in(folder_, settings.keygen))),
        plan_(settings.seed, settings.kinds, settings.rate) {
    const double expected = settings.faults / settings.rate;
    limit_ =
        settings.limit.count() > 0 ? settings.limit : seconds(static_cast<int>(4 * expected) + 300);
  }

  ChaosReport run() {
    try {
      begin();
      strike_by_plan();
      let_all_recover();
      end();
    } catch (const Complaint& complaint) {
      complain(complaint.what());
    }
    report_.took = since(began_);
    for (const FaultKind kind : kAllFaultKinds) report_.recoveries[kind] = recoveries_.after(kind);
    report_.disturbed_recoveries = recoveries_.with_owner_away();
    report_.jobs_queued_again = recoveries_.jobs();
    return std::move(report_);
  }

 private:
  using Node = Fleet::Node;

  // What goes on with a node beside what the fleet knows.
  struct Story {
    std::optional<Time> go_on, mend;  // when a stop and a cut end
    std::optional<Time> told;         // to leave
    bool present = false;             // a member, as the driver says
  };

  // ---- from the beginning to the end

  void begin() {
    while (fleet_.free_places() > 0) fleet_.start_worker();
    wait_until([this] { return all_are_present(); }, "all workers to join", kToJoin);
  }

  void strike_by_plan() {
    Time next = Clock::now() + plan_.pause();
    for (int done = 0; done < settings_.faults;) {
      look();
      if (Clock::now() < next) continue;
      if (const std::optional<Fault> fault = choose()) {
        strike(*fault);
        ++done;
      }
      next = Clock::now() + plan_.pause();
    }
  }

  void let_all_recover() {
    for (const auto& [name, story] : stories_)
      if (Node* node = find(name)) recover(*node, Time::max());
    // Those that are leaving may be the last ones.
    const auto stays = [](const auto& worker) { return !worker->leaving; };
    while (std::ranges::none_of(fleet_.workers(), stays)) {
      if (fleet_.free_places() > 0) start();
      look();
    }
    wait_until([this] { return all_are_present(); }, "all workers to be members again", kToJoin);
    const std::size_t before = report_.rounds;
    wait_until([&] { return report_.rounds >= before + 2; }, "two more rounds", kToEnd);
  }

  void end() {
    driver_may_end_ = true;
    workers_may_end_ = settings_.launch;
    fleet_.driver().process->write_input("end\n");
    fleet_.driver().process->close_input();
    wait_until([this] { return !fleet_.driver().process->running(); }, "the driver's end", kToEnd);
    look();
    if (report_.statistics.empty()) complain("the driver said no statistics at its end");
    if (const ShellCode code = fleet_.driver().process->wait(); code != 0)
      complain("the driver ended with code " + std::to_string(code));
    for (const auto& worker : fleet_.workers())
      if (!worker->leaving && !settings_.launch) tell_to_leave(*worker);
    workers_may_end_ = true;
    wait_until([this] { return fleet_.workers().empty(); }, "the workers' end", kToLeave);
  }

  // ---- faults

  Node& target(std::size_t which) {
    return which == 0 ? fleet_.driver() : *fleet_.workers().at(which - 1);
  }

  std::optional<Fault> choose() {
    const auto as_target = [](const Node& node) {
      return Target{node.place < 0, node.met, node.leaving, node.stopped, node.cut};
    };
    std::vector<Target> targets{as_target(fleet_.driver())};
    for (const auto& worker : fleet_.workers()) targets.push_back(as_target(*worker));
    return plan_.next(targets, fleet_.free_places());
  }

  void strike(const Fault& fault) {
    ++report_.faults[fault.kind];
    if (fault.whom == 0u) ++report_.driver_faults;
    if (!fault.whom) return start();
    Node& node = target(*fault.whom);
    switch (fault.kind) {
      case FaultKind::kKill:
        return kill(node);
      case FaultKind::kRestart:
        kill(node);
        return start();
      case FaultKind::kTerm:
        return tell_to_leave(node);
      case FaultKind::kStop:
        note(node, fault.kind, fault.length);
        fleet_.stop(node);
        stories_[node.name].go_on = Clock::now() + fault.length;
        return;
      case FaultKind::kCut:
        note(node, fault.kind, fault.length);
        fleet_.cut(node);
        stories_[node.name].mend = Clock::now() + fault.length;
        return;
    }
  }

  void note(const Node& node, FaultKind kind, milliseconds length) {
    timeline_.say("chaos", std::string(to_string(kind)) + ' ' + node.name +
                               (length.count() > 0 ? ' ' + std::to_string(length.count()) + " ms"
                                                   : std::string()));
    const Time now = Clock::now();
    // Whatever happens to one that is cut off, the cut hides.
    if (node.place >= 0 && !node.cut) recoveries_.suffered(node.name, kind, now);
    if (kind == FaultKind::kStop || kind == FaultKind::kCut) recoveries_.away(node.name, now);
  }

  void start() {
    const Node& worker = fleet_.start_worker();
    timeline_.say("chaos",
                  "start " + worker.name + ", process " + std::to_string(worker.process->pid()));
  }

  // Its place is free afterwards.
  void kill(Node& node) {
    ++report_.killed;
    note(node, FaultKind::kKill, milliseconds(0));
    fleet_.kill(node);
    node.process->wait();
    bury(node);
  }

  void tell_to_leave(Node& node) {
    timeline_.say("chaos", "term " + node.name);
    // What it gives back is not lost.
    if (!node.stopped && !node.cut) recoveries_.well(node.name);
    fleet_.tell_to_leave(node);
    stories_[node.name].told = Clock::now();
  }

  // Stops and cuts of a node that are due end.
  void recover(Node& node, Time now) {
    Story& story = stories_[node.name];
    const auto ends = [&](std::optional<Time>& due, const char* how) {
      if (!due || *due > now) return false;
      due.reset();
      timeline_.say("chaos", how + (' ' + node.name));
      return true;
    };
    const bool goes_on = ends(story.go_on, "continue");
    const bool mended = ends(story.mend, "mend");
    if (goes_on) fleet_.go_on(node);
    if (mended) fleet_.mend(node);
    for (const bool ended : {goes_on, mended}) {
      if (!ended) continue;
      recoveries_.back(node.name, Clock::now());
      if (!node.stopped && !node.cut) recoveries_.well(node.name);
    }
  }

  // ---- looking on

  // One turn: takes in what was printed, ends what is due, and looks for what must not be.
  void look() {
    fleet_.listen(milliseconds(5), [this](Node& node, std::string_view line) { hear(node, line); });
    const Time now = Clock::now();
    recover(fleet_.driver(), now);
    std::vector<Node*> ended;
    for (const auto& worker : fleet_.workers()) {
      recover(*worker, now);
      if (!worker->process->running()) ended.push_back(worker.get());
      const std::optional<Time> told = stories_[worker->name].told;
      if (told && now - *told > kToLeave) hang(worker->name + " was told to leave and did not");
    }
    for (Node* worker : ended) bury(*worker);
    if (!driver_may_end_ && !fleet_.driver().process->running())
      throw Complaint("the driver ended by itself with code " +
                      std::to_string(fleet_.driver().process->wait()) + '\n' +
                      fleet_.driver().process->err());
    if (!driver_may_end_ && now - last_round_ > settings_.round_limit)
      hang("no round has ended for " + std::to_string(settings_.round_limit.count()) + " s");
    if (now - began_ > limit_)
      hang("it is not over after " + std::to_string(limit_.count()) + " s");
  }

  void hear(Node& node, std::string_view line) {
    timeline_.say(node.name, line);
    if (const auto waited = read_tried(line)) report_.trials.push_back(*waited);
    const std::optional<Requeued> requeued = read_requeued(line);
    if (node.place >= 0) {
      if (requeued) recoveries_.requeued(node.name, requeued->node, requeued->jobs, Clock::now());
      return;
    }
    if (requeued) {  // by its report, which names numbers; its log says it once more
      const auto name = names_.find(requeued->node);
      if (name == names_.end()) return;
      return recoveries_.requeued(node.name, name->second, requeued->jobs, Clock::now());
    }
    const tools::Report report = tools::parse_report(line);
    if (report.kind == tools::Report::Kind::kJoined) {
      names_[report.node] = report.name;
      stories_[report.name].present = true;
      if (Node* worker = find(report.name)) worker->met = true;
    } else if (report.kind == tools::Report::Kind::kLeft) {
      stories_[names_[report.node]].present = false;
    } else if (line.starts_with("round ")) {
      heard_round(line);
    } else if (line.starts_with("deliveries ")) {
      report_.deliveries = line;
      if (line.find("WRONG") != std::string_view::npos) complain(std::string(line));
    } else if (line.starts_with("statistics ")) {
      report_.statistics = line.substr(line.find(' ') + 1);
    }
  }

  void heard_round(std::string_view line) {
    const Time now = Clock::now();
    report_.longest_round = std::max(report_.longest_round,
                                     std::chrono::duration_cast<milliseconds>(now - last_round_));
    last_round_ = now;
    ++report_.rounds;
    if (line.find(" is exact") != std::string_view::npos) return;
    ++report_.wrong_rounds;
    complain(std::string(line));
  }

  // A worker that has ended: was that in order?
  void bury(Node& worker) {
    const ShellCode code = worker.process->wait();
    timeline_.say("chaos", worker.name + " has ended with code " + std::to_string(code));
    fleet_.listen(milliseconds(0), [this](Node& node, std::string_view line) { hear(node, line); });
    const bool in_order =
        worker.killed ? code == 128 + SIGKILL : code == 0 && (worker.leaving || workers_may_end_);
    if (!in_order)
      complain(worker.name + " ended with code " + std::to_string(code) +
               (worker.leaving ? " when it was told to leave\n" : " by itself\n") +
               worker.process->err());
    if (worker.cut) fleet_.mend(worker);
    stories_.erase(worker.name);
    fleet_.forget(worker);
  }

  bool all_are_present() {
    return std::ranges::all_of(fleet_.workers(), [this](const auto& worker) {
      return worker->leaving || stories_[worker->name].present;
    });
  }

  Node* find(const std::string& name) {
    if (name == "driver") return &fleet_.driver();
    for (const auto& worker : fleet_.workers())
      if (worker->name == name) return worker.get();
    return nullptr;
  }

  template <class Condition>
  void wait_until(Condition holds, const std::string& what, seconds patience) {
    const Time end = Clock::now() + patience;
    while (!holds()) {
      look();
      if (Clock::now() > end)
        hang("waited " + std::to_string(patience.count()) + " s in vain for " + what);
    }
  }

  void complain(const std::string& what) {
    timeline_.say("chaos", "COMPLAINT: " + what);
    report_.complaints.push_back(what);
  }

  // Before all are killed: where they stand, if somebody wants to know and a debugger is there.
  [[noreturn]] void hang(const std::string& what) {
    timeline_.say("chaos", "HANG: " + what);
    if (timeline_.is_kept()) {
      std::vector<const Node*> all{&fleet_.driver()};
      for (const auto& worker : fleet_.workers()) all.push_back(worker.get());
      for (const Node* node : all) {
        try {
          Process debugger({"gdb", "-p", std::to_string(node->process->pid()), "-batch", "-ex",
                            "thread apply all backtrace 40"});
          debugger.wait();
          timeline_.say(node->name, "stands at\n" + debugger.out());
        } catch (const std::exception& error) {
          timeline_.say(node->name, error.what());
        }
      }
    }
    throw Complaint(what);
  }

  const ChaosSettings settings_;
  Folder folder_;
  Timeline timeline_;
  Fleet fleet_;
  FaultPlan plan_;
  Recoveries recoveries_;
  ChaosReport report_;
  std::map<std::string, Story> stories_;      // by name
  std::map<std::string, std::string> names_;  // of nodes, by number
  const Time began_ = Clock::now();
  Time last_round_ = Clock::now();
  seconds limit_{0};
  bool driver_may_end_ = false;
  bool workers_may_end_ = false;
};

// "201 kills: 131 times; median 12 ms, p90 20 ms, p99 31 ms, max 44 ms"
void print_times(std::ostream& out, const std::string& what,
                 const ChaosReport::Milliseconds& times) {
  out << "  " << what << ": " << times.size() << " times";
  if (!times.empty())
    out << "; median " << percentile(times, 50).count() << " ms, p90 "
        << percentile(times, 90).count() << " ms, p99 " << percentile(times, 99).count()
        << " ms, max " << percentile(times, 100).count() << " ms";
  out << '\n';
}

}  // namespace

ChaosReport cause_chaos(const ChaosSettings& settings) { return Chaos(settings).run(); }

void print(std::ostream& out, const ChaosReport& report) {
  int faults = 0;
  for (const auto& [kind, count] : report.faults) faults += count;
  out << "faults: " << faults << " in " << std::fixed << std::setprecision(1)
      << static_cast<double>(report.took.count()) / 1000 << " s:";
  for (const auto& [kind, count] : report.faults) out << ' ' << to_string(kind) << ' ' << count;
  out << "; " << report.driver_faults << " of them the driver's\n"
      << "work: " << report.rounds << " rounds, " << report.wrong_rounds << " wrong; the longest "
      << report.longest_round.count() << " ms; " << report.deliveries << '\n'
      << "statistics: " << report.statistics << '\n'
      << "queued again: " << report.jobs_queued_again
      << " jobs, by owners that had lent them, after\n";
  for (const auto& [kind, times] : report.recoveries) {
    const auto count = report.faults.find(kind);
    const int of = kind == FaultKind::kKill       ? report.killed
                   : count == report.faults.end() ? 0
                                                  : count->second;
    if (of > 0 && (kind == FaultKind::kKill || !times.empty()))
      print_times(out, std::to_string(of) + ' ' + std::string(to_string(kind)), times);
  }
  if (!report.disturbed_recoveries.empty())
    print_times(out, "while the owner itself was stopped or cut off", report.disturbed_recoveries);
  if (!report.trials.empty()) print_times(out, "and then alone on another node", report.trials);
  for (const std::string& complaint : report.complaints) out << "complaint: " << complaint << '\n';
  out << "verdict: " << (report.exact() ? "exact" : "NOT exact, or it hung") << std::endl;
}

}  // namespace pp::test
