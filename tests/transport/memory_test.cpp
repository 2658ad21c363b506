// Shared memory between nodes: peers that are killed, stopped or hostile harm nobody else, and
// nothing of it stays behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "frame.hpp"
#include "memory_door.hpp"
#include "memory_lane.hpp"
#include "ring.hpp"
#include "shared_memory.hpp"
#include "wire.hpp"

extern char** environ;

namespace pp::transport {
namespace {

using std::chrono::milliseconds;
using testing::Bytes;
using testing::bytes_of;
using testing::Diary;
using testing::Node;
using testing::run;
using testing::same_key;
using testing::value_of;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

// Where this process has shared memory mapped, oldest first.
std::vector<std::span<std::byte>> mappings() {
  std::vector<std::span<std::byte>> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:pp") == std::string::npos) continue;
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    found.emplace_back(reinterpret_cast<std::byte*>(begin), end - begin);
  }
  return found;
}

// What the descriptors of this process refer to, if they are sockets: "socket:[inode]".
std::set<std::string> own_sockets() {
  std::set<std::string> sockets;
  std::error_code gone;  // a descriptor that is closed meanwhile
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    sockets.insert(std::filesystem::read_symlink(entry.path(), gone).string());
  return sockets;
}

// The abstract names of Unix sockets of ours that listen. (Tests beside this one have some, too.)
std::vector<std::string> doors() {
  const std::set<std::string> own = own_sockets();
  std::vector<std::string> found;
  std::ifstream names("/proc/net/unix");
  for (std::string line; std::getline(names, line);) {
    std::istringstream words(line);
    std::string number, count, protocol, flags, type, state, inode, name;
    words >> number >> count >> protocol >> flags >> type >> state >> inode >> name;
    if (flags == "00010000" && name.starts_with("@pp-") && own.contains("socket:[" + inode + "]"))
      found.push_back(name.substr(1));
  }
  return found;
}

// Another process, ended with the test.
class Process {
 public:
  Process(const std::string& key_file, const Address& to, const char* mode) {
    const std::string address = to.to_string();
    std::vector<std::string> words{PEER_PROGRAM, key_file, address, mode};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (::posix_spawn(&pid_, PEER_PROGRAM, nullptr, nullptr, arguments.data(), environ) != 0)
      throw std::runtime_error("cannot start " PEER_PROGRAM);
  }
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&&) = delete;
  ~Process() { kill(); }
  void signal(int number) const { ::kill(pid_, number); }
  void kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

class SharedMemoryOf : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::temp_directory_path() / ("pp-" + NodeId::random().to_string());
    key_.save(file_);
  }
  void TearDown() override { std::filesystem::remove(file_); }

  static NetworkOptions options() {
    NetworkOptions options = testing::options("shm");
    options.limits.dead = milliseconds(60'000);
    return options;
  }
  Node open(NetworkOptions with = options()) {
    return {open_network(same_key(key_), std::move(with)), Diary{}};
  }
  Process start(const Node& at, const char* mode) { return {file_, at.address(), mode}; }
  // Two nodes with one session, dialled by the first: it writes the first ring.
  void connect(Node& a, Node& b) {
    const std::size_t at_a = a.diary.live(), at_b = b.diary.live();
    a.transport->dial(b.address());
    ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() > at_a && b.diary.live() > at_b; }));
    ASSERT_EQ(a.diary.ups.back().peer.provider, "shm");
  }

  ClusterKey key_ = ClusterKey::generate();
  std::filesystem::path file_;
};

// ---- peers that end

// Every message of a session, in order and whole, whatever the peer's end cuts off.
class Listening {
 public:
  void operator()(SessionId session, std::span<const std::byte> message) {
    std::uint64_t& expected = next_[session];
    const std::uint64_t number = value_of(message);
    const std::size_t size = number % 50 == 0 ? 40'000 : 8 + 8 * (number % 97);
    wrong += number != expected || message.size() != size;
    ++expected;
    ++heard;
  }
  std::uint64_t wrong = 0, heard = 0;

 private:
  std::map<SessionId, std::uint64_t> next_;
};

