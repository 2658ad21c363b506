// Muster: which hosts are there, and at which stage the others failed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exit_status.hpp"
#include "farewell.hpp"
#include "report_line.hpp"

namespace pp::tools {

// What a host said of itself when it was first reached.
struct HostFacts {
  std::string system;   // "Linux"
  std::string machine;  // "x86_64"
  unsigned cores = 0;   // 0: it does not know
  bool root = false;
  double clock = 0;          // seconds since 1970 when it said so
  std::uint64_t memory = 0;  // bytes; 0: it does not know
};
// What follows "here ": nothing if it makes no sense.
std::optional<HostFacts> parse_facts(std::string_view words);

// The hosts of a launch, which may come and go while it runs: each gets the next number, from 1 on
// (0 is the driver, here). It is told what is seen of each and answers with what people should
// read, line by line as it happens, and with a verdict. It starts nothing, reads nothing and knows
// no clock but the times it is told. One thread.
class Muster {
 public:
  struct Limits {
    // From the first word to ssh until the host answers.
    std::chrono::milliseconds reach{15'000};
    // From its program's start until it has joined the driver.
    std::chrono::milliseconds join{15'000};
    // Once too many are known to have failed, others may still say how they fare.
    std::chrono::milliseconds settle{1'000};
    // From the driver's start until its port is open; max(): it may take its time.
    std::chrono::milliseconds driver = std::chrono::milliseconds::max();
    // Every host is waited for, whoever has failed.
    bool check = false;
    // Once a node is there, the driver's own words about it may still be on their way.
    std::chrono::milliseconds stragglers{300};
  };

  enum class Stage {
    kWaiting,    // for its turn
    kReaching,   // ssh was started
    kReached,    // the host has answered
    kStarting,   // ssh was told to run the node
    kStarted,    // the node's process runs
    kListening,  // its control port is open
    kJoined,     // it has met the driver
    kFailed,     // it will not be there
    kGone,       // it was there, and has ended or was let go
  };

  enum class Verdict {
    kGathering,
    kComplete,    // nobody is waited for any more, and there are enough
    kIncomplete,  // there cannot be enough any more
  };

  // `enough` nodes, the driver included, must come together; 0: all that are known.
  // The driver runs so many `workers`.
  Muster(unsigned enough, unsigned workers, Limits limits, Time start);

  // `workers`: what it is told to run; absent: what it has cores for.
  unsigned add(std::string name, std::optional<unsigned> workers, Time now);

  void reaching(unsigned host, Time now);
  void reached(unsigned host, const HostFacts& facts, Time now);
  void starting(unsigned host, Time now);
  void started(unsigned host, int pid, Time now);
  void said(unsigned host, const Report& report, Time now);  // 0: the driver
  // For ever; `words` are whoever's who knows best: the remote shell's, ssh's, the node's.
  void failed(unsigned host, std::string_view stage, std::string_view words, Time now);
  // Its node is no more: a failure if it has never joined. `words` as above, or empty.
  void ended(unsigned host, const ExitStatus& status, std::string_view words, Time now);
  // It was let go, whatever its stage.
  void retired(unsigned host) { rows_.at(host).stage = Stage::kGone; }
  void driver_ended() { driver_ended_ = true; }
  // Its clock was asked: so many milliseconds ahead of ours, give or take half of `round_trip`. Of
  // several answers the one that took least counts.
  void timed(unsigned host, double ahead, double round_trip);
  // The run ends: whoever fails from now on is no news.
  void run_ends() { run_ends_ = true; }

  // Fails whoever is over its limit, and tells what need not wait any longer.
  void check_limits(Time now);
  Verdict verdict(Time now) const;
  // When one of these two may say something else although nothing happens.
  Time due() const;

  // What should be printed since the last call.
  struct News {
    enum class Kind {
      kRow,  // of the join table: who wants it quiet can do without
      kWarning,
      kFailure,
    };
    Kind kind = Kind::kRow;
    std::string text;
  };
  std::vector<News> take_news();

  Stage stage(unsigned host) const { return rows_.at(host).stage; }
  const std::string& name(unsigned host) const { return rows_.at(host).name; }
  const std::optional<HostFacts>& facts(unsigned host) const { return rows_.at(host).facts; }
  int pid(unsigned host) const { return rows_.at(host).pid; }
  Time started_at(unsigned host) const { return rows_.at(host).begun; }
  const std::string& driver_address() const { return rows_.front().address; }
  unsigned hosts() const { return static_cast<unsigned>(rows_.size()) - 1; }
  // Nodes that are there, the driver included once it listens.
  unsigned present() const;
  unsigned needed() const { return enough_ != 0 ? enough_ : static_cast<unsigned>(rows_.size()); }
  Time start() const { return start_; }
  // What a check has found, a line for each host, with one in front that says what is in it; and
  // whether the driver and those that can be used are enough, in a sentence.
  std::vector<std::string> findings() const;
  std::string check_verdict() const;
  // The names of those that have neither joined nor failed.
  std::string awaited() const;

 private:
  struct Row {
    std::string name;
    Stage stage = Stage::kWaiting;
    std::optional<unsigned> workers;
    std::optional<HostFacts> facts;
    std::optional<std::chrono::milliseconds> reached_after;
    std::optional<double> ahead;  // its clock, in milliseconds
    double round_trip = 0;        // of the question, likewise
    std::string version;
    std::string failure;  // "stage: words"
    Time begun{};         // when its stage's limit began
    int pid = 0;
    std::string address, provider;
    std::string refusal, unreachable, error;  // the last of each
    std::optional<Time> joined;
    bool told = false;  // its row was printed
  };

  struct Reason {
    std::string stage, words;
  };

  static bool settled(const Row& row);
  bool driver_is_awaited() const;
  std::size_t possible() const;  // nodes that are there or may still come
  Time limit_of(const Row& row) const;
  void meet(const Report& joined);
  bool may_be_told(const Row& row, Time now) const;
  void tell(unsigned host);
  Reason why_not_joined(const Row& row) const;

  unsigned enough_;
  Limits limits_;
  Time start_;
  std::vector<Row> rows_;
  std::vector<News> news_;
  bool warned_of_root_ = false;
  bool driver_ready_ = false;
  bool driver_ended_ = false;
  bool driver_late_ = false;
  bool run_ends_ = false;
  std::optional<Time> last_failure_;
};

}  // namespace pp::tools
