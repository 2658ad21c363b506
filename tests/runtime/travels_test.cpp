// What travels, what does not: all of it is decided, and tested, by the compiler.
#include <gtest/gtest.h>

#include <any>
#include <cereal/cereal.hpp>
#include <cereal/types/complex.hpp>
#include <cstdint>
#include <functional>
#include <pp/fingerprint.hpp>
#include <pp/travels.hpp>
#include <pp/wire.hpp>
#include <span>
#include <string_view>

namespace {

using pp::Travels;

// --- plain structs ---
struct Empty {};
struct Point {
  double x, y;
};
struct Shapes {
  std::string name;
  std::vector<Point> outline;
  std::optional<std::pair<int, Empty>> hole;
};
struct MoveOnly {
  std::unique_ptr<int> value;
  std::vector<std::unique_ptr<Point>> points;
};
struct Tree {
  int value;
  std::vector<Tree> children;
};
struct List {
  int value;
  std::unique_ptr<List> next;
};
struct NoDefault {
  explicit NoDefault(int);
};
struct WithCArray {
  int before;
  int values[3];
};
struct WithMatrix {
  double cells[2][2];
  int after;
};
struct WithText {
  char name[16];
};
struct WithArrayOfOne {
  int value[1];
};
struct WithStdArray {
  std::array<int, 3> values;
  int after;
};
struct NestedTwice {
  Point from, to;
  int weight;
};
struct WithPointer {
  int* value;
};
struct WithReference {
  int& value;
};
struct WithConst {
  const int value;
};
struct WithView {
  std::string_view text;
};
struct Base {
  int a;
};
struct Derived : Base {
  int b;
};
struct DerivedFromEmpty : Empty {
  int b;
};
struct WithConstructor {
  WithConstructor() {}
  int a = 0;
};
class Private {
 public:
  int get() const { return a_; }

 private:
  int a_ = 0;
};
union Either {
  int a;
  float b;
};
struct Polymorphic {
  virtual ~Polymorphic() = default;
};

// --- cereal's ways ---
struct Serialized {
  int a = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(a);
  }
};
struct InheritsSerialize : Serialized {
  int lost = 0;
};
struct InheritsWithConstructor : Serialized {
  InheritsWithConstructor() {}
  int lost = 0;
};
struct OwnSerialize : Serialized {
  int b = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Serialized>(this), b);
  }
};
class Befriended {
 public:
  Befriended() = default;

 private:
  friend class cereal::access;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(a_);
  }
  int a_ = 0;
};
struct SavesAndLoads {
  int a = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(a);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(a);
  }
};
struct InheritsSave : SavesAndLoads {
  int lost = 0;
};
struct SavesOnly {
  SavesOnly() {}
  template <class Archive>
  void save(Archive&) const {}
};
struct Minimal {
  int a = 0;
  template <class Archive>
  int save_minimal(const Archive&) const {
    return a;
  }
  template <class Archive>
  void load_minimal(const Archive&, const int& value) {
    a = value;
  }
};
struct Free {
  int a;
};
template <class Archive>
void serialize(Archive& archive, Free& value) {
  archive(value.a);
}
struct InheritsFree : Free {
  int lost;
};
struct OwnFree : Free {
  int b;
};
template <class Archive>
void serialize(Archive& archive, OwnFree& value) {
  archive(value.a, value.b);
}
struct SerializedWithoutDefault {
  explicit SerializedWithoutDefault(int) {}
  template <class Archive>
  void serialize(Archive&) {}
};

enum class Colour : std::uint8_t { kRed, kBlue };
enum Plain { kA, kB };

template <class... Ts>
constexpr bool all_travel = (Travels<Ts> && ...);
template <class... Ts>
constexpr bool none_travels = (!Travels<Ts> && ...);

static_assert(all_travel<bool, char, signed char, unsigned char, char8_t, char16_t, char32_t, short,
                         int, long, long long, unsigned, std::size_t, std::int64_t, float, double,
                         std::byte, Colour, Plain>);