// Would catch: a lock, a half-written index or a descriptor that a dead process leaves behind; a
// death that is taken for an attack, or that is noticed by silence alone.
TEST_F(SharedMemoryOf,
       a_peer_that_is_killed_a_thousand_times_while_it_streams_is_mourned_in_order) {
  const int kKills = kSanitized ? 60 : 1000;
  const std::size_t before = open_descriptors();
  {
    Node survivor = open();
    Process bystander = start(survivor, "echo");
    ASSERT_TRUE(run({&survivor}, [&] { return survivor.diary.live() == 1; }));
    const SessionId friends = survivor.session();
    Listening listening;
    std::uint64_t echoed = 0;
    survivor.diary.read = [&](SessionId session, auto message) {
      if (session == friends) {
        EXPECT_EQ(value_of(message), echoed++);
        survivor.transport->send(friends, bytes_of(echoed, 64));
      } else {
        listening(session, message);
        if (listening.heard % 8 == 0) survivor.transport->send(session, message);
      }
    };
    survivor.transport->send(friends, bytes_of(0, 64));

    const unsigned seed = 20'261'126;
    std::mt19937 random(seed);
    std::uint64_t streamed = 0;
    for (int round = 0; round < kKills; ++round) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
      const std::size_t ups = survivor.diary.ups.size();
      const std::uint64_t heard = listening.heard;
      Process peer = start(survivor, "stream");
      // One in eight anywhere on the way there, the others in the middle of the stream.
      if (random() % 8 != 0) {
        ASSERT_TRUE(run({&survivor}, [&] { return listening.heard > heard; }));
        ASSERT_EQ(survivor.diary.ups.back().peer.provider, "shm");
      }
      const Time then = Clock::now() + std::chrono::microseconds(random() % 3000);
      while (Clock::now() < then)
        if (survivor.transport->poll(Clock::now(), survivor.diary) == 0)
          survivor.transport->wait(then);
      peer.kill();
      const std::uint64_t friendly = echoed;
      ASSERT_TRUE(
          run({&survivor}, [&] { return survivor.diary.live() == 1 && echoed > friendly + 2; }));
      streamed += listening.heard > heard;
      if (survivor.diary.ups.size() > ups) {
        EXPECT_EQ(survivor.diary.downs.back().reason, DownReason::kClosed)
            << survivor.diary.downs.back().why;
      }
    }
    EXPECT_GT(streamed, static_cast<std::uint64_t>(kKills) * 3 / 4);
    EXPECT_EQ(listening.wrong, 0u);
    EXPECT_EQ(survivor.transport->counters().violations, 0u);
    EXPECT_TRUE(survivor.diary.is_up(friends));
    EXPECT_EQ(mappings().size(), 1u) << "the bystander's";
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(mappings().empty());
}

TEST_F(SharedMemoryOf, a_peer_that_died_is_read_to_the_end) {
  // More frames than are taken at a time: one for each message, as each is sent by itself.
  Node a = open(), b = open();
  connect(a, b);
  constexpr std::size_t kCount = 60;  // the window has 128
  for (std::uint64_t i = 0; i < kCount; ++i) {
    a.transport->send(a.session(), bytes_of(i, 64));
    a.transport->poll(Clock::now(), a.diary);
  }
  a.transport.reset();
  ASSERT_TRUE(run({&b}, [&] { return b.diary.live() == 0; }));
  EXPECT_EQ(b.diary.downs.back().reason, DownReason::kClosed);
  EXPECT_EQ(b.diary.messages, kCount);
}

// Would catch: a writer that waits for room, or a bell that blocks.
TEST_F(SharedMemoryOf, a_peer_that_is_stopped_blocks_nobody_and_goes_on_where_it_was) {
  Node survivor = open();
  Process stopped = start(survivor, "echo");
  ASSERT_TRUE(run({&survivor}, [&] { return survivor.diary.live() == 1; }));
  const SessionId sleeper = survivor.session();
  Process bystander = start(survivor, "echo");
  ASSERT_TRUE(run({&survivor}, [&] { return survivor.diary.live() == 2; }));
  const SessionId awake = survivor.session();

  stopped.signal(SIGSTOP);
  constexpr std::uint64_t kCount = 20'000;  // several rings full
  for (std::uint64_t i = 0; i < kCount; ++i) survivor.transport->send(sleeper, bytes_of(i, 64));
  std::uint64_t rounds = 0, answers = 0, wrong = 0;
  survivor.diary.read = [&](SessionId from, auto message) {
    if (from == awake) {
      survivor.transport->send(awake, bytes_of(++rounds, 64));
    } else {
      wrong += value_of(message) != answers++;
    }
  };
  survivor.transport->send(awake, bytes_of(0, 64));
  ASSERT_TRUE(run({&survivor}, [&] { return rounds >= 2000; }));
  EXPECT_LE(answers, 1000u) << "what it had answered before";
  EXPECT_GT(survivor.transport->backlog(sleeper), 0u);

  stopped.signal(SIGCONT);
  ASSERT_TRUE(run({&survivor}, [&] { return answers == kCount; }));
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(survivor.diary.live(), 2u);
}

