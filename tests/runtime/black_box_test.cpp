// BlackBox: what processes note there is read exactly while they run, after they were killed at any
// instruction, and when they have filled their slot with garbage.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <pp/black_box.hpp>
#include <pp/error.hpp>
#include <pp/function_table.hpp>
#include <pp/pp.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace pp::runtime {
namespace {

using std::chrono::nanoseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

int doubled(int n) { return 2 * n; }
[[maybe_unused]] const Function& kDoubled = function_of<Constant<doubled>>();

NodeId node(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}

// A note whose every field says the same number: torn, it would contradict itself.
JobNote note(std::uint64_t n) {
  JobNote note;
  note.owner = node(static_cast<std::uint8_t>(n % 251 + 1));
  note.loan = n;
  note.job = ~n;
  note.function = n * 3;
  note.attempt = static_cast<std::uint32_t>(n);
  note.since = nanoseconds(static_cast<std::int64_t>(n));
  return note;
}

bool whole(const JobNote& read) {
  const JobNote expected = note(read.loan);
  return read.owner == expected.owner && read.job == expected.job &&
         read.function == expected.function && read.attempt == expected.attempt &&
         read.since == expected.since;
}

std::vector<std::uint64_t> loans(const std::optional<BlackBox::Running>& running) {
  std::vector<std::uint64_t> numbers;
  if (running) {
    for (const BlackBox::Entry& entry : running->jobs) numbers.push_back(entry.loan);
  }
  return numbers;
}

// A process of its own that does `work` with the box, and then nothing until it is killed.
class Child {
 public:
  template <class Work>
  explicit Child(BlackBox& box, Work work) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw Error("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto own = BlackBox::open(box.descriptor());
      const auto ready = [&ends] { [[maybe_unused]] const ssize_t put = ::write(ends[1], "x", 1); };
      work(*own, ready);
      ready();
      for (;;) ::pause();
    }
    ::close(ends[1]);
    ready_ = ends[0];
  }
  ~Child() {
    kill();
    ::close(ready_);
  }

