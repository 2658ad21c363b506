// World: a cluster in virtual time, what befalls it, and what it has promised.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agenda.hpp"
#include "dice.hpp"
#include "history.hpp"
#include "network.hpp"
#include "script.hpp"
#include "sim_job.hpp"
#include "sim_node.hpp"
#include "simulate.hpp"

namespace pp::simulation {

// After everything is well again: for all jobs.
inline constexpr Duration kPatience = std::chrono::seconds(120);
// Of workers, with their driver.
inline constexpr Duration kSilentPatience = std::chrono::seconds(60);
// Whoever is there for so long is known to all.
inline constexpr Duration kKnown = std::chrono::seconds(2);
// Of large results, in bytes; what runs comes on top.
inline constexpr std::size_t kMostResultsKept = 256 * 1024;

class World final : public Witness, public SimNetwork::Observer {
 public:
  explicit World(const Plan& plan);
  ~World();
  Outcomes run();

 private:
  struct Record {
    Errand errand;
    SimNode* owner = nullptr;
    std::vector<bool> begun{};  // by attempt
    std::uint32_t allowed = 0;  // kinds of failure that executions have passed on
    bool cancelled = false;
    bool delivered = false;
    std::uint64_t deaths = 0;  // of nodes that ran it
    // Its last execution: that runs there, or ended when the node did.
    const SimNode* runs_on = nullptr;
    Time runs_since{};
    std::uint32_t attempt = 0;
  };
  struct Root {
    SimJob* job;
    SimNode* owner;
  };

  // ---- scenes
  FaultSet drawn_faults();
  void set_the_scene();
  void draw_blobs();
  void draw_poison();
  void draw_long_jobs();
  void draw_results();
  void run_launch();
  void await_farewells(Time earliest, Time latest, runtime::Courier::Farewell why);
  void let_the_owner_work();
  SimNode& start(std::size_t machine);
  void start_again_perhaps(std::size_t machine, double probability);
  void submit_some();
  void cancel(std::uint32_t serial);
  void befall(Fault fault);
  void crash(SimNode& node, bool powerless);
  void cut(std::size_t from, std::size_t to, Duration time);
  void heal_all();
  void labour();
  void look_for_idle();
  void end_all();
  bool quiet() const;
  bool acknowledged() const;
  bool workers_known() const;
  void look_at_nodes();
  bool run_until(Time limit, bool (World::*done)() const);
  bool all_over() const { return living_ == 0; }
  bool never() const { return false; }
  SimNode* somebody(bool but_protected);
  Duration scene(double from, double to) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(length_.count()) *
                                               (from + (to - from) * dice_.unit())));
  }

  // ---- promises
  void fail(const std::string& sentence);
  void check_end();
  std::string title(const Errand& errand) const;
  void forget_roots_of(const SimNode& node);
  void settle_roots();

  // ---- Witness
  Script script(const Errand& errand) const override {
    Script script = script_of(profile_, errand.id, errand.depth, errand.once);
    return script;
  }
  Errand submitted(SimNode& owner, std::uint64_t id, std::uint32_t depth, const Errand* parent,
                   bool once) override;
  void begun(SimNode& where, const Errand& errand, std::uint32_t attempt, bool borrowed,
             bool still_lent) override;
  void ended(SimNode& where, const Errand& errand, const Outcome& outcome, bool settled) override;
  void passed_on(const Errand& errand, const runtime::Failure& failure) override;
  void delivered(SimJob& job) override;
  void stored_again(SimJob& job) override {
    fail(title(job.errand()) + " has got a second outcome");
  }
  void poisoned(SimNode& where, const Errand& errand) override;
  void dismissed(SimNode& where, runtime::Courier::Farewell why) override;
  void courier_ended(SimNode& where) override;
  void said(SimNode& who, std::string_view level, std::string_view sentence) override;
  void made() override { ++jobs_alive_; }
  void unmade() override { --jobs_alive_; }

  // ---- SimNetwork::Observer
  void heard(std::size_t from, std::size_t to, std::span<const std::byte> message,
             bool word) override;
  void told(std::size_t machine, const std::string& sentence) override {
    history_.say(agenda_.now(), "m" + std::to_string(machine), sentence);
  }
  void broken(const std::string& sentence) override { fail(sentence); }
  bool wants_sentences() const override { return history_.readable(); }

  void note(std::uint64_t kind, const SimNode& node, std::uint64_t a, std::uint64_t b) {
    history_.count(agenda_.now(), kind, node.setting().machine << 32 | a, b);
  }
  void say(const SimNode& node, const std::string& what) {
    history_.say(agenda_.now(), node.setting().name, what);
  }

  const Plan plan_;
  Dice dice_;
  Agenda agenda_;
  History history_;
  FaultSet faults_;
  Profile profile_;
  // Of blobs; see draw_blobs().
  std::size_t eager_ = runtime::Luggage::kEager;
  runtime::BlobFetcher::Limits fetch_{};
  std::size_t most_cached_ = std::size_t{1} << 30;
  std::uint64_t spread_least_ = runtime::BlobSpread::kLeast;
  std::size_t most_borrowed_ = std::size_t{1} << 16;  // from one node
  Options options_;
  SimNetwork::Setting wires_;
  std::size_t machines_ = 0;
  std::size_t late_ = 0;    // of these, that have not come yet
  bool protected_ = false;  // the first node ends in no way
  Duration length_{};
  std::unique_ptr<SimNetwork> network_;
  std::vector<std::unique_ptr<SimNode>> nodes_;  // all there ever were
  std::vector<SimNode*> at_;                     // that lives on this machine
  std::vector<unsigned> lives_;
  std::size_t living_ = 0;
  std::deque<Record> records_;
  std::vector<Root> roots_;  // whose owners live, with a reference each
  std::uint64_t next_root_ = 0;
  std::int64_t jobs_alive_ = 0;
  bool at_once_ = false;         // the first node submits everything at the beginning
  bool nobody_left_ = false;     // to try a suspect on, for a while
  double cancelling_ = 0.08;     // of the roots
  Duration cancelled_after_{0};  // on average
  Duration patience_ = kPatience;
  // When workers of a launch may leave, and why.
  Time dismissal_ = Time::max();
  runtime::Courier::Farewell reason_{};
  bool healed_ = false;
  bool labours_due_ = false;
  std::vector<Time> idle_since_;  // of each machine
  bool ending_ = false;
  bool troubled_ = false;  // something that may cost a node its jobs has happened
  Outcomes outcomes_;
};

}  // namespace pp::simulation
