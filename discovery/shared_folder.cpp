// SharedFolder: our file written and refreshed, the files of others listed and looked at in turn.
//
// It lists instead of watching: inotify hears nothing of what other hosts write to a network file
// system. There a client may also take half a minute to show a new file, and a minute a new time;
// hence the two minutes before a file counts as left behind.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <pp/shared_folder.hpp>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "descriptor.hpp"
#include "file.hpp"
#include "node_file.hpp"

namespace pp::discovery {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kEarlyPause{2};  // while a cluster starts
constexpr seconds kLatePause{5};
constexpr seconds kEarly{30};
constexpr seconds kRefreshPause{30};
constexpr seconds kHintPause{30};  // between two sightings of a node that says nothing new
constexpr minutes kStale{2};
constexpr hours kAbandoned{1};
constexpr unsigned kMostComplaints = 16;  // about files; more would say nothing new to people
// A file is written under this name and then renamed, so that nobody reads half of it.
constexpr std::string_view kUnfinished = "-new";

std::string reason(int error) { return std::generic_category().message(error); }

// A file that the folder holds, in the order in which this node looks at them.
struct Listed {
  std::uint64_t place = 0;
  NodeId node;
  bool unfinished = false;

  Listed(const NodeId& who, bool still_unfinished, std::uint64_t seed)
      : place(seed), node(who), unfinished(still_unfinished) {
    std::uint64_t head = 0;  // random already, and by the seed each node begins elsewhere
    for (std::size_t i = 0; i < sizeof head; ++i) head = head << 8 | who.bytes[i];
    place ^= head;
  }
  std::string name() const {
    return node_file_name(node).append(unfinished ? kUnfinished : std::string_view());
  }
  friend auto operator<=>(const Listed&, const Listed&) = default;
};

// What is remembered of another node's file.
struct Known {
  Stamp read;  // its state when it was read last
  Stamp told;  // and when it was sighted last
  Time told_at = Time::min();
  std::size_t contents = 0;  // hash of what was told
  bool bad = false;          // as it was read last
  bool complained = false;
};

}  // namespace

struct SharedFolder::State {
  State(std::filesystem::path path, std::uint64_t number)
      : folder(std::move(path)), seed(number), random(number) {}

  Descriptor open() const;
  void notice(std::string& last, const std::string& trouble, const char* cure, Listener& listener);
  nanoseconds pause(Time now);

  void publish(int at, Time now, Listener& listener);
  bool is_there(int at) const;
  int write(int at);
  int refresh(int at, Time now);
  void withdraw();

  void list(int at, Time now, Listener& listener);
  std::optional<std::vector<Listed>> files(int at, Listener& listener);
  void look(int at, const Listed& file, Time now, Listener& listener);
  void read(int at, const Listed& file, Known& known, Time now, Listener& listener);
  void complain(const Listed& file, Known& known, const std::string& why, Listener& listener);
  nanoseconds age(const Stamp& stamp, Time now) const;

  const std::filesystem::path folder;
  const std::uint64_t seed;
  std::mt19937_64 random;
  std::optional<Time> first_poll;

  std::optional<NodeId> self;
  std::optional<std::string> text;     // what our file shall say; nothing: there shall be none
  std::optional<std::string> written;  // what it says
  Stamp ours;                          // as it was written; only its time moves on
  Time next_publish = Time::max();
  struct Reading {
    std::int64_t time;  // of the folder's clock, as a Stamp says it
    Time at;            // when ours said this
  };
  std::optional<Reading> clock;

  Time next_list = Time::min();
  std::optional<Listed> last_look;
  std::map<NodeId, Known> known;  // those of the last listing

  // Noticed last; empty while there is none.
  std::string read_trouble;
  std::string write_trouble;
  bool too_many = false;
  unsigned complaints = 0;
};

