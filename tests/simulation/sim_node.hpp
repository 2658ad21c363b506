// SimNode: one life of a node in virtual time: the queue and the courier that ship, and workers
// that only take time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <pp/options.hpp>
#include <string>
#include <vector>

#include "agenda.hpp"
#include "courier.hpp"
#include "home.hpp"
#include "log.hpp"
#include "network.hpp"
#include "queue.hpp"
#include "sim_job.hpp"
#include "workforce.hpp"

namespace pp::simulation {

// Who looks at everything that simulated nodes do.
class Witness {
 public:
  virtual ~Witness() = default;
  virtual Script script(const Errand& errand) const = 0;
  // A job of `owner` is about to be submitted; returns what it is to do. `parent` is null for a
  // root.
  virtual Errand submitted(SimNode& owner, std::uint64_t id, std::uint32_t depth,
                           const Errand* parent, bool once) = 0;
  // `still_lent`: the link by which a borrowed one came stands, as far as its borrower knows.
  virtual void begun(SimNode& where, const Errand& errand, std::uint32_t attempt, bool borrowed,
                     bool still_lent) = 0;
  virtual void ended(SimNode& where, const Errand& errand, const Outcome& outcome,
                     bool settled) = 0;
  // It passes on how a child of its has failed.
  virtual void passed_on(const Errand& errand, const runtime::Failure& failure) = 0;
  virtual void delivered(SimJob& job) = 0;
  // It had an outcome already.
  virtual void stored_again(SimJob& job) = 0;
  // The job has ended its node.
  virtual void poisoned(SimNode& where, const Errand& errand) = 0;
  // The node has a reason to end.
  virtual void dismissed(SimNode& where, runtime::Courier::Farewell why) = 0;
  virtual void courier_ended(SimNode& where) = 0;
  virtual void said(SimNode& who, std::string_view level, std::string_view sentence) = 0;
  virtual void made() = 0;
  virtual void unmade() = 0;
};

// It lives until crash(), or until it has ended in order; the object stays until the history is
// over, because actions on the agenda name it.
class SimNode final : public runtime::Workforce {
 public:
  struct Setting {
    std::size_t machine = 0;
    std::uint16_t port = 0;
    std::string name;
    NodeId id;
    unsigned workers = 1;
    Options options;
    std::vector<Address> contacts;
    Duration clock_offset{0};
    std::size_t most_results_kept = std::size_t{64} << 20;
    std::size_t most_borrowed = std::size_t{1} << 16;
    // Of blobs; as Courier::Parts has them.
    std::size_t eager = runtime::Luggage::kEager;
    runtime::BlobFetcher::Limits fetch{};
    std::size_t most_cached = std::size_t{1} << 30;
    std::uint64_t spread_least = runtime::BlobSpread::kLeast;
    Duration step_cost = std::chrono::microseconds(1);  // of a courier's step, at least
  };

  SimNode(Agenda& agenda, SimNetwork& network, Witness& witness, std::uint64_t seed,
          Setting setting);
  ~SimNode();

  void start();
  // A root job; whoever calls has one reference.
  SimJob* submit(std::uint64_t id, std::uint32_t depth, bool once);
  void cancel(SimJob& job);
  void set_workers(unsigned workers);
  void begin_drain(std::chrono::milliseconds limit) { courier_->begin_drain(limit); }

  // As by kill -9, or by a pulled plug.
  void crash(bool powerless);
  void stop();
  void go_on();
  void jump(Duration by);
  // In order: no more jobs are begun, what runs comes to its end, then the courier says goodbye.
  void end();
  // After the courier's end: what is left fails, and the process is gone. REQUIRES: ended().
  void close();

  bool alive() const { return alive_; }
  bool stopped() const { return stopped_; }
  bool ending() const { return ending_; }
  bool ended() const { return ended_; }
  bool is_draining() const { return draining_; }
  void note_draining() { draining_ = true; }
  const Setting& setting() const { return setting_; }
  const runtime::Courier& courier() const { return *courier_; }
  const runtime::Queue& queue() const { return *queue_; }
  Witness& witness() const { return witness_; }
  std::size_t executions() const { return executions_.size(); }
  std::uint64_t steps() const { return steps_; }
  Time started() const { return started_; }
  // One line for people: what it has and waits for.
  std::string describe() const;

  // A job of this node is done.
  void done(SimJob& job) noexcept;

  // Workforce
  unsigned workers() const override { return allowed_; }
  unsigned idle() const override { return allowed_ > working_ ? allowed_ - working_ : 0; }
  Totals totals() const override { return totals_; }
  void announce() override;
  void set_waiting_thieves(bool waiting) override { waiting_thieves_ = waiting; }
  void tell_to_stop_soon(runtime::Job& job) override;

 private:
  struct Execution {
    runtime::Job* job = nullptr;  // with its reference
    Errand errand;
    Script script;
    std::size_t place = 0;
    Time begun;
    bool spawned = false;             // its own part is over
    bool waits = false;               // for its children; no worker is with it
    std::vector<SimJob*> children{};  // with a reference each
    unsigned unfinished = 0;          // of them
  };
  enum class Event : std::uint8_t { kLook, kEnd, kTimeout, kStops };
  struct Deferred {
    Event event;
    std::uint64_t number;
  };

  Time local() const { return agenda_.now() + clock_offset_; }
  void stir() { step_by(agenda_.now()); }
  void step_by(Time when);
  void step();
  void look_soon();
  void look();
  runtime::Job* take(std::size_t place);
  runtime::Job* help();
  std::size_t free_place() const;
  void plan(Event event, Duration delay, std::uint64_t number = 0);
  void happen(Event event, std::uint64_t number);
  void begin(runtime::Job& job, std::size_t place);
  void end_of_own_part(std::uint64_t number);
  void spawn_children(std::uint64_t number, Execution& execution);
  void expire(std::uint64_t number);
  void stop_some();
  void complete(std::uint64_t number);
  void finish(std::uint64_t number, Outcome outcome);
  void queue(SimJob& job, std::optional<std::size_t> place);
  void prepare(SimJob& job);
  bool still_lent(const runtime::Job& job) const;
  void after_last_execution();

  Agenda& agenda_;
  SimNetwork& network_;
  Witness& witness_;
  const Setting setting_;
  Dice dice_;
  Duration clock_offset_;
  bool alive_ = true, stopped_ = false, ending_ = false, ended_ = false, draining_ = false;
  runtime::Log log_;
  runtime::Home home_;
  std::unique_ptr<runtime::Queue> queue_;
  std::unique_ptr<runtime::Courier> courier_;

  unsigned allowed_;
  unsigned working_ = 0;
  bool waiting_thieves_ = false;
  bool look_due_ = false;
  std::map<std::uint64_t, Execution> executions_;
  std::uint64_t last_execution_ = 0;
  std::vector<runtime::Job*> to_stop_;  // with a reference each
  std::vector<Deferred> deferred_;      // while it was stopped
  Totals totals_;
  Time step_at_ = Time::max();
  std::uint64_t steps_ = 0;
  Time started_{};
  bool dismissed_ = false;
};

}  // namespace pp::simulation
