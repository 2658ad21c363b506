// The codec against bytes that nobody honest has sent: refused, within bounds of time and memory.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <pp/codec.hpp>
#include <random>

namespace {
std::size_t live = 0, peak = 0;  // this program has one thread
}  // namespace

// Not inlined: g++ would compare the halves of what it sees and find new freed by free().
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  live += malloc_usable_size(memory);
  peak = std::max(peak, live);
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  if (memory != nullptr) live -= malloc_usable_size(memory);
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

namespace {

using pp::codec::Bytes;
using pp::codec::decode_whole;
using pp::codec::DecodeError;
using pp::codec::encode;

struct Point {
  double x, y;
};
struct Big {
  std::array<double, 100> values;
};
struct Tree {
  std::optional<Big> payload;
  std::vector<Tree> children;
};
struct Sized {
  std::vector<char> values;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(values);
  }
};
struct Everything {
  bool flag;
  std::string name;
  std::vector<bool> bits;
  std::map<std::string, std::vector<Point>> outlines;
  std::optional<std::variant<int, std::string, std::list<char>>> choice;
  std::unique_ptr<Everything> next;
  std::unordered_map<std::uint16_t, std::deque<std::string>> index;
  std::vector<Sized> users;
  std::vector<Tree> trees;
};

Bytes with_count(std::uint64_t count, std::size_t zeros_after) {
  Bytes bytes;
  encode(bytes, count);
  bytes.resize(bytes.size() + zeros_after);
  return bytes;
}

// Decodes, whatever comes of it, and gives the most memory that was allocated for it.
template <class T>
std::size_t memory_for(const Bytes& bytes) {
  const std::size_t before = live;
  peak = live;
  try {
    decode_whole<T>(bytes);
  } catch (const DecodeError&) {
  }
  return peak - before;
}

constexpr std::size_t kForTheMessage = 2048;  // of the exception, and what a type costs when empty

template <class T>
void stays_bounded() {
  constexpr std::size_t kSize = 100'000;
  constexpr std::size_t kEach = pp::codec::kElementLeast<T>;
  for (const std::uint64_t count :
       {kSize / kEach, kSize / kEach + 1, kSize, kSize * 8, std::size_t{1} << 32,
        std::size_t{1} << 61, std::size_t{1} << 63, ~std::size_t{0}}) {
    EXPECT_LE(memory_for<T>(with_count(count, kSize)),
              pp::codec::kMaxGrowth * kSize + kForTheMessage)
        << count << " elements in " << __PRETTY_FUNCTION__;
  }
}

TEST(HostileBytes, a_length_never_allocates_more_than_sixteen_times_what_arrived) {
  stays_bounded<std::string>();
  stays_bounded<std::vector<double>>();
  stays_bounded<std::vector<bool>>();
  stays_bounded<std::vector<std::string>>();
  stays_bounded<std::vector<std::monostate>>();
  stays_bounded<std::vector<std::vector<std::vector<int>>>>();
  stays_bounded<std::vector<std::optional<Big>>>();
  stays_bounded<std::vector<std::variant<char, Big>>>();
  stays_bounded<std::vector<std::deque<int>>>();
  stays_bounded<std::vector<std::unordered_map<int, int>>>();
  stays_bounded<std::vector<Tree>>();
  stays_bounded<std::vector<Sized>>();
  stays_bounded<std::vector<std::unique_ptr<Big>>>();
  stays_bounded<std::deque<char>>();
  stays_bounded<std::deque<Big>>();
  stays_bounded<std::list<char>>();
  stays_bounded<std::list<std::tuple<>>>();
  stays_bounded<std::multiset<char>>();
  stays_bounded<std::unordered_multiset<char>>();
  stays_bounded<std::unordered_multimap<char, std::monostate>>();
  stays_bounded<std::multimap<char, std::optional<Big>>>();
}

// What is honest can be as wasteful as what is not: many elements that say nothing.
TEST(HostileBytes, values_that_are_small_on_the_wire_stay_within_the_bound) {
  const auto within = [](const auto& value) {
    Bytes bytes;
    encode(bytes, value);
    using T = std::remove_cvref_t<decltype(value)>;
    EXPECT_LE(memory_for<T>(bytes), pp::codec::kMaxGrowth * bytes.size() + kForTheMessage)
        << __PRETTY_FUNCTION__;
  };
  within(std::vector<std::optional<Big>>(1000));
  within(std::list<char>(1000));
  within(std::vector<std::deque<char>>(1000));
  const std::string letters(1000, 'x');
  within(std::unordered_multiset<char>(letters.begin(), letters.end()));
  within(std::vector<std::string>(1000, std::string(16, 'x')));
  within(std::vector<std::set<char>>(1000, {'x'}));
  std::vector<std::unique_ptr<char>> boxes;
  for (int i = 0; i < 1000; ++i) boxes.push_back(std::make_unique<char>('x'));
  within(boxes);
}

TEST(HostileBytes, lengths_beyond_what_arrived_are_refused) {
  for (const std::uint64_t count :
       {std::uint64_t{2}, std::uint64_t{1} << 31, std::uint64_t{1} << 61, std::uint64_t{1} << 63,
        ~std::uint64_t{0}}) {
    EXPECT_THROW(decode_whole<std::string>(with_count(count, 1)), DecodeError);
    EXPECT_THROW(decode_whole<std::vector<double>>(with_count(count, 15)), DecodeError);
    EXPECT_THROW(decode_whole<std::vector<std::monostate>>(with_count(count, 1)), DecodeError);
    EXPECT_THROW(decode_whole<std::list<std::string>>(with_count(count, 8)), DecodeError);
    EXPECT_THROW((decode_whole<std::map<char, char>>(with_count(count, 4))), DecodeError);
  }
  EXPECT_THROW(decode_whole<std::vector<bool>>(with_count(9, 1)), DecodeError);
  EXPECT_THROW(decode_whole<std::vector<bool>>(with_count(~std::uint64_t{0}, 1)), DecodeError);
}