Descriptor SharedFolder::State::open() const {
  return Descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void SharedFolder::State::notice(std::string& last, const std::string& trouble, const char* cure,
                                 Listener& listener) {
  if (std::exchange(last, trouble) == trouble) return;
  listener.noticed("shared folder " + folder.string() + ": " + trouble + "; " + cure +
                   "; it is tried again every few seconds");
}

nanoseconds SharedFolder::State::pause(Time now) {
  const nanoseconds whole = now - first_poll.value_or(now) < kEarly ? kEarlyPause : kLatePause;
  auto part = std::uniform_int_distribution<nanoseconds::rep>(0, whole.count() / 4);
  return whole - nanoseconds(part(random));
}

// --- our file ---

void SharedFolder::State::publish(int at, Time now, Listener& listener) {
  next_publish = Time::max();
  if (!text) return withdraw();
  int error = is_there(at) ? 0 : write(at);
  if (error == 0) error = refresh(at, now);
  next_publish = now + (error == 0 ? kRefreshPause : pause(now));
  if (error == 0) {
    write_trouble.clear();
  } else {
    notice(write_trouble, "cannot be written to: " + reason(error),
           "others do not find this node there until its user may make files in it", listener);
  }
}

// Somebody may have tidied up.
bool SharedFolder::State::is_there(int at) const {
  struct stat status {};
  if (written != text ||
      ::fstatat(at, node_file_name(*self).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return false;
  const Stamp now(status);
  return S_ISREG(status.st_mode) && now.inode == ours.inode && now.bytes == ours.bytes;
}

// 0, or what the system said.
int SharedFolder::State::write(int at) {
  const std::string name = node_file_name(*self);
  const std::string unfinished = name + std::string(kUnfinished);
  ::unlinkat(at, unfinished.c_str(), 0);
  Descriptor file(
      ::openat(at, unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (file.get() < 0) return errno;
  const auto give_up = [at, &unfinished](int error) {
    ::unlinkat(at, unfinished.c_str(), 0);
    return error;
  };
  for (std::size_t done = 0; done < text->size();) {
    const ssize_t put = ::write(file.get(), text->data() + done, text->size() - done);
    if (put < 0 && errno != EINTR) return give_up(errno);
    if (put > 0) done += static_cast<std::size_t>(put);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !file.close() ||
      ::renameat(at, unfinished.c_str(), at, name.c_str()) != 0)
    return give_up(errno);
  ours = Stamp(status);
  written = text;
  return 0;
}

// Has the folder's clock set our file's time, and reads it.
int SharedFolder::State::refresh(int at, Time now) {
  const std::string name = node_file_name(*self);
  struct stat status {};
  if (::utimensat(at, name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno;
  clock = Reading{Stamp(status).changed, now};
  return 0;
}

void SharedFolder::State::withdraw() {
  if (!std::exchange(written, std::nullopt)) return;
  clock.reset();
  const Descriptor at = open();
  if (at.get() >= 0) ::unlinkat(at.get(), node_file_name(*self).c_str(), 0);
}

// --- the files of others ---

void SharedFolder::State::list(int at, Time now, Listener& listener) {
  std::optional<std::vector<Listed>> listed = files(at, listener);
  if (!listed) return;
  std::vector<Listed>& all = *listed;
  std::sort(all.begin(), all.end());
  std::erase_if(known, [&](const auto& entry) {
    return !std::binary_search(all.begin(), all.end(), Listed(entry.first, false, seed));
  });
  if (all.empty()) return;
  auto next = last_look ? std::upper_bound(all.begin(), all.end(), *last_look) : all.begin();
  for (std::size_t looks = std::min(all.size(), kMostLooks); looks > 0; --looks) {
    if (next == all.end()) next = all.begin();
    look(at, *next, now, listener);
    last_look = *next++;
  }
}

// Nothing: it cannot be listed, at least not to its end.
std::optional<std::vector<Listed>> SharedFolder::State::files(int at, Listener& listener) {
  const auto failed = [&](int error) {
    notice(read_trouble, "cannot be listed: " + reason(error), "this node must be able to read it",
           listener);
    return std::nullopt;
  };
  // It is given away: what reads a folder wants to own it.
  Descriptor again(::openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* const stream = again.get() < 0 ? nullptr : ::fdopendir(again.get());
  if (stream == nullptr) return failed(errno);
  again.release();
  const auto close = [](DIR* open) { ::closedir(open); };
  const std::unique_ptr<DIR, decltype(close)> closer(stream, close);
  std::vector<Listed> found;
  for (std::size_t seen = 0; true; ++seen) {
    errno = 0;
    const dirent* const entry = ::readdir(stream);
    if (entry == nullptr && errno != 0) return failed(errno);
    if (entry == nullptr) break;
    if (seen == kMostFiles) {
      if (!std::exchange(too_many, true)) {
        listener.noticed("shared folder " + folder.string() + ": holds more than " +
                         std::to_string(kMostFiles) +
                         " files; the rest is not looked at: give the nodes a folder of their own");
      }
      break;
    }
    std::string_view name = entry->d_name;
    const bool unfinished = name.ends_with(kUnfinished);
    if (unfinished) name.remove_suffix(kUnfinished.size());
    const std::optional<NodeId> node = node_of_file(name);
    if (node && node != self) found.emplace_back(*node, unfinished, seed);
  }
  read_trouble.clear();
  return found;
}

void SharedFolder::State::look(int at, const Listed& file, Time now, Listener& listener) {
  struct stat status {};
  if (::fstatat(at, file.name().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;  // just gone
  const Stamp stamp(status);
  if (S_ISREG(status.st_mode) && age(stamp, now) > kAbandoned) {
    // Should its node come back in this moment, it writes it again within half a minute.
    ::unlinkat(at, file.name().c_str(), 0);
    return;
  }
  if (file.unfinished || age(stamp, now) > kStale) return;
  Known& entry = known[file.node];
  if (!S_ISREG(status.st_mode)) return complain(file, entry, "it is not a regular file", listener);
  const bool can_wait = entry.bad || stamp == entry.told || now - kHintPause < entry.told_at;
  if (stamp != entry.read || !can_wait) read(at, file, entry, now, listener);
}

void SharedFolder::State::read(int at, const Listed& file, Known& entry, Time now,
                               Listener& listener) {
  std::error_code fault;
  std::optional<File> opened = File::open(at, file.name().c_str(), File::Links::kRefuse, fault);
  if (opened && !opened->regular()) return;  // exchanged since it was looked at: next time
  std::optional<std::string> said;
  if (opened) said = opened->read(kLargestNodeFile + 1, fault);
  if (!said && (fault.value() == ENOENT || fault.value() == ESTALE)) return;  // just gone
  std::string why = said ? std::string() : fault.message();
  std::vector<Address> addresses;
  if (said) addresses = read_node_file(*said, why);
  entry.read = opened ? opened->stamp() : entry.read;
  entry.bad = addresses.empty();
  if (entry.bad) return complain(file, entry, why, listener);
  const std::size_t contents = std::hash<std::string>{}(*said);
  if (contents == entry.contents && now - kHintPause < entry.told_at) return;
  listener.sighted({std::move(addresses), file.node, false, false});
  entry.told = entry.read;
  entry.told_at = now;
  entry.contents = contents;
}

void SharedFolder::State::complain(const Listed& file, Known& entry, const std::string& why,
                                   Listener& listener) {
  if (std::exchange(entry.complained, true) || complaints == kMostComplaints) return;
  ++complaints;
  listener.noticed("shared folder " + folder.string() + ": " + file.name() + " is passed over: " +
                   why + "; expected what a node of this version writes: remove it if nobody does" +
                   (complaints == kMostComplaints ? "; more of them are not mentioned" : ""));
}

nanoseconds SharedFolder::State::age(const Stamp& stamp, Time now) const {
  if (!clock) return nanoseconds(0);
  return nanoseconds(clock->time - stamp.changed) + (now - clock->at);
}

SharedFolder::SharedFolder(std::filesystem::path folder, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(folder), seed)) {}

SharedFolder::~SharedFolder() { leave(); }

void SharedFolder::poll(Time now, Listener& listener) {
  State& s = *state_;
  if (next_due(now) > now) return;
  if (!s.first_poll) s.first_poll = now;
  const Descriptor at = s.open();  // each time: it may have been mounted or made anew
  if (at.get() < 0) {
    s.notice(s.read_trouble, "cannot be opened: " + reason(errno),
             "expected a folder that every node may read and write", listener);
    s.next_list = now + s.pause(now);
    if (s.next_publish <= now) s.next_publish = s.next_list;
    return;
  }
  if (s.next_publish <= now) s.publish(at.get(), now, listener);
  if (s.next_list <= now) {
    s.list(at.get(), now, listener);
    s.next_list = now + s.pause(now);
  }
}

Time SharedFolder::next_due(Time now) const {
  return std::max(now, std::min(state_->next_list, state_->next_publish));
}

void SharedFolder::introduce(const Self& self) {
  State& s = *state_;
  assert(!s.self || s.self == self.node);
  s.self = self.node;
  s.text = node_file_text(self);
  if (s.text != s.written) s.next_publish = Time::min();
}

void SharedFolder::leave() { state_->withdraw(); }

}  // namespace pp::discovery
