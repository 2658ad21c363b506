// The codec: what goes out comes back, in bytes that never change.
#include <gtest/gtest.h>

#include <bitset>
#include <cereal/types/bitset.hpp>
#include <cereal/types/complex.hpp>
#include <cereal/types/memory.hpp>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <numeric>
#include <pp/codec.hpp>
#include <stdexcept>

namespace {

using pp::codec::Bytes;
using pp::codec::decode;
using pp::codec::decode_whole;
using pp::codec::DecodeError;
using pp::codec::encode;

template <class T>
Bytes encoded(const T& value) {
  Bytes bytes;
  encode(bytes, value);
  return bytes;
}

// Encodes, decodes, and on the way tries every prefix of the encoding: each must be refused.
template <class T>
T round_trip(const T& value) {
  const Bytes bytes = encoded(value);
  for (std::size_t size = 0; size < std::min<std::size_t>(bytes.size(), 2000); ++size) {
    const Bytes prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(decode_whole<T>(prefix), DecodeError) << size << " of " << bytes.size();
  }
  return decode_whole<T>(bytes);
}

template <class T>
void comes_back(const T& value) {
  EXPECT_EQ(round_trip(value), value);
}

std::vector<int> as_numbers(const Bytes& bytes) {
  std::vector<int> numbers;
  for (const std::byte byte : bytes) numbers.push_back(std::to_integer<int>(byte));
  return numbers;
}

struct Empty {
  bool operator==(const Empty&) const = default;
};
struct Point {
  double x, y;
  bool operator==(const Point&) const = default;
};
struct Padded {
  char letter;
  int number;
  bool flag;
  bool operator==(const Padded&) const = default;
};
struct Shape {
  std::string name;
  std::vector<Point> outline;
  std::optional<Padded> mark;
  Empty nothing;
  bool operator==(const Shape&) const = default;
};
struct Tree {
  int value = 0;
  std::vector<Tree> children;
  bool operator==(const Tree&) const = default;
};
struct List {
  int value = 0;
  std::unique_ptr<List> next;
};
enum class Colour : std::uint16_t { kRed = 7, kBlue = 300 };

TEST(Codec, numbers_come_back) {
  comes_back(true);
  comes_back(false);
  comes_back('x');
  comes_back(std::int8_t{-128});
  comes_back(std::numeric_limits<short>::min());
  comes_back(std::numeric_limits<int>::min());
  comes_back(std::numeric_limits<long>::max());
  comes_back(std::numeric_limits<unsigned long long>::max());
  comes_back(std::size_t{1} << 63);
  comes_back(u'\u00e9');
  comes_back(1.5f);
  comes_back(-0.0);
  comes_back(std::numeric_limits<double>::infinity());
  comes_back(std::byte{200});
  comes_back(Colour::kBlue);
  EXPECT_TRUE(std::isnan(round_trip(std::nan("1"))));
  EXPECT_TRUE(std::signbit(round_trip(-0.0)));
}

TEST(Codec, containers_come_back) {
  comes_back(std::string("a string longer than the small one inside std::string"));
  comes_back(std::string("with a \0 inside", 15));
  comes_back(std::u16string(u"\u00e9\u00e8"));
  comes_back(std::wstring(L"wide"));
  comes_back(std::vector<int>{1, 2, 3});
  comes_back(std::vector<std::string>{"one", "", "three"});
  comes_back(std::vector<std::vector<std::vector<short>>>{{{1}, {}}, {}, {{2, 3}}});
  comes_back(std::deque<std::string>{"a", "b"});
  comes_back(std::list<Point>{{1, 2}, {3, 4}});
  comes_back(std::array<int, 5>{1, 2, 3, 4, 5});
  comes_back(std::array<std::string, 2>{"x", "y"});
  comes_back(std::array<std::string, 40>{"first"});
  comes_back(std::array<bool, 40>{false, true});
  comes_back(std::array<double, 1000>{1.5});
  comes_back(std::set<std::string>{"b", "a"});
  comes_back(std::multiset<int>{1, 1, 2});
  comes_back(std::set<int, std::greater<>>{1, 2, 3});
  comes_back(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}});
  comes_back(std::multimap<int, char>{{1, 'a'}, {1, 'b'}});
  comes_back(std::unordered_set<std::uint8_t>{1, 2, 3});
  comes_back(std::unordered_multiset<int>{1, 1, 2});
  comes_back(std::unordered_map<std::string, Point>{{"p", {1, 2}}});
  comes_back(std::unordered_multimap<int, int>{{1, 2}, {1, 3}});
  comes_back(std::vector<Padded>{{'a', 1, true}, {'b', 2, false}});
  comes_back(std::vector<std::pair<int, double>>{{1, 2.0}, {3, 4.0}});
  comes_back(std::vector<Colour>{Colour::kRed, Colour::kBlue});
}