TEST(HostileBytes, bytes_that_no_encoder_writes_are_refused) {
  const Bytes two{std::byte{2}};
  EXPECT_THROW(decode_whole<bool>(two), DecodeError);
  EXPECT_THROW(decode_whole<std::optional<std::monostate>>(two), DecodeError);
  EXPECT_THROW(decode_whole<std::unique_ptr<std::monostate>>(two), DecodeError);
  EXPECT_THROW((decode_whole<std::variant<std::monostate, std::tuple<>>>(two)), DecodeError);

  Bytes flags;
  encode(flags, std::vector<std::uint8_t>{0, 1, 2});
  EXPECT_THROW((decode_whole<std::tuple<std::vector<std::array<bool, 1>>>>(flags)), DecodeError);

  Bytes filled = with_count(1, 1);
  filled.back() = std::byte{1};
  EXPECT_THROW(decode_whole<std::vector<std::monostate>>(filled), DecodeError);
  Bytes bits = with_count(3, 1);
  bits.back() = std::byte{8};
  EXPECT_THROW(decode_whole<std::vector<bool>>(bits), DecodeError);
  EXPECT_THROW(decode_whole<std::set<std::uint64_t>>(with_count(2, 16)), DecodeError);
  Bytes pairs;
  encode(pairs, std::multimap<int, int>{{1, 2}, {1, 3}});
  EXPECT_THROW((decode_whole<std::map<int, int>>(pairs)), DecodeError);
}

TEST(HostileBytes, nesting_cannot_exhaust_the_stack) {
  struct Node {
    std::unique_ptr<Node> next;
  };
  EXPECT_THROW(decode_whole<Node>(Bytes(100'000, std::byte{1})), DecodeError);
  Bytes bytes;
  for (int i = 0; i < 10'000; ++i) {
    encode(bytes, false);  // no payload
    encode(bytes, std::uint64_t{1});
  }
  bytes.resize(bytes.size() + 1'000'000);
  EXPECT_THROW(decode_whole<Tree>(bytes), DecodeError);
}

TEST(HostileBytes, the_error_says_what_and_where) {
  Bytes bytes;
  encode(bytes, 7);
  encode(bytes, std::uint64_t{5});
  try {
    decode_whole<std::tuple<int, std::string>>(bytes);
    FAIL() << "accepted";
  } catch (const DecodeError& error) {
    EXPECT_EQ(error.offset(), 12u);
    EXPECT_NE(std::string(error.what()).find("5 elements announced, only 0 bytes left"),
              std::string::npos)
        << error.what();
  }
}

// Each level claims as many children as there are bytes left, and has one.
TEST(HostileBytes, containers_in_containers_cannot_claim_the_same_bytes) {
  Bytes bytes;
  constexpr std::size_t kWhole = 100'000;
  for (int level = 0; level < 6; ++level) {
    bytes.push_back(std::byte{0});  // no Big in this Tree
    encode(bytes, (kWhole - bytes.size() - 8) / pp::codec::kElementLeast<std::vector<Tree>>);
  }
  bytes.resize(kWhole);
  EXPECT_LE(memory_for<Tree>(bytes), pp::codec::kMaxGrowth * bytes.size() + kForTheMessage);
}

TEST(HostileBytes, random_bytes_are_decoded_or_refused_within_bounds) {
  std::mt19937_64 random(20'240'607);
  std::size_t accepted = 0;
  for (int round = 0; round < 100'000; ++round) {
    Bytes bytes(random() % 300);
    // Small numbers are likely to be believed as lengths, others as contents.
    for (std::byte& byte : bytes)
      byte = random() % 4 == 0 ? static_cast<std::byte>(random() % 4) : std::byte{0};
    const std::size_t memory = memory_for<Everything>(bytes);
    ASSERT_LE(memory, pp::codec::kMaxGrowth * bytes.size() + kForTheMessage) << "round " << round;
    accepted += memory_for<std::tuple<bool, std::vector<Sized>>>(bytes) > 0;
  }
  EXPECT_GT(accepted, 0u);
}

TEST(HostileBytes, a_changed_byte_is_decoded_or_refused_within_bounds) {
  Everything value{true,
                   "name",
                   {true, false, true},
                   {{"square", {{0, 0}, {1, 1}}}, {"nothing", {}}},
                   std::list<char>{'a', 'b'},
                   nullptr,
                   {{7, {"x", "y"}}},
                   {Sized{{'q'}}, Sized{}},
                   {Tree{Big{}, {Tree{}, Tree{}}}}};
  value.next = std::make_unique<Everything>();
  Bytes bytes;
  encode(bytes, value);
  decode_whole<Everything>(bytes);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int change : {1, 2, 0x80, 0xff}) {
      Bytes changed = bytes;
      changed[at] ^= static_cast<std::byte>(change);
      ASSERT_LE(memory_for<Everything>(changed),
                pp::codec::kMaxGrowth * bytes.size() + kForTheMessage);
    }
  }
}

}  // namespace
