// Values as jobs carry them: every kind, on one node and through another one and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <variant>

#include "runtimes.hpp"
#include "sanitized.hpp"

namespace pp::test {

enum class Colour : std::uint8_t { kRed, kGreen };

// A plain aggregate: fields are found by reflection.
struct Pixel {
  std::int32_t x = 0;
  std::int32_t y = 0;
  Colour colour = Colour::kRed;
  std::optional<std::string> name;
  friend bool operator==(const Pixel&, const Pixel&) = default;
};

// A class that says itself how it travels.
class Account {
 public:
  Account() = default;
  explicit Account(std::int64_t cents) : cents_(cents) {}
  std::int64_t after(std::int64_t deposit) const { return cents_ + deposit; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cents_);
  }
  friend bool operator==(const Account&, const Account&) = default;

 private:
  std::int64_t cents_ = 0;
};

namespace {

using runtime::times;
using namespace std::chrono_literals;

template <class T>
T same(T value) {
  return value;
}

class Values : public OnNodes {
 protected:
  template <class T>
  void travels(const T& value) {
    EXPECT_EQ(rt_.submit<&same<T>>(JobOptions{.where = away()}, value).get(), value);
  }
};

TEST_P(Values, of_numbers_and_texts_travel) {
  travels(true);
  travels(std::int8_t{-5});
  travels(std::uint64_t{1} << 63);
  travels(3.25f);
  travels(-0.1);
  travels('x');
  travels(Colour::kGreen);
  travels(std::string());
  travels(std::string("a\0b", 3));
  travels(std::string(100'000, 'z'));
}

TEST_P(Values, of_the_standard_containers_travel) {
  travels(std::vector<int>{});
  travels(std::vector<bool>{true, false, true});
  travels(std::vector<std::vector<std::string>>{{"a"}, {}, {"b", "c"}});
  travels(std::map<std::string, std::vector<double>>{{"pi", {3.14, 3.1415}}, {"", {}}});
  travels(std::unordered_map<int, std::set<int>>{{1, {2, 3}}, {4, {}}});
  travels(std::deque<std::list<char>>{{'a', 'b'}, {}});
  travels(std::array<std::optional<int>, 3>{1, std::nullopt, 3});
  travels(std::tuple<int, std::string, std::pair<char, double>>{1, "x", {'y', 2.0}});
  travels(std::variant<int, std::string, std::vector<int>>{std::vector<int>{1, 2}});
  travels(std::optional<std::variant<int, std::string>>{"text"});
  travels(std::chrono::nanoseconds(123));
  travels(std::chrono::system_clock::time_point(5s));
}

TEST_P(Values, of_users_types_travel) {
  travels(Pixel{1, -2, Colour::kGreen, "corner"});
  travels(std::vector<Pixel>{{}, {3, 4, Colour::kRed, std::nullopt}});
  travels(Account(1250));
  travels(std::map<int, Account>{{7, Account(1)}});
}

TEST_P(Values, methods_of_objects_are_jobs) {
  EXPECT_EQ(rt_.submit<&Account::after>(JobOptions{.where = away()}, Account(100), 5).get(), 105);
}

TEST_P(Values, may_be_nothing_at_all) {
  rt_.submit(JobOptions{.where = away()}, [] {}).get();
  EXPECT_EQ(rt_.submit(JobOptions{.where = away()}, [] { return std::tuple<>(); }).get(),
            std::tuple<>());
}

TEST_P(Values, that_can_only_be_moved_travel) {
  const auto boxed = rt_.submit(
      JobOptions{.where = away()},
      [](std::unique_ptr<std::string> box) { return std::make_unique<std::string>(*box + "!"); },
      std::make_unique<std::string>("moved"));
  EXPECT_EQ(*boxed.get(), "moved!");
}

TEST_P(Values, of_many_sizes_travel) {
  for (const std::size_t bytes :
       {0ul, 1ul, 7ul, 8ul, 1023ul, 65'536ul, 1'000'003ul, times(67'108'864, 4'000'000)}) {
    std::vector<std::uint8_t> value(bytes);
    for (std::size_t i = 0; i < bytes; i += 997) value[i] = static_cast<std::uint8_t>(i);
    const auto back =
        rt_.submit<&same<std::vector<std::uint8_t>>>(JobOptions{.where = away()}, value);
    ASSERT_TRUE(back.get() == value) << bytes;
  }
}

INSTANTIATE_TEST_SUITE_P(On, Values, on_one_and_on_three(), nodes_name);

}  // namespace
}  // namespace pp::test