  int pid() const { return pid_; }
  void wait_until_ready() const {
    char c = 0;
    ASSERT_EQ(::read(ready_, &c, 1), 1);
  }
  void kill() {
    if (killed_) return;
    killed_ = true;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  int pid_ = -1;
  int ready_ = -1;
  bool killed_ = false;
};

const FunctionTable& functions() { return FunctionTable::seal(); }

TEST(BlackBox, a_process_is_seen_by_others_with_its_name_and_its_functions) {
  functions();
  const auto box = BlackBox::make(4, 2);
  Child child(*box, [](BlackBox& own, auto) { own.enter(node(1), "host:1", functions()); });
  child.wait_until_ready();
  EXPECT_EQ(box->name_of(node(1)), "host:1");
  const std::uint64_t id = kDoubled.id;  // sealed above
  EXPECT_THAT(box->function_name(node(1), id), HasSubstr("doubled"));
  EXPECT_EQ(box->function_name(node(1), id + 1), "");
  ASSERT_TRUE(box->running(node(1)));
  EXPECT_THAT(box->running(node(1))->jobs, IsEmpty());
  EXPECT_TRUE(box->running(node(1))->complete);
  EXPECT_EQ(box->fate(node(1)), (Fate{Fate::Kind::kRuns, 0}));
}

TEST(BlackBox, nobody_knows_a_node_that_has_no_slot) {
  const auto box = BlackBox::make(1, 1);
  EXPECT_FALSE(box->running(node(9)));
  EXPECT_FALSE(box->running(NodeId{}));
  EXPECT_EQ(box->fate(node(9)), Fate{});
  EXPECT_EQ(box->name_of(node(9)), "");
  EXPECT_FALSE(box->sighting(::getpid()));
}

TEST(BlackBox, jobs_lie_on_top_of_each_other) {
  const auto box = BlackBox::make(1, 2);
  ASSERT_TRUE(box->enter(node(1), "one", functions()));
  Recorder first = box->recorder(0), second = box->recorder(1);
  first.begin(note(10));
  first.begin(note(11));
  second.begin(note(20));
  auto running = box->running(node(1));
  ASSERT_THAT(loans(running), ElementsAre(10, 11, 20));
  EXPECT_FALSE(running->jobs[0].innermost);
  EXPECT_TRUE(running->jobs[1].innermost);
  EXPECT_TRUE(running->jobs[2].innermost);
  EXPECT_EQ(running->jobs[2].place, 1u);
  for (const BlackBox::Entry& entry : running->jobs) EXPECT_TRUE(whole(entry));
  first.end();
  EXPECT_THAT(loans(box->running(node(1))), ElementsAre(10, 20));
  first.begin(note(12));
  EXPECT_THAT(loans(box->running(node(1))), ElementsAre(10, 12, 20));
  first.end();
  first.end();
  second.end();
  EXPECT_THAT(loans(box->running(node(1))), IsEmpty());
}

TEST(BlackBox, what_is_too_much_to_be_noted_is_said_to_be_missing) {
  const auto box = BlackBox::make(1, 1);
  ASSERT_TRUE(box->enter(node(1), "one", functions()));
  Recorder deep = box->recorder(0);
  for (std::uint64_t n = 0; n < Recorder::kDepths; ++n) deep.begin(note(n));
  EXPECT_TRUE(box->running(node(1))->complete);
  deep.begin(note(99));
  EXPECT_THAT(box->running(node(1))->jobs, SizeIs(Recorder::kDepths));
  EXPECT_FALSE(box->running(node(1))->complete);
  deep.end();
  EXPECT_TRUE(box->running(node(1))->complete);

  Recorder outside = box->recorder(BlackBox::kMostPlaces);
  ASSERT_TRUE(outside.on());
  outside.begin(note(5));
  EXPECT_FALSE(box->running(node(1))->complete);
  outside.end();
  EXPECT_TRUE(box->running(node(1))->complete);
}

TEST(BlackBox, each_process_takes_a_slot_of_its_own_until_none_is_left) {
  const auto box = BlackBox::make(3, 1);
  std::vector<std::unique_ptr<Child>> children;
  for (std::uint8_t n = 1; n <= 4; ++n) {
    children.push_back(std::make_unique<Child>(*box, [n](BlackBox& own, auto) {
      if (own.enter(node(n), "child", functions())) own.recorder(0).begin(note(n));
    }));
  }
  unsigned seen = 0;
  for (std::uint8_t n = 1; n <= 4; ++n) {
    children[n - 1u]->wait_until_ready();
    if (!box->running(node(n))) continue;
    ++seen;
    EXPECT_THAT(loans(box->running(node(n))), ElementsAre(n));
  }
  EXPECT_EQ(seen, 3u);
}

// Would catch: a reader that believes a half-written note, a note that outlives its job, a job that
// had begun and is not found. The child writes without a pause and is killed wherever it stands;
// what it keeps in memory of its own (shared with us alone) says between which notes that was.
TEST(BlackBox, a_writer_that_is_killed_anywhere_leaves_whole_notes) {
  struct Progress {
    std::atomic<std::uint64_t> begun, ended;  // note n is being, or has been, begun; has ended
  };
  void* const memory =
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& progress = *new (memory) Progress{};
  std::minstd_rand random(7);
  for (int round = 0; round < 100; ++round) {
    progress.begun = progress.ended = 0;
    const auto box = BlackBox::make(1, 1);
    Child child(*box, [&](BlackBox& own, auto ready) {
      own.enter(node(1), "writer", functions());
      Recorder recorder = own.recorder(0);
      ready();
      for (std::uint64_t n = 1;; ++n) {
        progress.begun.store(n);
        recorder.begin(note(n));
        recorder.begin(note(n + 1'000'000'000));
        recorder.end();
        progress.ended.store(n);
        recorder.end();
      }
    });
    child.wait_until_ready();
    const unsigned looks = static_cast<unsigned>(random() % 200);
    for (unsigned i = 0; i < looks; ++i) {
      const auto running = box->running(node(1));
      ASSERT_TRUE(running);
      for (const BlackBox::Entry& entry : running->jobs) ASSERT_TRUE(whole(entry));
    }
    child.kill();
    const auto at_the_end = box->running(node(1));
    ASSERT_TRUE(at_the_end);
    EXPECT_TRUE(at_the_end->complete);
    for (const BlackBox::Entry& entry : at_the_end->jobs) ASSERT_TRUE(whole(entry));
    const std::vector<std::uint64_t> left = loans(at_the_end);
    const std::uint64_t begun = progress.begun, ended = progress.ended;
    if (left.empty()) continue;  // between two jobs
    EXPECT_TRUE(left[0] == begun || left[0] == begun - 1) << "a note outlived its job";
    EXPECT_GE(left[0], ended);
    if (left.size() > 1) {
      EXPECT_EQ(left[1], left[0] + 1'000'000'000);
      EXPECT_THAT(left, SizeIs(2));
    }
  }
  ::munmap(memory, sizeof(Progress));
}

// Would catch, under ThreadSanitizer too: fields that are read while they are written.
TEST(BlackBox, is_read_while_it_is_written) {
  const auto box = BlackBox::make(1, 1);
  ASSERT_TRUE(box->enter(node(1), "one", functions()));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Recorder recorder = box->recorder(0);
    for (std::uint64_t n = 1; !stop; ++n) {
      recorder.begin(note(n));
      recorder.end();
    }
  });
  const auto reader = BlackBox::open(box->descriptor());
  std::uint64_t last = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto running = reader->running(node(1));
    ASSERT_TRUE(running);
    for (const BlackBox::Entry& entry : running->jobs) {
      ASSERT_TRUE(whole(entry));
      ASSERT_GE(entry.loan, last);
      last = entry.loan;
    }
  }
  stop = true;
  writer.join();
}

// Every byte that a node can reach, not only its own slot.
TEST(BlackBox, garbage_is_read_without_harm) {
  std::minstd_rand random(11);
  for (int round = 0; round < 20; ++round) {
    const auto box = BlackBox::make(3, 2);
    Child honest(*box, [](BlackBox& own, auto) { own.enter(node(1), "honest", functions()); });
    honest.wait_until_ready();
    Child mad(*box, [](BlackBox& own, auto) { own.enter(node(2), "mad", functions()); });
    mad.wait_until_ready();
    mad.kill();
    const off_t bytes = ::lseek(box->descriptor(), 0, SEEK_END);
    void* const memory = ::mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                                MAP_SHARED, box->descriptor(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    // What lies in front of the slots stays, sometimes: who reads has opened the box before.
    const std::size_t first = round % 2 == 0 ? 64 : 0;
    for (std::size_t i = first; i < static_cast<std::size_t>(bytes); ++i) {
      static_cast<unsigned char*>(memory)[i] =
          round < 2 ? 0xff : static_cast<unsigned char>(random());
    }
    // The mad one's NodeId stays where it was, so that its slot is found.
    const NodeId id = node(2);
    for (const std::size_t slot : {0u, 1u, 2u}) {
      unsigned char* const head = static_cast<unsigned char*>(memory) + 64 + slot * 128;
      const std::uint32_t taken = 2;
      std::memcpy(head + 4, &taken, sizeof taken);
      std::memcpy(head + 8, id.bytes.data(), id.bytes.size());
    }
    const auto running = box->running(node(2));
    ASSERT_TRUE(running);
    EXPECT_LE(running->jobs.size(), std::size_t{BlackBox::kMostPlaces} * Recorder::kDepths);
    EXPECT_LE(box->name_of(node(2)).size(), BlackBox::kNodeName);
    EXPECT_LE(box->function_name(node(2), ~std::uint64_t{0}).size(), BlackBox::kFunctionName);
    (void)box->fate(node(2));
    (void)box->sighting(mad.pid());
    box->ended(mad.pid(), {Fate::Kind::kExited, 1});
    box->make_room();
    if (first == 0) {
      EXPECT_THROW(BlackBox::open(box->descriptor()), Error);
    }
    ::munmap(memory, static_cast<std::size_t>(bytes));
  }
}

TEST(BlackBox, the_supervisor_tells_how_a_process_ended) {
  const auto box = BlackBox::make(4, 1);
  std::vector<std::unique_ptr<Child>> children;
  for (std::uint8_t n = 1; n <= 2; ++n) {
    children.push_back(std::make_unique<Child>(*box, [n](BlackBox& own, auto) {
      own.enter(node(n), "child", functions());
      own.recorder(0).begin(note(n));
    }));
    children.back()->wait_until_ready();
  }
  const auto sighting = box->sighting(children[0]->pid());
  ASSERT_TRUE(sighting);
  EXPECT_EQ(sighting->node, node(1));
  EXPECT_EQ(sighting->name, "child");
  EXPECT_THAT(loans(sighting->running), ElementsAre(1));

  box->ended(children[0]->pid(), {Fate::Kind::kSignal, SIGSEGV});
  box->ended(children[1]->pid(), {Fate::Kind::kExited, 3});
  const auto reader = BlackBox::open(box->descriptor());
  EXPECT_EQ(reader->fate(node(1)), (Fate{Fate::Kind::kSignal, SIGSEGV}));
  EXPECT_EQ(reader->fate(node(2)), (Fate{Fate::Kind::kExited, 3}));
  EXPECT_THAT(loans(reader->running(node(1))), ElementsAre(1));
  EXPECT_FALSE(box->sighting(children[0]->pid())) << "its number may be another's by now";
}

TEST(BlackBox, a_process_that_its_maker_did_not_start_has_no_fate) {
  const auto box = BlackBox::make(1, 1);
  Child parent(*box, [&](BlackBox& own, auto) {
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(1);
    if (::fork() == 0) {
      own.enter(node(1), "grandchild", functions());
      ::close(ends[1]);
      ::close(ends[0]);
      ::_exit(0);
    }
    ::close(ends[1]);
    char c = 0;
    [[maybe_unused]] const ssize_t got = ::read(ends[0], &c, 1);  // its end
  });
  parent.wait_until_ready();
  ASSERT_TRUE(box->running(node(1)));
  EXPECT_EQ(box->fate(node(1)), Fate{});
}

TEST(BlackBox, makes_room_for_a_new_process_where_the_oldest_death_was) {
  const auto box = BlackBox::make(2, 1);
  const auto add = [&](std::uint8_t n) {
    auto child = std::make_unique<Child>(*box, [n](BlackBox& own, auto) {
      if (own.enter(node(n), "child", functions())) own.recorder(0).begin(note(n));
    });
    child->wait_until_ready();
    return child;
  };
  const auto bury = [&](Child& child) {
    child.kill();
    box->ended(child.pid(), {Fate::Kind::kSignal, SIGKILL});
  };
  auto first = add(1), second = add(2);
  bury(*second);
  bury(*first);
  box->make_room();
  EXPECT_FALSE(box->running(node(2)));
  EXPECT_TRUE(box->running(node(1)));
  box->make_room();  // there is room
  EXPECT_TRUE(box->running(node(1)));
  auto third = add(3);
  EXPECT_THAT(loans(box->running(node(3))), ElementsAre(3));
  EXPECT_EQ(box->fate(node(3)), (Fate{Fate::Kind::kRuns, 0}));
}

TEST(BlackBox, one_slot_serves_one_runtime_of_a_process_after_the_other) {
  const auto box = BlackBox::make(1, 1);
  for (std::uint8_t n = 1; n <= 3; ++n) {
    const auto own = BlackBox::open(box->descriptor());
    ASSERT_TRUE(own->enter(node(n), "life " + std::to_string(n), functions()));
    EXPECT_EQ(box->name_of(node(n)), "life " + std::to_string(n));
    const auto other = BlackBox::open(box->descriptor());
    EXPECT_FALSE(other->enter(node(77), "too much", functions()));
    own->leave();
  }
  EXPECT_EQ(box->sighting(::getpid())->name, "life 3");
}

TEST(BlackBox, refuses_what_is_no_box_and_says_what_was_expected) {
  const auto refusal = [](int descriptor) -> std::string {
    try {
      BlackBox::open(descriptor);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(9999), HasSubstr("PP_BLACK_BOX=9999: expected the descriptor"));
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_THAT(refusal(nothing), HasSubstr("expected the descriptor"));
  ::close(nothing);
  const int file = ::memfd_create("no box", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(::ftruncate(file, 100'000), 0);
  EXPECT_THAT(refusal(file), HasSubstr("expected the descriptor")) << "it could shrink";
  ASSERT_EQ(::fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
  EXPECT_THAT(refusal(file), HasSubstr("expected the descriptor"));
  ::close(file);
}

// --- what a node notes

int who_runs(int descriptor) {
  const auto box = BlackBox::open(descriptor);
  const NodeId self = box->sighting(::getpid())->node;
  const auto running = box->running(self);
  if (!running || running->jobs.size() != 1) return -1;
  const BlackBox::Entry& job = running->jobs.front();
  if (job.job != this_job().id() || job.owner != self || job.attempt != 1) return -2;
  if (job.since.count() <= 0 || !job.innermost) return -3;
  return box->function_name(self, job.function).find("who_runs") != std::string::npos ? 1 : -4;
}

int parent_of(int descriptor) { return pp::spawn<who_runs>(descriptor).get(); }

TEST(BlackBox, a_node_notes_what_its_workers_run) {
  const auto box = BlackBox::make(2, 1);
  Options options;
  options.workers = 1;
  options.black_box_fd = box->descriptor();
  Runtime rt(options);
  EXPECT_EQ(rt.submit<who_runs>(box->descriptor()).get(), 1);
  EXPECT_EQ(rt.submit<parent_of>(box->descriptor()).get(), -2) << "a child is a part of its parent";
  const NodeId self = box->sighting(::getpid())->node;
  EXPECT_EQ(box->name_of(self), rt.name());
  EXPECT_THAT(box->running(self)->jobs, IsEmpty());
}

TEST(BlackBox, a_node_does_without_a_box_that_is_none) {
  Options options;
  options.workers = 1;
  options.black_box_fd = 9999;
  testing::internal::CaptureStderr();
  {
    Runtime rt(options);
    EXPECT_EQ(rt.submit<doubled>(4).get(), 8);
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("PP_BLACK_BOX=9999"));
}

}  // namespace
}  // namespace pp::runtime