TEST_F(SharedMemoryOf, a_stopped_peer_is_given_up_after_the_dead_limit) {
  NetworkOptions impatient = options();
  impatient.limits.heartbeat = milliseconds(100);
  impatient.limits.dead = milliseconds(400);
  Node survivor = open(impatient);
  Process stopped = start(survivor, "echo");
  ASSERT_TRUE(run({&survivor}, [&] { return survivor.diary.live() == 1; }));
  stopped.signal(SIGSTOP);
  survivor.transport->send(survivor.session(), bytes_of(1, 64));
  ASSERT_TRUE(run({&survivor}, [&] { return survivor.diary.live() == 0; }));
  EXPECT_EQ(survivor.diary.downs.back().reason, DownReason::kSilent);
  EXPECT_TRUE(mappings().empty());
}

TEST_F(SharedMemoryOf, two_processes_wakes_a_sleeper_with_every_message) {
  // Would catch a bell that is not rung: each message finds both ends asleep, and the answer would
  // come with the next heartbeat only, thousands of times slower.
  Node here = open();
  Process there = start(here, "echo");
  ASSERT_TRUE(run({&here}, [&] { return here.diary.live() == 1; }));
  std::uint64_t rounds = 0;
  here.diary.read = [&](SessionId from, auto) {
    here.transport->send(from, bytes_of(++rounds, 64));
  };
  here.transport->send(here.session(), bytes_of(0, 64));
  ASSERT_TRUE(run({&here}, [&] { return rounds >= 20'000; }));
}

// Would catch (with ThreadSanitizer) anything that the two ends share beside what the rings order.
TEST_F(SharedMemoryOf, two_nodes_on_two_threads_carries_everything_both_ways) {
  constexpr std::uint64_t kCount = kSanitized ? 5'000 : 50'000;
  Node here = open(), there = open();
  connect(here, there);
  there.diary.read = [&](SessionId from, auto message) { there.transport->send(from, message); };
  std::uint64_t sent = 0, answers = 0, wrong = 0;
  const auto size_of = [](std::uint64_t number) { return number % 500 == 0 ? 30'000 : 64; };
  here.diary.read = [&](SessionId, auto message) {
    wrong += value_of(message) != answers ||
             message.size() != static_cast<std::size_t>(size_of(answers));
    ++answers;
  };
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      if (there.transport->poll(Clock::now(), there.diary) == 0)
        there.transport->wait(Clock::now() + std::chrono::seconds(1));
    }
  });
  EXPECT_TRUE(run({&here}, [&] {
    while (sent < kCount && here.transport->backlog(here.session()) < 50'000) {
      here.transport->send(here.session(), bytes_of(sent, static_cast<std::size_t>(size_of(sent))));
      ++sent;
    }
    return answers == kCount;
  }));
  stop = true;
  there.transport->wake();
  other.join();
  EXPECT_EQ(wrong, 0u);
}

// ---- peers that misbehave: their memory is ours as well, so that we can do it for them

class HostileMemory : public SharedMemoryOf {
 protected:
  // `evil` writes the first ring, in which `victim` reads.
  void SetUp() override {
    SharedMemoryOf::SetUp();
    connect(friendly_, victim_);
    friend_ = victim_.session();
    const auto before = mappings().size();
    connect(evil_, victim_);
    foe_ = victim_.session();
    const auto all = mappings();
    ASSERT_EQ(all.size(), before + 2);
    // Both of them are of the same file: whichever it is. Which pair is the later one is found by
    // the words in it.
    for (const auto& each : all) candidates_.push_back(each);
    run(
        {&evil_, &victim_, &friendly_}, [] { return false; }, std::chrono::seconds(0));
  }

  // The memory of the pair, found by what one frame changes in it.
  std::span<std::byte> memory() {
    std::vector<Bytes> before;
    for (const auto& each : candidates_) before.emplace_back(each.begin(), each.end());
    evil_.transport->send(evil_.session(), bytes_of(1, 64));
    run({&evil_, &victim_}, [&] { return victim_.diary.messages > 0; });
    for (std::size_t i = 0; i < candidates_.size(); ++i)
      if (!std::equal(before[i].begin(), before[i].end(), candidates_[i].begin()))
        return candidates_[i];
    ADD_FAILURE() << "no memory of theirs";
    return {};
  }
  static RingHeader& header(std::span<std::byte> ring) {
    return *reinterpret_cast<RingHeader*>(ring.data());
  }
  // Where the reader of a ring is: it takes all it finds.
  static std::byte* next(std::span<std::byte> ring) {
    return ring.data() + sizeof(RingHeader) + header(ring).taken % SharedMemory::kRing;
  }
  std::span<std::byte> first_ring() { return memory().first(ring_bytes(SharedMemory::kRing)); }

  void expect_a_violation(const std::string& word) {
    ASSERT_TRUE(run({&victim_}, [&] { return !victim_.diary.downs.empty(); }));
    EXPECT_EQ(victim_.diary.downs.back().session, foe_);
    EXPECT_EQ(victim_.diary.downs.back().reason, DownReason::kViolation);
    EXPECT_THAT(victim_.diary.downs.back().why, ::testing::HasSubstr(word));
    EXPECT_EQ(victim_.transport->counters().violations, 1u);
    // And it goes on with the others.
    victim_.diary.read = [&](SessionId from, auto message) {
      victim_.transport->send(from, message);
    };
    const std::size_t answers = friendly_.diary.messages;
    friendly_.transport->send(friendly_.session(), bytes_of(5, 64));
    EXPECT_TRUE(
        run({&victim_, &friendly_}, [&] { return friendly_.diary.messages == answers + 1; }));
    EXPECT_TRUE(victim_.diary.is_up(friend_));
  }

  Node victim_ = open(), friendly_ = open(), evil_ = open();
  SessionId friend_{}, foe_{};
  std::vector<std::span<std::byte>> candidates_;
};

TEST_F(HostileMemory, a_length_that_no_frame_has_ends_the_session) {
  auto ring = first_ring();
  const std::uint64_t length = 123;
  std::memcpy(next(ring), &length, sizeof length);
  expect_a_violation("length");
}

TEST_F(HostileMemory, a_frame_without_a_seal_ends_the_session) {
  auto ring = first_ring();
  const std::uint64_t length = 64;
  std::memcpy(next(ring), &length, sizeof length);
  expect_a_violation("malformed");
}

TEST_F(HostileMemory, any_altered_byte_of_a_frame_ends_the_session) {
  auto ring = first_ring();
  std::byte* const place = next(ring);
  evil_.transport->send(evil_.session(), bytes_of(2, 64));
  evil_.transport->poll(Clock::now(), evil_.diary);
  place[8 + sizeof(FrameHeader) + 20] ^= std::byte{1};
  expect_a_violation("seal");
}

TEST_F(HostileMemory, a_frame_that_comes_again_ends_the_session) {
  auto ring = first_ring();
  std::byte* const place = next(ring);
  evil_.transport->send(evil_.session(), bytes_of(2, 64));
  ASSERT_TRUE(run({&evil_, &victim_}, [&] { return victim_.diary.messages == 2; }));
  std::uint64_t length = 0;
  std::memcpy(&length, place, sizeof length);
  Bytes again(place, place + 8 + length);
  std::memcpy(next(ring) + 8, again.data() + 8, length);
  std::memcpy(next(ring), &length, sizeof length);
  expect_a_violation("twice");
}

TEST_F(HostileMemory, a_frame_that_was_taken_out_ends_the_session) {
  auto ring = first_ring();
  std::byte* const first = next(ring);
  evil_.transport->send(evil_.session(), bytes_of(2, 64));
  evil_.transport->poll(Clock::now(), evil_.diary);
  std::uint64_t length = 0;
  std::memcpy(&length, first, sizeof length);
  evil_.transport->send(evil_.session(), bytes_of(3, 64));
  evil_.transport->poll(Clock::now(), evil_.diary);
  std::memmove(first, first + 8 + length, 8 + length);
  expect_a_violation("taken out");
}

TEST_F(HostileMemory, more_taken_than_was_sent_ends_the_session) {
  const auto all = memory();
  auto theirs = all.subspan(ring_bytes(SharedMemory::kRing), ring_bytes(SharedMemory::kRing));
  header(theirs).taken = 1 << 20;
  for (int i = 0; i < 10'000; ++i) victim_.transport->send(foe_, bytes_of(1, 1024));
  expect_a_violation("taken");
}

// Whatever it writes, wherever and whenever: the session ends as a violation or is cut for its
// silence, nothing else happens to anybody.
TEST_F(HostileMemory, noise_all_over_it_harms_nobody_else) {
  const auto all = memory();
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000 && victim_.diary.live() == 2; ++i) {
    const std::uint64_t noise = random() % 2 == 0 ? random() : random() % 10'000;
    const std::size_t within = random() % 2 == 0 ? all.size() : std::size_t{2048};
    std::memcpy(all.data() + 8 * (random() % (within / 8)), &noise, sizeof noise);
    victim_.transport->send(foe_, bytes_of(1, 64));
    evil_.transport->send(evil_.session(), bytes_of(1, 64));
    evil_.transport->poll(Clock::now(), evil_.diary);
    victim_.transport->poll(Clock::now(), victim_.diary);
    friendly_.transport->poll(Clock::now(), friendly_.diary);
  }
  EXPECT_TRUE(victim_.diary.is_up(friend_));
  EXPECT_FALSE(victim_.diary.is_up(foe_));
}

// ---- the file

TEST(SharedMemoryFile, of_any_other_kind_than_ours_is_not_mapped) {
  std::string why;
  bool misbehaved = false;
  const auto join = [&](int fd) { return SharedMemory::join(Descriptor(fd), why, misbehaved); };
  const auto memory = [](std::size_t size, int seals, unsigned flags = 0) {
    const int fd = ::memfd_create("pp", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    EXPECT_EQ(::ftruncate(fd, static_cast<off_t>(size)), 0);
    EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
  };
  constexpr int kAll = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  EXPECT_NE(join(memory(SharedMemory::kBytes, kAll)), nullptr) << why;
  for (const int seals :
       {F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_SEAL, F_SEAL_GROW | F_SEAL_SEAL}) {
    EXPECT_EQ(join(memory(SharedMemory::kBytes, seals)), nullptr);
    EXPECT_TRUE(misbehaved);
    EXPECT_THAT(why, ::testing::HasSubstr("sealed"));
  }
  for (const std::size_t size : {std::size_t{0}, SharedMemory::kBytes - 1,
                                 SharedMemory::kBytes - 4096, SharedMemory::kBytes * 2}) {
    EXPECT_EQ(join(memory(size, kAll)), nullptr) << size;
    EXPECT_THAT(why, ::testing::HasSubstr("bytes"));
  }
  EXPECT_EQ(join(::open("/dev/zero", O_RDWR | O_CLOEXEC)), nullptr);
  EXPECT_EQ(join(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), nullptr);
  EXPECT_EQ(join(-1), nullptr);
  // One that nobody may write to any more is no use either, though not for want of a seal.
  EXPECT_EQ(join(memory(SharedMemory::kBytes, kAll | F_SEAL_WRITE)), nullptr);
  // Huge pages are granted or not when they are touched, and a process that touches one in vain is
  // killed.
  const int huge = ::memfd_create("pp", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
  if (huge >= 0) {
    [[maybe_unused]] const int sized = ::ftruncate(huge, std::size_t{2} << 20);
    ::fcntl(huge, F_ADD_SEALS, kAll);
    EXPECT_EQ(join(huge), nullptr);
    EXPECT_THAT(why, ::testing::HasSubstr("plain pages"));
  }
}

TEST(SharedMemoryFile, is_gone_with_the_last_who_maps_it_and_was_never_in_a_file_system) {
  std::string why;
  bool misbehaved = false;
  const std::size_t before = open_descriptors();
  {
    auto mine = SharedMemory::make(why);
    ASSERT_NE(mine, nullptr) << why;
    auto yours =
        SharedMemory::join(Descriptor(::fcntl(mine->file(), F_DUPFD_CLOEXEC, 0)), why, misbehaved);
    ASSERT_NE(yours, nullptr) << why;
    mine->forget_file();
    EXPECT_EQ(open_descriptors(), before);
    RingWriter writer(mine->outgoing());
    RingReader reader(yours->incoming());
    ASSERT_EQ(writer.put(bytes_of(3, 64)), RingWriter::Put::kPut);
    Bytes got(64);
    std::size_t size = 0;
    ASSERT_EQ(reader.take(got, size), RingReader::Take::kTaken);
    EXPECT_EQ(got, bytes_of(3, 64));
    EXPECT_EQ(mappings().size(), 2u);
  }
  EXPECT_TRUE(mappings().empty());
}

// ---- the door

class AtTheDoor : public SharedMemoryOf {
 protected:
  void SetUp() override {
    SharedMemoryOf::SetUp();
    const auto before = doors();
    node_ = open();
    for (const std::string& door : doors())
      if (std::find(before.begin(), before.end(), door) == before.end()) door_ = door;
    ASSERT_FALSE(door_.empty());
  }
  Descriptor call() const {
    Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::copy(door_.begin(), door_.end(), name.sun_path + 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + door_.size());
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), size), 0)
        << std::strerror(errno);
    return socket;
  }
  void expect_turned_away(std::uint64_t count, const std::string& word) {
    ASSERT_TRUE(run({&node_}, [&] { return node_.transport->counters().refusals == count; }));
    ASSERT_FALSE(node_.diary.refusals.empty());
    EXPECT_THAT(node_.diary.refusals.back().sentence, ::testing::HasSubstr(word));
    EXPECT_TRUE(node_.diary.refusals.back().by_us);
  }
  Node node_;
  std::string door_;
};