TEST(Codec, empty_containers_come_back) {
  comes_back(std::string());
  comes_back(std::vector<double>());
  comes_back(std::vector<bool>());
  comes_back(std::list<Shape>());
  comes_back(std::deque<int>());
  comes_back(std::map<int, int>());
  comes_back(std::unordered_set<int>());
  comes_back(std::array<int, 0>());
  comes_back(std::array<std::string, 0>());
}

TEST(Codec, bits_come_back_whatever_their_number) {
  for (std::size_t size = 0; size < 70; ++size) {
    std::vector<bool> bits(size);
    for (std::size_t i = 0; i < size; ++i) bits[i] = i % 3 == 0;
    comes_back(bits);
    EXPECT_EQ(encoded(bits).size(), 8 + (size + 7) / 8);
  }
}

TEST(Codec, alternatives_come_back) {
  using Choice = std::variant<std::monostate, int, std::string, std::vector<Point>>;
  comes_back(Choice{});
  comes_back(Choice{5});
  comes_back(Choice{"text"});
  comes_back(Choice{std::vector<Point>{{1, 2}}});
  comes_back(std::optional<std::string>{});
  comes_back(std::optional<std::string>{"x"});
  comes_back(std::optional<std::optional<int>>{std::optional<int>{}});
  comes_back(std::optional<bool>{false});
  comes_back(std::vector<Choice>{1, "two", std::monostate{}});
}

TEST(Codec, products_and_times_come_back) {
  comes_back(std::tuple{1, std::string("two"), 3.0});
  comes_back(std::tuple{std::tuple{1}, std::pair{'a', Empty{}}});
  comes_back(std::tuple<>{});
  comes_back(std::chrono::milliseconds(-5));
  comes_back(std::chrono::duration<double>(0.5));
  comes_back(std::chrono::system_clock::now());
  comes_back(std::vector<std::chrono::nanoseconds>{std::chrono::nanoseconds(1)});
}

TEST(Codec, plain_structs_come_back) {
  comes_back(Point{1.5, -2.5});
  comes_back(Padded{'x', -7, true});
  comes_back(Shape{"square", {{0, 0}, {1, 1}}, Padded{'m', 3, false}, {}});
  comes_back(Tree{1, {{2, {{3, {}}}}, {4, {}}}});
  comes_back(std::map<std::string, Shape>{{"a", {"b", {}, {}, {}}}});
}

TEST(Codec, move_only_values_come_back) {
  std::tuple<std::unique_ptr<int>, std::vector<std::unique_ptr<std::string>>> value{
      std::make_unique<int>(5), std::vector<std::unique_ptr<std::string>>()};
  std::get<1>(value).push_back(std::make_unique<std::string>("s"));
  std::get<1>(value).push_back(nullptr);
  const auto back = round_trip(value);
  EXPECT_EQ(*std::get<0>(back), 5);
  ASSERT_EQ(std::get<1>(back).size(), 2u);
  EXPECT_EQ(*std::get<1>(back)[0], "s");
  EXPECT_EQ(std::get<1>(back)[1], nullptr);

  List list{1, std::make_unique<List>(List{2, nullptr})};
  const List copy = round_trip(list);
  ASSERT_TRUE(copy.next);
  EXPECT_EQ(copy.next->value, 2);
  EXPECT_EQ(copy.next->next, nullptr);
}

