// Job log: the file, and the thread that writes it.
#include "job_log.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

namespace pp::runtime {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Between two writes: what comes meanwhile goes together.
constexpr std::chrono::milliseconds kGather{5};
// But what fills so much is written at once.
constexpr std::size_t kWorthWriting = JobLog::kMostUnwritten / 4;
// Between two requests to the disk.
constexpr std::chrono::milliseconds kKeepEvery{1'000};
// Memory for records that is kept for the next ones.
constexpr std::size_t kRoomKept = std::size_t{4} << 20;

std::string hexadecimal(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::string calls_of(std::uint64_t elements, const std::string& name) {
  return std::to_string(elements) + (elements == 1 ? " call of " : " calls of ") + name;
}

// The bytes of a file, some hundred kilobytes at a time.
class Window {
 public:
  explicit Window(int file) : file_(file) {}

  // So many from there, or as many as there are. Valid until the next call.
  std::span<const std::byte> at(std::uint64_t offset, std::size_t count) {
    if (offset < begin_ || offset + count > begin_ + bytes_.size()) {
      bytes_.resize(std::max<std::size_t>(count, std::size_t{256} << 10));
      begin_ = offset;
      std::size_t have = 0;
      while (have < bytes_.size()) {
        const ssize_t got = pread(file_, bytes_.data() + have, bytes_.size() - have,
                                  static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw std::system_error(errno, std::generic_category());
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
      }
      bytes_.resize(have);
    }
    const auto skip = static_cast<std::size_t>(offset - begin_);
    return std::span<const std::byte>(bytes_).subspan(skip, std::min(count, bytes_.size() - skip));
  }

 private:
  const int file_;
  std::uint64_t begin_ = 0;
  codec::Bytes bytes_;
};

}  // namespace

JobLog::JobLog(Settings settings, Log& log) : settings_(std::move(settings)), log_(log) {
  try {
    open_file();
    writer_ = std::thread([this] { write_records(); });
  } catch (...) {
    if (file_ >= 0) close(file_);
    throw;
  }
}

JobLog::~JobLog() {
  {
    auto unwritten = unwritten_.lock();
    unwritten->ending = true;
    news_.notify_all();
  }
  writer_.join();
  close(file_);
}

void JobLog::fail(const std::string& what, int error) const {
  throw Error("pp: " + called() + " " + what + ": " + std::strerror(error));
}

void JobLog::open_file() {
  file_ = open(settings_.file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (file_ < 0) fail("cannot be opened", errno);
  struct stat status {};
  if (fstat(file_, &status) != 0) fail("cannot be read", errno);
  if (!S_ISREG(status.st_mode))
    throw Error("pp: " + called() + " is no regular file: name one, or a name that is free");
  lock_file();
  if (fstat(file_, &status) != 0) fail("cannot be read", errno);  // its size, now that it is ours
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > 0 && !settings_.resume) {
    throw Error(
        "pp: " + called() + " exists already (" + std::to_string(size) +
        " bytes): add --resume (PP_RESUME=on) to go on with it, or remove it to begin anew");
  }
  std::uint64_t end = 0;
  try {
    end = read_file(size);
  } catch (const std::system_error& error) {
    fail("cannot be read", error.code().value());
  }
  if (end == 0) begin_file();
}

// Of two drivers one is refused; of one that has just been killed the system lets go in a moment.
void JobLog::lock_file() {
  const Clock::time_point deadline = Clock::now() + settings_.patience;
  while (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) fail("cannot be locked", errno);
    if (Clock::now() >= deadline) {
      throw Error("pp: " + called() +
                  " is in use by another driver: wait for its end, or name another file");
    }
    std::this_thread::sleep_for(20ms);
  }
}

void JobLog::begin_file() {
  settings_.header.id = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  const codec::Bytes header = job_log::encode_header(settings_.header, chain_);
  errno = ENOSPC;  // what a write that was cut short means
  if (write(file_, header.data(), header.size()) != static_cast<ssize_t>(header.size()) ||
      fdatasync(file_) != 0) {
    const int error = errno;
    if (ftruncate(file_, 0) != 0) log_.info(called() + " is left with part of a header");
    fail("cannot be written", error);
  }
  // A new file is kept when its folder is.
  const std::filesystem::path folder = std::filesystem::absolute(settings_.file).parent_path();
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

// Returns where the last whole record ends; 0: nothing was there, and the header is still to be
// written.
std::uint64_t JobLog::read_file(std::uint64_t size) {
  Window window(file_);
  const job_log::Header& ours = settings_.header;
  job_log::Header header;
  switch (job_log::decode_header(window.at(0, job_log::kHeaderSize), header, chain_)) {
    case job_log::Beginning::kHeader:
      break;
    case job_log::Beginning::kUnfinished:
      if (size == 0 && settings_.resume) log_.info(called() + " is new: every element will be run");
      drop_behind(0, size, false);
      return 0;
    case job_log::Beginning::kForeign:
      throw Error("pp: " + settings_.file +
                  " is no job log, and is left as it is: name another file (--joblog, PP_JOBLOG)");
    case job_log::Beginning::kOther:
      throw Error("pp: " + called() +
                  " was written by another version of pp, in a form that this one does not know: "
                  "finish it with that one, or name another file");
    case job_log::Beginning::kDamaged:
      throw Error("pp: " + called() +
                  " is damaged at its very beginning (byte 0), so that nobody can say whose it is: "
                  "remove it to begin anew");
  }
  if (header.functions != ours.functions ||
      header.build != ours.build.substr(0, job_log::kBuildSize)) {
    throw Error(
        "pp: " + called() +
        " was written by another program, or by another build of this one (function table " +
        hexadecimal(header.functions) + ", build " + header.build + "; this program has " +
        hexadecimal(ours.functions) + ", " + ours.build +
        "): resume it with that one, or name another file");
  }
  if (header.seed != ours.seed) {
    throw Error(
        "pp: " + called() + " was written with PP_SEED=" + std::to_string(header.seed) +
        ", and this run has PP_SEED=" + std::to_string(ours.seed) +
        ": its random numbers would be others. Give it the same seed, or name another file");
  }

  std::uint64_t end = job_log::kHeaderSize;
  bool damaged = false;
  while (end < size && !damaged) {
    const auto head = window.at(end, job_log::kBeforeBody);
    if (head.size() < job_log::kBeforeBody) break;
    const std::optional<std::size_t> body = job_log::body_size(head, chain_);
    damaged = !body;
    if (damaged) break;
    const std::size_t whole = job_log::kBeforeBody + *body + job_log::kBehindBody;
    if (whole > size - end) break;
    const auto record = window.at(end, whole);
    std::uint64_t behind = chain_;
    damaged = record.size() < whole || !job_log::accept(record, behind) ||
              !take_record(record.subspan(job_log::kBeforeBody, *body), end);
    if (damaged) break;
    chain_ = behind;
    end += whole;
  }
  drop_behind(end, size, damaged);
  std::uint64_t parts = 0;
  for (const Logged& logged : logged_) parts += logged.parts.size();
  log_.info(called() + " has " + std::to_string(logged_.size()) + " batch(es), " +
            std::to_string(parts) + " parts of them are done");
  return end;
}

// False: no record that this class writes.
bool JobLog::take_record(std::span<const std::byte> body, std::uint64_t at) {
  try {
    const std::optional<job_log::Kind> kind = job_log::kind_of(body);
    if (!kind) return false;
    switch (*kind) {
      case job_log::Kind::kBatch: {
        job_log::Batch batch = job_log::decode_batch(body);
        if (batch.number != logged_.size()) return false;
        logged_.push_back({std::move(batch), {}});
        return true;
      }
      case job_log::Kind::kElements: {
        const job_log::Elements elements = job_log::decode_elements(body);
        if (elements.batch >= logged_.size()) return false;
        Logged& logged = logged_[elements.batch];
        if (elements.last > logged.batch.elements) return false;
        logged.parts.push_back(
            {elements.first, elements.last, at + job_log::kBeforeBody, body.size()});
        return true;
      }
    }
  } catch (const Error&) {
  }
  return false;
}

// A record that was cut short is how a killed driver leaves its log: no reason for alarm. Damage
// before the end happens when a machine dies, since what was not kept yet may have reached the disk
// in any order. In both cases the worst that can come of dropping the rest is that its elements run
// again, which is the very thing that a log is asked for.
void JobLog::drop_behind(std::uint64_t end, std::uint64_t size, bool damaged) {
  if (end == size) return;
  const std::string rest = std::to_string(size - end) + " bytes";
  if (damaged) {
    log_.warn(called() + " is damaged at byte " + std::to_string(end) +
              ": what lies there and behind it (" + rest +
              ") is dropped, and the elements recorded there are run again");
  } else {
    log_.info("the last record of " + called() + " was cut short at byte " + std::to_string(end) +
              ": it is dropped (" + rest + ")");
  }
  if (ftruncate(file_, static_cast<off_t>(end)) != 0)
    fail("cannot be cut to its valid part", errno);
}

void JobLog::begin(job_log::Batch& batch) {
  auto next = next_batch_.lock();
  batch.number = *next;
  if (batch.number < logged_.size()) {
    const job_log::Batch& logged = logged_[batch.number].batch;
    const bool same_call = logged.function == batch.function &&
                           logged.signature == batch.signature && logged.name == batch.name &&
                           logged.elements == batch.elements;
    if (!same_call || logged.input != batch.input) {
      throw Error("pp: batch " + std::to_string(batch.number + 1) + " of this run is " +
                  calls_of(batch.elements, batch.name) + ", and in " + called() + " it is " +
                  (same_call ? "as many with other elements or arguments"
                             : calls_of(logged.elements, logged.name)) +
                  ": a log is resumed with the same input, by a program that starts its batches in "
                  "the same order. To begin anew, remove the log or name another file");
    }
    batch.seed = logged.seed;
  } else {
    push(batch, true);
  }
  // Relaxed: only a count.
  elements_.fetch_add(batch.elements, std::memory_order_relaxed);
  ++*next;
}

std::vector<JobLog::Part> JobLog::parts(std::uint32_t batch) {
  if (batch >= logged_.size()) return {};
  return std::exchange(logged_[batch].parts, {});
}

job_log::Elements JobLog::values(const Part& part, codec::Bytes& into) {
  into.resize(part.length);
  std::size_t have = 0;
  while (have < into.size()) {
    const ssize_t got =
        pread(file_, into.data() + have, into.size() - have, static_cast<off_t>(part.at + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot be read", errno);
    if (got == 0) throw Error("pp: " + called() + " has become shorter while it was in use");
    have += static_cast<std::size_t>(got);
  }
  return job_log::decode_elements(into);
}

void JobLog::taken(const job_log::Batch& batch, std::uint64_t elements) {
  taken_.fetch_add(elements, std::memory_order_relaxed);
  log_.info("batch " + std::to_string(batch.number + 1) + ", " +
            calls_of(batch.elements, batch.name) + ": " + std::to_string(elements) +
            " were taken from " + called());
}

void JobLog::unreadable(const job_log::Batch& batch, const Part& part, const std::string& why) {
  log_.warn("results " + std::to_string(part.first) + " to " + std::to_string(part.last - 1) +
            " of batch " + std::to_string(batch.number + 1) + " (" + batch.name + ") in " +
            called() + " at byte " + std::to_string(part.at) +
            " cannot be decoded, and are computed again: " + why);
}

void JobLog::add(const job_log::Elements& elements, bool may_wait) noexcept {
  try {
    push(elements, may_wait);
  } catch (const std::exception& error) {
    skipped(elements.last - elements.first, error.what());
  }
}

void JobLog::skipped(std::uint64_t elements, const std::string& why) noexcept {
  // Relaxed: only that it is said once.
  if (told_skipped_.exchange(true, std::memory_order_relaxed)) return;
  try {
    log_.warn(std::to_string(elements) + " elements or more cannot be recorded in " + called() +
              " and would be run again: " + why);
  } catch (...) {  // no memory for a sentence
  }
}

void JobLog::settle() {
  auto unwritten = unwritten_.lock();
  const std::uint64_t mine = ++unwritten->asked;
  news_.notify_all();
  unwritten.wait(room_, [&] { return unwritten->settled >= mine; });
}

JobLog::Figures JobLog::figures() const {
  return {elements_.load(std::memory_order_relaxed), taken_.load(std::memory_order_relaxed)};
}

template <class Record>
void JobLog::push(const Record& record, bool may_wait) {
  auto unwritten = unwritten_.lock();
  if (may_wait) {
    unwritten.wait(room_,
                   [&] { return unwritten->over || unwritten->records.size() < kMostUnwritten; });
  }
  if (unwritten->over) return;
  if (unwritten->records.size() >= kMostUnwrittenInHaste) {
    // Relaxed: only that it is said once.
    if (!told_haste_.exchange(true, std::memory_order_relaxed)) {
      log_.warn("results arrive faster than " + called() +
                " can be written: some are not recorded, and would be computed again");
    }
    return;
  }
  const std::size_t before = unwritten->records.size();
  job_log::append(unwritten->records, record);
  if (unwritten->asleep || (before < kWorthWriting && unwritten->records.size() >= kWorthWriting)) {
    unwritten->asleep = false;
    news_.notify_one();
  }
}

void JobLog::write_records() {
  // Handlers of the program's are not run here; and a limit on the size of files is an error of
  // write(), not the end of the process.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  codec::Bytes records;
  Clock::time_point written = Clock::now() - kGather;
  Clock::time_point kept = written;
  for (bool ending = false; !ending;) {
    std::uint64_t settles = 0;  // calls of settle() that this turn answers, those before included
    {
      auto unwritten = unwritten_.lock();
      const auto asked = [&] { return unwritten->asked > unwritten->settled; };
      const auto something = [&] {
        return unwritten->ending || asked() || !unwritten->records.empty();
      };
      unwritten->asleep = !something();
      if (unkept_) {
        unwritten.wait_until(news_, kept + kKeepEvery, something);
      } else {
        unwritten.wait(news_, something);
      }
      unwritten->asleep = false;
      unwritten.wait_until(news_, written + kGather, [&] {
        return unwritten->ending || asked() || unwritten->records.size() >= kWorthWriting;
      });
      std::swap(records, unwritten->records);
      ending = unwritten->ending;
      settles = asked() ? unwritten->asked : 0;
    }
    room_.notify_all();
    if (!records.empty()) {
      write_out(records);
      written = Clock::now();
    }
    if (unkept_ && (ending || settles > 0 || Clock::now() >= kept + kKeepEvery)) {
      keep();
      kept = Clock::now();
    }
    if (settles > 0) {
      unwritten_.lock()->settled = settles;
      room_.notify_all();
    }
    if (records.capacity() > kRoomKept) records = {};
    records.clear();
  }
}

void JobLog::write_out(codec::Bytes& records) {
  if (unwritten_.lock()->over) return;
  for (std::span<std::byte> rest = records; !rest.empty();) {
    const std::size_t size = job_log::record_size(rest);
    job_log::seal(rest.first(size), chain_);
    rest = rest.subspan(size);
  }
  for (std::span<const std::byte> rest = records; !rest.empty();) {
    const ssize_t put = write(file_, rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return end_log("cannot be written", errno);
    rest = rest.subspan(static_cast<std::size_t>(put));
    unkept_ = true;
  }
}

void JobLog::keep() {
  unkept_ = false;
  // Where a file system knows no such request, there is nothing to ask.
  if (fdatasync(file_) != 0 && errno != EINVAL && errno != EROFS && errno != ENOSYS)
    end_log("cannot be kept on its disk", errno);
}

void JobLog::end_log(const std::string& what, int error) {
  {
    auto unwritten = unwritten_.lock();
    unwritten->over = true;
    unwritten->records = {};
  }
  room_.notify_all();
  log_.warn(called() + " " + what + " (" + std::strerror(error) +
            "): NOTHING MORE IS RECORDED. The run goes on; if it has to be resumed, that begins "
            "with what was recorded so far");
}

}  // namespace pp::runtime
