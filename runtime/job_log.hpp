// Job log: where a driver keeps what its maps have finished, for a later run to go on from.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "guarded.hpp"
#include "job_log_format.hpp"
#include "log.hpp"

namespace pp::runtime {

// Batches are known by their order; each is held against what the log has in that place. Whoever
// finishes elements hands them over and goes on: a thread of the log's own writes them, some
// milliseconds later at most, in one write() for all that came together, so that what was handed
// over some milliseconds before the process is killed is kept. It asks the disk to keep it
// (fdatasync) once a second while there is something new, and at the end: what the machine's own
// death may cost is that second.
//
// When the file cannot be written any more, the log says so once and ends; the run goes on.
//
// begin(), parts() and values() serve the threads that start batches, each its own batch. add() may
// be called by any thread.
class JobLog {
 public:
  struct Settings {
    std::string file;
    bool resume = false;
    job_log::Header header;  // of this program; its id is drawn here
    // For so long a driver that is about to end may hold the file still.
    std::chrono::milliseconds patience{3'000};
  };

  // Records that are not written yet: who adds more waits, if it may ...
  static constexpr std::size_t kMostUnwritten = std::size_t{64} << 20;
  // ... and if it may not, its elements are not recorded when there are so many.
  static constexpr std::size_t kMostUnwrittenInHaste = std::size_t{256} << 20;

  // Opens or makes the file and reads it. Throws pp::Error, and has changed nothing, if it is not
  // this program's to go on with. `log` must outlive this.
  JobLog(Settings settings, Log& log);
  // What was added is written, and the disk was asked to keep it.
  ~JobLog();
  JobLog(const JobLog&) = delete;
  JobLog& operator=(const JobLog&) = delete;

  // The next batch of the program; its number is set here, and its seed if the log has another: the
  // elements' identities are to be those of the first run. Throws pp::Error if the log has another
  // batch in this place.
  void begin(job_log::Batch& batch);

  // What the log has of it. Once per batch: forgotten afterwards.
  struct Part {
    std::uint64_t first, last;
    std::uint64_t at;    // of the body, in the file
    std::size_t length;  // of the body
  };
  std::vector<Part> parts(std::uint32_t batch);
  // Reads one; `into` holds what the result points into. Throws pp::Error.
  job_log::Elements values(const Part& part, codec::Bytes& into);
  // So many elements of a batch were taken over.
  void taken(const job_log::Batch& batch, std::uint64_t elements);
  // A part that nobody can make values of. It is run again.
  void unreadable(const job_log::Batch& batch, const Part& part, const std::string& why);

  // Those elements are done. `may_wait`: until there is room for them.
  void add(const job_log::Elements& elements, bool may_wait) noexcept;
  // Their values cannot be encoded: they will run again.
  void skipped(std::uint64_t elements, const std::string& why) noexcept;

  // Returns when what was added is in the file and the disk was asked to keep it; any thread.
  void settle();

  struct Figures {
    std::uint64_t elements;  // of all batches begun so far
    std::uint64_t taken;     // of these: were in the log
  };
  Figures figures() const;

 private:
  struct Logged {
    job_log::Batch batch;
    std::vector<Part> parts;
  };
  struct Unwritten {
    codec::Bytes records;
    bool over = false;          // the file cannot be written any more
    bool ending = false;        // write what is there, and return
    bool asleep = false;        // the writer waits for a first record
    std::uint64_t asked = 0;    // calls of settle() so far
    std::uint64_t settled = 0;  // of these: answered
    void check() const {}
  };

  void open_file();
  void lock_file();
  void begin_file();
  std::uint64_t read_file(std::uint64_t size);
  bool take_record(std::span<const std::byte> body, std::uint64_t at);
  void drop_behind(std::uint64_t end, std::uint64_t size, bool damaged);
  template <class Record>
  void push(const Record& record, bool may_wait);

  void write_records();
  void write_out(codec::Bytes& records);
  void keep();
  void end_log(const std::string& what, int error);
  std::string called() const { return "the job log " + settings_.file; }
  [[noreturn]] void fail(const std::string& what, int error) const;

  Settings settings_;
  Log& log_;
  int file_ = -1;
  std::uint64_t chain_ = 0;     // of the last record written; the writer's, once it runs
  std::vector<Logged> logged_;  // what the file held; parts are taken out by who begins the batch

  Guarded<std::uint32_t> next_batch_{0u};  // of the program
  // Relaxed: only counts.
  std::atomic<std::uint64_t> elements_{0};
  std::atomic<std::uint64_t> taken_{0};
  // Relaxed: only that a sentence is said once.
  std::atomic<bool> told_skipped_{false};
  std::atomic<bool> told_haste_{false};

  Guarded<Unwritten> unwritten_;
  std::condition_variable news_;  // for the writer: something to do before its time
  std::condition_variable room_;  // for those who add, or wait for what they have added
  bool unkept_ = false;           // written, and the disk was not asked yet; the writer's
  std::thread writer_;            // last: it uses the others
};

}  // namespace pp::runtime