TEST(Codec, large_values_come_back) {
  std::vector<double> numbers(1'000'003);
  std::iota(numbers.begin(), numbers.end(), 0.5);
  EXPECT_EQ(decode_whole<std::vector<double>>(encoded(numbers)), numbers);
  std::map<std::string, int> names;
  for (int i = 0; i < 10'000; ++i) names["name " + std::to_string(i)] = i;
  using Names = std::map<std::string, int>;
  EXPECT_EQ(decode_whole<Names>(encoded(names)), names);
}

TEST(Codec, what_has_nothing_to_say_takes_no_byte) {
  EXPECT_TRUE(encoded(std::monostate{}).empty());
  EXPECT_TRUE(encoded(std::tuple<>{}).empty());
  EXPECT_TRUE(encoded(Empty{}).empty());
  EXPECT_TRUE(encoded(std::tuple<Empty, std::monostate>{}).empty());
  EXPECT_EQ(encoded(std::vector<Empty>(3)).size(), 8u + 3u);  // but as an element it can be counted
  comes_back(std::vector<Empty>(3));
}

// These bytes are a promise to other builds and other machines: whoever must change them changes
// the protocol's version, too.
TEST(Codec, the_bytes_are_little_endian_and_of_fixed_width) {
  EXPECT_EQ(as_numbers(encoded(std::int32_t{-2})), (std::vector<int>{254, 255, 255, 255}));
  EXPECT_EQ(as_numbers(encoded(0x0102030405060708L)), (std::vector<int>{8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(as_numbers(encoded(1.0)), (std::vector<int>{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}));
  EXPECT_EQ(as_numbers(encoded(Colour::kBlue)), (std::vector<int>{44, 1}));
  EXPECT_EQ(as_numbers(encoded(std::string("ab"))),
            (std::vector<int>{2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b'}));
  EXPECT_EQ(as_numbers(encoded(Padded{'x', 1, true})), (std::vector<int>{'x', 1, 0, 0, 0, 1}));
  EXPECT_EQ(as_numbers(encoded(std::optional<short>{3})), (std::vector<int>{1, 3, 0}));
  EXPECT_EQ(as_numbers(encoded(std::variant<int, char>{'c'})), (std::vector<int>{1, 'c'}));
  EXPECT_EQ(as_numbers(encoded(std::vector<bool>{true, false, true})),
            (std::vector<int>{3, 0, 0, 0, 0, 0, 0, 0, 5}));
  EXPECT_EQ(as_numbers(encoded(std::map<char, char>{{'a', 'b'}})),  // 50 bytes of memory: 4 of wire
            (std::vector<int>{1, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 0, 0}));
}

TEST(Codec, encode_appends_and_decode_takes_from_the_front) {
  Bytes bytes;
  encode(bytes, 1);
  encode(bytes, std::string("two"));
  encode(bytes, std::vector<int>(1000, 3));
  std::span<const std::byte> in = bytes;
  EXPECT_EQ(decode<int>(in), 1);
  EXPECT_EQ(decode<std::string>(in), "two");
  EXPECT_EQ(decode<std::vector<int>>(in).size(), 1000u);
  EXPECT_TRUE(in.empty());
}

TEST(Codec, what_is_left_over_is_refused_where_nothing_may_be) {
  Bytes bytes = encoded(7);
  bytes.push_back(std::byte{0});
  EXPECT_THROW(decode_whole<int>(bytes), DecodeError);
}

// --- cereal's ways ---

class Account {
 public:
  Account() = default;
  Account(std::string owner, std::vector<int> moves) : owner_(std::move(owner)), moves_(moves) {}
  bool operator==(const Account&) const = default;

 private:
  friend class cereal::access;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::make_nvp("owner", owner_), moves_);
  }
  std::string owner_;
  std::vector<int> moves_;
};
struct Special : Account {
  Special() = default;
  Special(Account account, Shape its_shape) : Account(account), shape(its_shape) {}
  bool operator==(const Special&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Account>(this), shape, table);
  }
  Shape shape;
  int table[2] = {1, 2};
};
struct Versioned {
  int a = 0;
  bool operator==(const Versioned&) const = default;
  template <class Archive>
  void serialize(Archive& archive, const std::uint32_t version) {
    archive(a);
    EXPECT_EQ(version, 3u);
  }
};
struct Reversed {
  std::string text;
  bool operator==(const Reversed&) const = default;
  template <class Archive>
  void save(Archive& archive) const {
    archive(std::string(text.rbegin(), text.rend()));
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(text);
    std::reverse(text.begin(), text.end());
  }
};
struct Minimal {
  int a = 0;
  bool operator==(const Minimal&) const = default;
  template <class Archive>
  std::string save_minimal(const Archive&) const {
    return std::to_string(a);
  }
  template <class Archive>
  void load_minimal(const Archive&, const std::string& text) {
    a = std::stoi(text);
  }
};
struct Free {
  std::map<int, Account> accounts;
  bool operator==(const Free&) const = default;
};
template <class Archive>
void serialize(Archive& archive, Free& value) {
  archive& value.accounts;
}
struct Sized {
  std::vector<int> values;
  bool operator==(const Sized&) const = default;
  template <class Archive>
  void save(Archive& archive) const {
    archive(cereal::make_size_tag(values.size()));
    archive(cereal::binary_data(values.data(), values.size() * sizeof(int)));
  }
  template <class Archive>
  void load(Archive& archive) {
    cereal::size_type size = 0;
    archive(cereal::make_size_tag(size));
    values.resize(size);
    archive(cereal::binary_data(values.data(), values.size() * sizeof(int)));
  }
};
struct SavesBadly {
  template <class Archive>
  void save(Archive& archive) const {
    archive(std::string(2000, 'x'));
    throw std::runtime_error("no");
  }
  template <class Archive>
  void load(Archive&) {}
};

}  // namespace

CEREAL_CLASS_VERSION(Versioned, 3)

namespace {

TEST(Codec, a_users_cereal_functions_are_used) {
  comes_back(Account("me", {1, 2, 3}));
  comes_back(Special(Account("you", {4}), Shape{"s", {}, {}, {}}));
  comes_back(Reversed{"abc"});
  EXPECT_EQ(std::to_integer<char>(encoded(Reversed{"abc"}).back()), 'a');
  comes_back(Minimal{42});
  comes_back(Free{{{1, Account("a", {})}, {2, Account("b", {5})}}});
  comes_back(Sized{{1, 2, 3}});
  comes_back(Versioned{5});
  comes_back(std::complex<double>(1, 2));
  comes_back(std::bitset<70>(12345));
  EXPECT_EQ(*round_trip(std::make_shared<std::string>("shared")), "shared");
}

TEST(Codec, users_types_nest_in_containers_and_containers_in_them) {
  comes_back(std::vector<Account>{Account("a", {1}), Account()});
  comes_back(std::map<std::string, std::optional<Special>>{{"x", Special()}, {"y", {}}});
  comes_back(std::tuple{Minimal{1}, 2, std::vector<Minimal>{Minimal{3}}});
  comes_back(std::vector<Versioned>{{1}, {2}, {3}});
}

TEST(Codec, what_a_users_load_throws_is_a_decode_error) {
  EXPECT_THROW(decode_whole<Minimal>(encoded(std::string("not a number"))), DecodeError);
}

TEST(Codec, an_encoding_that_fails_leaves_nothing_behind) {
  Bytes bytes = encoded(1);
  EXPECT_THROW(encode(bytes, std::tuple(std::string("a"), SavesBadly{})), std::runtime_error);
  EXPECT_EQ(bytes, encoded(1));
}

template <class T>
void expect_written_as_a_vector(const std::vector<T>& values) {
  Bytes one, other;
  encode(one, values);
  pp::codec::encode_sequence(other, std::span(values));
  EXPECT_EQ(one, other);
}

TEST(Codec, a_sequence_is_written_as_a_vector_of_it) {
  expect_written_as_a_vector(std::vector<int>{1, 2, 3});
  expect_written_as_a_vector(std::vector<int>{});
  expect_written_as_a_vector(std::vector<double>(1'000, 0.5));
  expect_written_as_a_vector(std::vector<std::string>{"", "a", std::string(1'000, 'b')});
  expect_written_as_a_vector(std::vector<std::tuple<>>(3));
  expect_written_as_a_vector(std::vector<std::optional<std::vector<int>>>{{}, {{1, 2}}});
  expect_written_as_a_vector(std::vector<Account>{{"a", {1, 2}}, {"b", {}}});
}

TEST(Codec, lists_too_deep_for_the_receivers_stack_are_refused_by_the_sender) {
  List list;
  for (int i = 0; i < pp::codec::kMaxDepth; ++i)
    list = List{i, std::make_unique<List>(std::move(list))};
  EXPECT_EQ(round_trip(list).value, pp::codec::kMaxDepth - 1);
  list = List{0, std::make_unique<List>(std::move(list))};
  Bytes bytes;
  EXPECT_THROW(encode(bytes, list), pp::Error);
  EXPECT_TRUE(bytes.empty());
}

}  // namespace
