// BlackBox over a memory file that can neither shrink nor grow.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <pp/black_box.hpp>
#include <pp/error.hpp>
#include <pp/function_table.hpp>
#include <string_view>
#include <utility>

namespace pp::runtime {

namespace {

constexpr std::uint64_t kMagic = 0x31786f62'6b637062;  // "bpckbox1"
constexpr std::size_t kPage = 4096;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;
// Looks at a line whose stamp changes under our eyes; between two of them a whole job ended.
constexpr int kLooks = 16;

static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

// A slot's whole life, in the order of the numbers but for kLeft -> kFilling.
enum SlotState : std::uint32_t { kFree = 0, kFilling = 1, kTaken = 2, kLeft = 3 };

// Texts in shared memory, cut to the room there is. Relaxed: published by who fills the slot, last.
template <std::size_t kWords>
using Text = std::array<std::atomic<std::uint64_t>, kWords>;

template <std::size_t kWords>
void write(Text<kWords>& text, std::string_view value) {
  std::array<char, kWords * 8> bytes{};
  std::memcpy(bytes.data(), value.data(), std::min(value.size(), bytes.size()));
  const auto words = std::bit_cast<std::array<std::uint64_t, kWords>>(bytes);
  for (std::size_t i = 0; i < kWords; ++i) text[i].store(words[i], std::memory_order_relaxed);
}

template <std::size_t kWords>
std::string read(const Text<kWords>& text) {
  std::array<std::uint64_t, kWords> words{};
  for (std::size_t i = 0; i < kWords; ++i) words[i] = text[i].load(std::memory_order_relaxed);
  const auto bytes = std::bit_cast<std::array<char, kWords * 8>>(words);
  return {bytes.begin(), std::find(bytes.begin(), bytes.end(), '\0')};
}

// Written once, by make(), before anybody inherits the file.
struct Header {
  std::uint64_t magic;
  std::uint32_t slots, places;
  std::int32_t supervisor;
  std::array<std::uint8_t, 44> unused;
};
static_assert(sizeof(Header) == 64);

// An end in one word, so that it is there or not: 0 none; else how, and the number.
constexpr std::uint64_t kEnded = std::uint64_t{1} << 63, kBySignal = std::uint64_t{1} << 62;

std::uint64_t encode(const Fate& fate) {
  return kEnded | (fate.kind == Fate::Kind::kSignal ? kBySignal : 0) |
         static_cast<std::uint32_t>(fate.number);
}

Fate decode(std::uint64_t ended) {
  return {(ended & kBySignal) != 0 ? Fate::Kind::kSignal : Fate::Kind::kExited,
          static_cast<int>(static_cast<std::uint32_t>(ended))};
}

struct Title {
  std::atomic<std::uint64_t> function;  // 0: none. Relaxed: as texts
  Text<BlackBox::kFunctionName / 8> name;
};
static_assert(sizeof(Title) == 64);

std::size_t pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

}  // namespace

// Who has the slot. All heads lie together, so that a search touches few pages.
struct alignas(64) BlackBox::Head {
  // Who claims the slot puts its process id here; that is what the supervisor looks for, so it
  // knows even one who died before the rest was filled in. Acquire-release: a slot that was emptied
  // is seen empty.
  std::atomic<std::int32_t> pid;
  // SlotState. Release: publishes names and functions; acquire: in the readers.
  std::atomic<std::uint32_t> state;
  // Relaxed: published by `state`; emptied first, and looked at again after a slot was read.
  std::array<std::atomic<std::uint64_t>, 2> node;
  // How its process ended. Relaxed: one word that says all.
  std::atomic<std::uint64_t> ended;
  std::atomic<std::int64_t> unnoted;      // see Recorder
  std::atomic<std::uint32_t> supervised;  // it is a child of who made the file. Relaxed: as node
  std::uint32_t unused;
  Text<kNodeName / 8> name;
};

// The rest of a slot: the places' lines come right behind it.
struct BlackBox::Body {
  std::array<Title, kFunctions> functions;
};

void Recorder::count_unnoted(int change) noexcept {
  unnoted_->fetch_add(change, std::memory_order_relaxed);
}

namespace {

constexpr std::size_t kHead = 128;

std::size_t bytes_of_body(std::size_t places) {
  return pages(sizeof(Title) * BlackBox::kFunctions +
               places * Recorder::kDepths * sizeof(Recorder::Line));
}

std::size_t bytes_of_heads(std::size_t slots) { return pages(sizeof(Header) + slots * kHead); }

std::size_t bytes_of_file(std::size_t slots, std::size_t places) {
  return bytes_of_heads(slots) + slots * bytes_of_body(places);
}

[[noreturn]] void no_memory_file(int error) {
  throw Error(std::string("no memory file can be made for what nodes are running: ") +
              std::strerror(error));
}

[[noreturn]] void no_box(int descriptor) {
  throw Error("pp: PP_BLACK_BOX=" + std::to_string(descriptor) +
              ": expected the descriptor that pp-launch sets, of its memory file");
}

void* map(int descriptor, std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

std::unique_ptr<BlackBox> BlackBox::make(unsigned slots, unsigned workers) {
  static_assert(sizeof(Head) == kHead);
  // Twice the workers: more may be admitted while the program runs.
  const Header header{kMagic,
                      std::min(slots, kMostSlots),
                      std::clamp(std::min(workers, kMostPlaces) * 2, kLeastPlaces, kMostPlaces),
                      static_cast<std::int32_t>(::getpid()),
                      {}};
  const std::size_t bytes = bytes_of_file(header.slots, header.places);
  const int descriptor = ::memfd_create("pp-black-box", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) no_memory_file(errno);
  void* memory = nullptr;
  if (::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(descriptor, F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0 ||
      (memory = map(descriptor, bytes)) == nullptr) {
    const int error = errno;
    ::close(descriptor);
    no_memory_file(error);
  }
  std::memcpy(memory, &header, sizeof header);
  return std::unique_ptr<BlackBox>(new BlackBox(descriptor, memory, bytes));
}

std::unique_ptr<BlackBox> BlackBox::open(int descriptor) {
  struct stat about {};
  // One that could shrink would kill us when we look at it.
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || ::fstat(descriptor, &about) != 0 ||
      about.st_size < static_cast<off_t>(sizeof(Header))) {
    no_box(descriptor);
  }
  const auto bytes = static_cast<std::size_t>(about.st_size);
  void* const memory = map(descriptor, bytes);
  if (memory == nullptr) no_box(descriptor);
  std::unique_ptr<BlackBox> box(new BlackBox(-1, memory, bytes));
  if (box->slots_ == 0) no_box(descriptor);
  return box;
}

std::unique_ptr<BlackBox> BlackBox::of_copy(std::span<const std::byte> bytes) {
  void* const memory = ::mmap(nullptr, std::max<std::size_t>(bytes.size(), sizeof(Header)),
                              PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) no_memory_file(errno);
  std::memcpy(memory, bytes.data(), bytes.size());
  std::unique_ptr<BlackBox> box(
      new BlackBox(-1, memory, std::max<std::size_t>(bytes.size(), sizeof(Header))));
  if (box->slots_ == 0) throw Error("no black box of this kind of machine");
  return box;
}

BlackBox::BlackBox(int descriptor, void* memory, std::size_t bytes)
    : descriptor_(descriptor), memory_(memory), bytes_(bytes) {
  Header header{};
  std::memcpy(&header, memory_, sizeof header);
  if (header.magic != kMagic || header.slots > kMostSlots || header.places > kMostPlaces ||
      bytes_of_file(header.slots, header.places) > bytes_) {
    return;  // no slots
  }
  slots_ = header.slots;
  places_ = header.places;
  supervisor_ = header.supervisor;
}

BlackBox::~BlackBox() {
  ::munmap(memory_, bytes_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

BlackBox::Head& BlackBox::head(unsigned slot) const {
  auto* const begin = static_cast<std::byte*>(memory_) + sizeof(Header);
  return *std::launder(reinterpret_cast<Head*>(begin + slot * kHead));
}

BlackBox::Body& BlackBox::body(unsigned slot) const {
  auto* const begin = static_cast<std::byte*>(memory_) + bytes_of_heads(slots_);
  return *std::launder(reinterpret_cast<Body*>(begin + slot * bytes_of_body(places_)));
}

Recorder::Line* BlackBox::lines(unsigned slot, std::size_t place) const {
  auto* const first = reinterpret_cast<Recorder::Line*>(&body(slot) + 1);
  return std::launder(first + place * Recorder::kDepths);
}

// --- writing

bool BlackBox::claim(unsigned slot) {
  Head& head = this->head(slot);
  const auto self = static_cast<std::int32_t>(::getpid());
  std::int32_t nobody = 0;
  if (head.pid.compare_exchange_strong(nobody, self, std::memory_order_acq_rel)) {
    head.state.store(kFilling, std::memory_order_relaxed);
    return true;
  }
  // One that this process has left. (Not an earlier process of the same number, which has ended.)
  std::uint32_t left = kLeft;
  return nobody == self && head.ended.load(std::memory_order_relaxed) == 0 &&
         head.state.compare_exchange_strong(left, kFilling, std::memory_order_acq_rel);
}

bool BlackBox::enter(const NodeId& node, const std::string& name, const FunctionTable& functions) {
  own_.reset();
  for (unsigned slot = 0; slot < slots_ && !own_; ++slot) {
    if (claim(slot)) own_ = slot;
  }
  if (!own_) return false;
  self_ = node;
  Head& head = this->head(*own_);
  write(head.name, name);
  head.unnoted.store(0, std::memory_order_relaxed);
  head.supervised.store(::getppid() == supervisor_ ? 1 : 0, std::memory_order_relaxed);
  Body& body = this->body(*own_);
  std::size_t known = 0;
  for (const Function* function :
       functions.all().first(std::min<std::size_t>(functions.size(), kFunctions))) {
    Title& title = body.functions[known++];
    write(title.name, function->name);
    title.function.store(function->id, std::memory_order_relaxed);
  }
  const auto words = Recorder::words(node);
  head.node[0].store(words[0], std::memory_order_relaxed);
  head.node[1].store(words[1], std::memory_order_relaxed);
  head.state.store(kTaken, std::memory_order_release);
  return true;
}

void BlackBox::leave() {
  if (own_) head(*own_).state.store(kLeft, std::memory_order_release);
  own_.reset();
}

Recorder BlackBox::recorder(std::size_t place) {
  Recorder recorder;
  if (!own_) return recorder;
  recorder.unnoted_ = &head(*own_).unnoted;
  if (place >= places_) return recorder;
  recorder.lines_ = lines(*own_, place);
  recorder.noted_ = Recorder::kDepths;
  return recorder;
}

// --- reading

std::optional<unsigned> BlackBox::find(const NodeId& node) const {
  if (node == NodeId{}) return std::nullopt;
  const auto words = Recorder::words(node);
  for (unsigned slot = 0; slot < slots_; ++slot) {
    const Head& head = this->head(slot);
    const std::uint32_t state = head.state.load(std::memory_order_acquire);
    if ((state == kTaken || state == kLeft) &&
        head.node[0].load(std::memory_order_relaxed) == words[0] &&
        head.node[1].load(std::memory_order_relaxed) == words[1]) {
      return slot;
    }
  }
  return std::nullopt;
}

namespace {

enum class Look { kEmpty, kRunning, kChanging };

// Copies a line, and believes the copy if the line did not change meanwhile.
Look look(const Recorder::Line& line, JobNote& note) {
  using Line = Recorder::Line;
  constexpr auto kAcquire = std::memory_order_acquire;
  for (int i = 0; i < kLooks; ++i) {
    const std::uint64_t before = line.stamp.load(kAcquire);
    // Being written: the job has not begun, and if its process is dead, it never will.
    if ((before & Line::kStates) != Line::kRunning) return Look::kEmpty;
    const std::array<std::uint64_t, 2> owner{line.owner[0].load(kAcquire),
                                             line.owner[1].load(kAcquire)};
    note.owner.bytes = std::bit_cast<decltype(note.owner.bytes)>(owner);
    note.loan = line.loan.load(kAcquire);
    note.job = line.job.load(kAcquire);
    note.function = line.function.load(kAcquire);
    note.attempt = static_cast<std::uint32_t>(line.attempt.load(kAcquire));
    note.since = std::chrono::nanoseconds(
        static_cast<std::chrono::nanoseconds::rep>(line.since.load(kAcquire)));
    if (line.stamp.load(std::memory_order_relaxed) == before) return Look::kRunning;
  }
  return Look::kChanging;
}

}  // namespace

BlackBox::Running BlackBox::read(unsigned slot) const {
  Running running;
  running.complete = head(slot).unnoted.load(std::memory_order_relaxed) == 0;
  for (unsigned place = 0; place < places_; ++place) {
    const std::size_t first = running.jobs.size();
    const Recorder::Line* const line = lines(slot, place);
    for (unsigned depth = 0; depth < Recorder::kDepths; ++depth) {
      Entry entry;
      entry.place = place;
      const Look seen = look(line[depth], entry);
      if (seen == Look::kRunning) running.jobs.push_back(entry);
      if (seen == Look::kChanging) running.complete = false;
      if (seen == Look::kEmpty) break;  // nothing lies on top of nothing
    }
    if (running.jobs.size() > first) running.jobs.back().innermost = true;
  }
  return running;
}

std::optional<BlackBox::Running> BlackBox::running(const NodeId& node) const {
  const std::optional<unsigned> slot = find(node);
  if (!slot) return std::nullopt;
  Running running = read(*slot);
  if (find(node) != slot) return std::nullopt;  // emptied meanwhile
  return running;
}

Fate BlackBox::fate(const NodeId& node) const {
  const std::optional<unsigned> slot = find(node);
  if (!slot) return {};
  const Head& head = this->head(*slot);
  const std::uint64_t ended = head.ended.load(std::memory_order_relaxed);
  const bool supervised = head.supervised.load(std::memory_order_relaxed) != 0;
  if (find(node) != slot) return {};
  if ((ended & kEnded) != 0) return decode(ended);
  return {supervised ? Fate::Kind::kRuns : Fate::Kind::kUnknown, 0};
}

std::string BlackBox::name_of(const NodeId& node) const {
  const std::optional<unsigned> slot = find(node);
  return slot ? runtime::read(head(*slot).name) : std::string();
}

std::string BlackBox::function_name(const NodeId& node, std::uint64_t function) const {
  const std::optional<unsigned> slot = find(node);
  if (!slot || function == 0) return {};
  for (const Title& title : body(*slot).functions) {
    const std::uint64_t id = title.function.load(std::memory_order_relaxed);
    if (id == function) return runtime::read(title.name);
    if (id == 0) break;
  }
  return {};
}

// --- supervising

// Whether the slot is that of a process whose end is not known yet: numbers of processes are used
// again.
bool BlackBox::is_living(unsigned slot, int pid) const {
  return head(slot).pid.load(std::memory_order_acquire) == pid &&
         head(slot).ended.load(std::memory_order_relaxed) == 0;
}

std::optional<BlackBox::Sighting> BlackBox::sighting(int pid) const {
  std::optional<unsigned> slot;
  for (unsigned one = 0; one < slots_; ++one) {
    if (!is_living(one, pid)) continue;
    const std::uint32_t state = head(one).state.load(std::memory_order_acquire);
    if (state == kTaken || (state == kLeft && !slot)) slot = one;
  }
  if (!slot) return std::nullopt;
  const Head& head = this->head(*slot);
  Sighting sighting;
  const std::array<std::uint64_t, 2> node{head.node[0].load(std::memory_order_relaxed),
                                          head.node[1].load(std::memory_order_relaxed)};
  sighting.node.bytes = std::bit_cast<decltype(sighting.node.bytes)>(node);
  sighting.name = runtime::read(head.name);
  sighting.running = read(*slot);
  return sighting;
}

void BlackBox::ended(int pid, Fate fate) {
  for (unsigned slot = 0; slot < slots_; ++slot) {  // a process may have several nodes
    if (!is_living(slot, pid)) continue;
    head(slot).ended.store(encode(fate), std::memory_order_relaxed);
    dead_.push_back(slot);
  }
}

void BlackBox::make_room() {
  for (unsigned slot = 0; slot < slots_; ++slot) {
    if (head(slot).pid.load(std::memory_order_relaxed) == 0) return;
  }
  if (dead_.empty()) return;
  const unsigned slot = dead_.front();
  dead_.erase(dead_.begin());
  // 1. Nobody finds it any more. 2. It is emptied. 3. Others may claim it (release: they see that).
  Head& head = this->head(slot);
  head.state.store(kFree, std::memory_order_release);
  for (auto& word : head.node) word.store(0, std::memory_order_relaxed);
  for (Title& title : body(slot).functions) title.function.store(0, std::memory_order_relaxed);
  for (unsigned place = 0; place < places_; ++place) {
    for (unsigned depth = 0; depth < Recorder::kDepths; ++depth)
      lines(slot, place)[depth].stamp.store(0, std::memory_order_relaxed);
  }
  head.unnoted.store(0, std::memory_order_relaxed);
  head.ended.store(0, std::memory_order_relaxed);
  head.pid.store(0, std::memory_order_release);
}

}  // namespace pp::runtime
