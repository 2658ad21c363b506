// Launch: runs a program as several nodes on this machine, from the first process to the last.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <pp/black_box.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "child.hpp"
#include "farewell.hpp"
#include "launch_loop.hpp"
#include "launch_plan.hpp"
#include "line_splitter.hpp"
#include "output.hpp"
#include "output_rate.hpp"
#include "respawn.hpp"
#include "roll_call.hpp"
#include "temporary_key.hpp"

namespace pp::tools {

// The driver is started first and keeps our descriptors 0, 1, 2 and our process group, as if it had
// been started without us; the workers follow when its address is known, each in a group of its
// own, their output line by line behind "[1] ". A worker that dies is told of, with what it was
// running, and replaced if that was asked for. When run() returns no process that it started, nor
// any of theirs, is left; when this process is killed the nodes die with it.
class Launch final : LaunchLoop {
 public:
  // What run() returns when the nodes did not come together.
  static constexpr int kIncomplete = 3;

  // REQUIRES: plan.nodes, plan.workers > 0, a command that is not empty.
  // Throws pp::Error when the system refuses what every launch needs.
  explicit Launch(LaunchPlan plan);

  // Makes the launch's key if none is named; throws pp::Error if it cannot.
  // Returns the driver's exit code, 128 + signal if it was killed, kIncomplete, or a shell's 126
  // and 127 when the program cannot be executed.
  int run();

 private:
  struct Node {
    pid_t pid = 0;
    Time started{};
    std::optional<ExitStatus> exit;
    std::optional<Time> again;         // when another process takes its place
    Descriptor report, output, error;  // our ends
    LineSplitter report_lines{4096}, output_lines, error_lines;
    OutputRate rate;

    bool living() const { return pid != 0 && !exit; }
  };
  enum class Phase { kGathering, kRunning, kEnding };

  void say_lines(std::string_view text);

  // Why it could not be started; nothing if it was.
  std::optional<std::string> start(unsigned node);
  std::optional<std::string> start_process(unsigned node);
  void start_workers();
  void make_black_box();

  // One turn: sleep until something can be done, do it.
  void add_sources(Watch& watch);
  Time next_due() const;
  void read_reports();
  void read_reports_of(unsigned node);
  void forward(unsigned node, std::string_view line, Output& to);
  void say_dropped(unsigned node, bool end);
  void read_output(unsigned node, Descriptor& from, LineSplitter& lines, Output& to);
  void drain();
  void drain(unsigned node);
  void reap_all();
  void ended(unsigned node, const EndedChild& child);
  std::string obituary(unsigned node, const EndedChild& child) const;
  void replace_the_dead();
  void replace(unsigned node);
  void step();
  void call_roll();
  void say_goodbye();

  void handle(const Signal& signal) override;
  void let_workers_leave();
  void interrupt(const Signal& signal);
  void suspend(const Signal& signal);

  void begin_ending(Farewell::Limits limits);
  void signal_node(unsigned node, int signal);
  void ask_for_state(int signal);
  void signal_everybody(int signal);
  bool any_node_living() const;
  bool finished() const {
    return phase_ == Phase::kEnding && childless_ && out_.empty() && err_.empty();
  }

  LaunchPlan plan_;
  std::vector<std::string> environment_;
  std::string launch_id_;
  std::string file_;  // the program
  std::unique_ptr<TemporaryKey> key_;
  std::unique_ptr<runtime::BlackBox> black_box_;  // null: the system has no such files
  Descriptor nothing_;                            // /dev/null: the workers' standard input
  RollCall roll_;
  Respawn respawn_;
  std::vector<Node> nodes_;
  Phase phase_ = Phase::kGathering;
  std::optional<Farewell> farewell_;
  int exit_code_ = 0;
  std::string last_words_;  // of the driver, if it was killed
  bool workers_started_ = false;
  bool childless_ = false;
  bool strays_only_ = false;
  bool gave_up_ = false;
  bool drains_ = false;  // the driver winds up, and the workers leave
};

}  // namespace pp::tools