TEST_F(AtTheDoor, who_speaks_no_pp_is_turned_away) {
  const Descriptor caller = call();
  ASSERT_EQ(::send(caller.get(), "GET / HTTP", 10, 0), 10);
  expect_turned_away(1, "does not speak pp");
  char byte = 0;
  EXPECT_EQ(::recv(caller.get(), &byte, 1, 0), 0) << "closed";
}

TEST_F(AtTheDoor, who_says_nothing_is_turned_away_after_a_while) {
  NetworkOptions impatient = options();
  impatient.limits.handshake = milliseconds(100);
  const auto before = doors();
  node_ = open(impatient);
  for (const std::string& door : doors())
    if (std::find(before.begin(), before.end(), door) == before.end()) door_ = door;
  const Descriptor caller = call();
  expect_turned_away(1, "named no session");
}

TEST_F(AtTheDoor, who_names_a_session_that_is_not_there_is_sent_away_without_a_word) {
  // It may have been over before its memory came, which is nobody's fault.
  std::string why;
  auto memory = SharedMemory::make(why);
  const auto socket = knock(door_, {.session = 17, .token = {}}, memory->file(), why);
  ASSERT_TRUE(socket) << why;
  char byte = 0;
  ssize_t got = -1;
  ASSERT_TRUE(run({&node_}, [&] {
    got = ::recv(socket->get(), &byte, 1, MSG_DONTWAIT);
    return got >= 0;
  }));
  EXPECT_EQ(got, 0) << "closed";
  EXPECT_EQ(node_.transport->counters().refusals, 0u);
}