static_assert(all_travel<
              std::string, std::wstring, std::u8string, std::vector<int>, std::vector<bool>,
              std::deque<std::string>, std::list<int>, std::array<int, 4>, std::array<Point, 0>,
              std::set<int>, std::multiset<int>, std::map<int, std::string>,
              std::multimap<int, int>, std::unordered_set<std::string>,
              std::unordered_multiset<int>, std::unordered_map<std::string, std::vector<int>>,
              std::unordered_multimap<int, int>, std::optional<int>, std::variant<int, std::string>,
              std::monostate, std::tuple<>, std::tuple<int, std::string>, std::pair<int, int>,
              std::unique_ptr<int>, std::chrono::nanoseconds, std::chrono::duration<double>,
              std::chrono::system_clock::time_point>);
static_assert(all_travel<Empty, Point, Shapes, MoveOnly, Tree, List, WithStdArray, NestedTwice,
                         std::vector<Tree>, std::map<int, std::vector<std::optional<Shapes>>>>);
static_assert(all_travel<Serialized, OwnSerialize, Befriended, SavesAndLoads, Minimal, Free,
                         OwnFree, std::vector<Serialized>, std::complex<double>>);

static_assert(none_travels<long double, int*, const int*, void*, void (*)(), std::nullptr_t, int&,
                           const int&, int&&, const int, int[3], void>);
static_assert(none_travels<std::string_view, std::span<int>, std::any, std::function<void()>,
                           std::reference_wrapper<int>, std::shared_ptr<int>, std::weak_ptr<int>,
                           std::unique_ptr<int[]>, std::unique_ptr<Polymorphic>, std::vector<int*>,
                           std::optional<std::string_view>, std::map<int, long double>,
                           std::tuple<int, char*>, std::variant<int, int*>>);
static_assert(none_travels<NoDefault, WithCArray, WithMatrix, WithText, WithArrayOfOne, WithPointer,
                           WithReference, WithConst, WithView, Derived, DerivedFromEmpty,
                           WithConstructor, Private, Either, Polymorphic, std::vector<WithCArray>>);
static_assert(none_travels<InheritsSerialize, InheritsWithConstructor, InheritsSave, InheritsFree,
                           SavesOnly, SerializedWithoutDefault>);

// --- sizes ---
using pp::codec::fixed_size;
static_assert(fixed_size<Point>() == 16 && fixed_size<std::tuple<char, int, long>>() == 13);
static_assert(fixed_size<Empty>() == 0 && fixed_size<std::tuple<>>() == 0 &&
              fixed_size<std::monostate>() == 0 && fixed_size<std::array<std::string, 0>>() == 0);
static_assert(fixed_size<std::string>() == pp::codec::kVaries &&
              fixed_size<Shapes>() == pp::codec::kVaries);
static_assert(fixed_size<unsigned long>() == 8 && fixed_size<std::size_t>() == 8);
static_assert(pp::codec::kCopiesOut<Point> && pp::codec::kCopiesIn<std::array<Point, 9>>);
static_assert(!pp::codec::kCopiesOut<std::pair<int, int>>);
struct Padded {
  char a;
  int b;
};
struct Flagged {
  bool a;
  char b;
};
static_assert(!pp::codec::kCopiesOut<Padded>);
static_assert(pp::codec::kCopiesOut<Flagged> && !pp::codec::kCopiesIn<Flagged>);

// --- fingerprints ---
using pp::codec::fingerprint;
struct PointAgain {
  double left, right;
};
struct Swapped {
  std::string b;
  int a;
};
struct Unswapped {
  int a;
  std::string b;
};
static_assert(fingerprint<Point>() == fingerprint<PointAgain>());
static_assert(fingerprint<Swapped>() != fingerprint<Unswapped>());
static_assert(fingerprint<int>() != fingerprint<unsigned>() &&
              fingerprint<int>() != fingerprint<float>() &&
              fingerprint<int>() != fingerprint<long>() &&
              fingerprint<long>() == fingerprint<long long>());
static_assert(fingerprint<std::tuple<int, int>>() != fingerprint<std::tuple<int, int, int>>());
static_assert(fingerprint<std::array<int, 2>>() != fingerprint<std::array<int, 3>>());
static_assert(fingerprint<std::tuple<std::tuple<int>, int>>() !=
              fingerprint<std::tuple<int, std::tuple<int>>>());
static_assert(fingerprint<Tree>() != fingerprint<List>());
static_assert(fingerprint<Serialized>() != fingerprint<Minimal>());
static_assert(fingerprint<void>() != fingerprint<std::tuple<>>());

TEST(Travels, is_decided_when_this_file_compiles) { SUCCEED(); }

}  // namespace