TEST_F(AtTheDoor, who_names_a_session_without_its_token_is_turned_away_and_the_session_lives) {
  Node peer = open();
  connect(peer, node_);
  // The session's number, from a frame that the peer has sent: it begins the first ring.
  std::uint64_t session = 0;
  for (const auto& memory : mappings()) {
    std::memcpy(&session, memory.data() + sizeof(RingHeader) + 8 + offsetof(FrameHeader, session),
                sizeof session);
  }
  ASSERT_NE(session, 0u);
  std::string why;
  auto memory = SharedMemory::make(why);
  const auto socket = knock(door_, {.session = session, .token = {}}, memory->file(), why);
  ASSERT_TRUE(socket) << why;
  expect_turned_away(1, "does not belong to the session");
  EXPECT_EQ(node_.diary.live(), 1u);
}

TEST_F(AtTheDoor, a_crowd_is_kept_out_and_peers_still_get_in) {
  std::vector<Descriptor> crowd;
  for (int i = 0; i < 60; ++i) crowd.push_back(call());
  expect_turned_away(28, "too many callers");
  crowd.clear();
  expect_turned_away(60, "does not speak pp");
  Node peer = open();
  connect(peer, node_);
}

TEST_F(AtTheDoor, descriptors_that_come_with_nonsense_are_closed) {
  const std::size_t before = open_descriptors();
  {
    const Descriptor caller = call();
    Descriptor file(::memfd_create("pp", MFD_CLOEXEC));
    const int fds[2] = {file.get(), file.get()};
    char word[48] = {};
    iovec part{word, sizeof word};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const attached = CMSG_FIRSTHDR(&message);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof fds);
    std::memcpy(CMSG_DATA(attached), fds, sizeof fds);
    ASSERT_GT(::sendmsg(caller.get(), &message, 0), 0);
    expect_turned_away(1, "does not speak pp");
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(AtTheDoor, a_process_of_another_user_is_turned_away_at_once) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const pid_t other = ::fork();
  if (other == 0) {
    if (::setuid(65'534) != 0) ::_exit(1);
    const Descriptor caller = call();
    char byte = 0;
    ::_exit(::recv(caller.get(), &byte, 1, 0) == 0 ? 0 : 1);
  }
  expect_turned_away(1, "another user");
  int status = 1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0) << "it saw its end closed";
}

// ---- choosing

TEST_F(SharedMemoryOf, two_nodes_is_used_only_if_both_want_it) {
  NetworkOptions without = options();
  without.shared_memory = false;
  Node a = open(), b = open(without);
  a.transport->dial(b.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  EXPECT_EQ(a.diary.ups.back().peer.provider, "control");
  EXPECT_EQ(b.diary.ups.back().peer.provider, "control");
  EXPECT_TRUE(mappings().empty());
}

// Ends a descriptor of this process from below, as no program would.
void close_from_below(const std::function<bool(const sockaddr_un&, socklen_t)>& which) {
  int closed = 0;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_un name{};
    socklen_t size = sizeof name;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0 ||
        name.sun_family != AF_UNIX || !which(name, size))
      continue;
    const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup3(nothing.get(), fd, O_CLOEXEC);
    ++closed;
  }
  EXPECT_EQ(closed, 1);
}

TEST_F(AtTheDoor, that_is_shut_nobody_waits_and_the_next_session_does_without) {
  close_from_below([this](const sockaddr_un& name, socklen_t size) {
    return std::string(name.sun_path + 1, name.sun_path + size - offsetof(sockaddr_un, sun_path)) ==
           door_;
  });
  Node peer = open();
  peer.transport->dial(node_.address());
  ASSERT_TRUE(run({&peer, &node_}, [&] { return !peer.diary.failed_dials.empty(); }));
  EXPECT_THAT(peer.diary.failed_dials.back().why, ::testing::HasSubstr("shared memory"));
  peer.transport->dial(node_.address());
  ASSERT_TRUE(run({&peer, &node_}, [&] { return peer.diary.live() == 1; }));
  EXPECT_EQ(peer.diary.ups.back().peer.provider, "control");
}

// Would catch a session that goes on where nobody can be rung for any more.
TEST_F(SharedMemoryOf, a_peer_that_closes_its_end_of_the_bell_and_lives_is_left) {
  Node a = open(), b = open();
  connect(a, b);
  // The dialler's end has no name. (It was in the poller of `a`, which notices nothing.)
  close_from_below([](const sockaddr_un&, socklen_t size) { return size == sizeof(sa_family_t); });
  ASSERT_TRUE(run({&a, &b}, [&] { return b.diary.live() == 0; }));
  EXPECT_EQ(b.diary.downs.back().reason, DownReason::kFabric);
  EXPECT_THAT(b.diary.downs.back().why, ::testing::HasSubstr("goes on living"));
  EXPECT_EQ(b.transport->counters().violations, 0u);
}

TEST(MemoryOffer, leads_to_who_is_at_the_same_place_as_the_same_user) {
  const MemoryOffer here{"boot/1", 7, "pp-x"};
  EXPECT_TRUE(here.leads_to({"boot/1", 7, "pp-y"}));
  EXPECT_FALSE(here.leads_to({"boot/2", 7, "pp-y"})) << "another network namespace";
  EXPECT_FALSE(here.leads_to({"boot/1", 8, "pp-y"})) << "another user";
  EXPECT_FALSE(here.leads_to({"boot/1", 7, ""})) << "it shares none";
  EXPECT_FALSE(MemoryOffer({"", 7, "pp-x"}).leads_to({"", 7, "pp-y"})) << "nobody knows where";
}

}  // namespace
}  // namespace pp::transport
