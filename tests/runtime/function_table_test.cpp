// The function table: every function that is named somewhere is known everywhere, under one number.
#include <gtest/gtest.h>

#include <memory>
#include <pp/function_table.hpp>
#include <stdexcept>
#include <thread>

#include "function_table_functions.hpp"

namespace {

using pp::codec::Bytes;
using pp::codec::DecodeError;
using pp::runtime::arguments_of;
using pp::runtime::Constant;
using pp::runtime::Function;
using pp::runtime::function_of;
using pp::runtime::FunctionTable;
using pp::runtime::result_of;
using pp::runtime::why_it_stays;

int same_name(int n) { return n + 1; }
[[maybe_unused]] auto same_lambda() {
  return [](int n) { return n + 10; };
}

}  // namespace

namespace jobs {

int plain(int a, const std::string& b) { return a + static_cast<int>(b.size()); }
int quiet(int a) noexcept { return a; }
template <class T>
T twice(T value) {
  return value + value;
}
double overloaded(double a) { return a; }
[[maybe_unused]] int overloaded(int a) { return -a; }
int throws(int) { throw std::out_of_range("too far"); }
int calls = 0;
void counts(int times) { calls += times; }
const std::string& returns_reference(const std::string& text) {
  static std::string kept;
  return kept = text + "!";
}
std::unique_ptr<int> takes_over(std::unique_ptr<int>&& value) {
  ++*value;
  return std::move(value);
}
int mentioned_only(int a) { return a; }

struct Account {
  int balance;
  int after(int deposit) const { return balance + deposit; }
  int lasting() const& { return balance; }
  int passing() && { return balance; }
};
constexpr auto triple = [](int n) { return 3 * n; };
struct Halve {
  double operator()(double value) const { return value / 2; }
};

}  // namespace jobs

namespace {

template <class Callable, class... Arguments>
Bytes run(Arguments&&... arguments) {
  Bytes encoded, result;
  pp::codec::encode(encoded, arguments_of<Callable>(std::forward<Arguments>(arguments)...));
  function_of<Callable>().run_encoded(encoded, result);
  return result;
}
template <class Callable, class... Arguments>
result_of<Callable> result(Arguments&&... arguments) {
  return pp::codec::decode_whole<result_of<Callable>>(
      run<Callable>(std::forward<Arguments>(arguments)...));
}

TEST(FunctionTable, all_kinds_of_functions_run_on_encoded_arguments) {
  EXPECT_EQ((result<Constant<jobs::plain>>(1, "four")), 5);
  EXPECT_EQ((result<Constant<jobs::quiet>>(7)), 7);
  EXPECT_EQ((result<Constant<jobs::twice<std::string>>>("ab")), "abab");
  EXPECT_EQ((result<Constant<static_cast<double (*)(double)>(jobs::overloaded)>>(1.5)), 1.5);
  EXPECT_EQ((result<Constant<jobs::returns_reference>>("text")), "text!");
  EXPECT_EQ(*(result<Constant<jobs::takes_over>>(std::make_unique<int>(4))), 5);
  EXPECT_EQ((result<Constant<&jobs::Account::after>>(jobs::Account{10}, 5)), 15);
  EXPECT_EQ((result<Constant<&jobs::Account::lasting>>(jobs::Account{10})), 10);
  EXPECT_EQ((result<Constant<&jobs::Account::passing>>(jobs::Account{10})), 10);
  EXPECT_EQ((result<jobs::Halve>(3.0)), 1.5);
  EXPECT_EQ((result<Constant<jobs::Halve{}>>(3.0)), 1.5);
  EXPECT_EQ((result<Constant<jobs::triple>>(3)), 9);
  EXPECT_EQ((result<decltype([](int a, int b) { return a * b; })>(6, 7)), 42);
  EXPECT_EQ((result<Constant<geometry::area>>(2.0, 3.0)), 6.0);
}

TEST(FunctionTable, void_has_no_result) {
  jobs::calls = 0;
  EXPECT_TRUE((run<Constant<jobs::counts>>(3)).empty());
  EXPECT_EQ(jobs::calls, 3);
}

TEST(FunctionTable, what_a_function_throws_passes_through) {
  EXPECT_THROW((run<Constant<jobs::throws>>(1)), std::out_of_range);
}

TEST(FunctionTable, arguments_of_another_function_are_refused_before_it_is_called) {
  jobs::calls = 0;
  const Function& counts = function_of<Constant<jobs::counts>>();
  Bytes result{std::byte{9}};
  for (const std::size_t size : {0u, 3u, 5u, 100u})
    EXPECT_THROW(counts.run_encoded(Bytes(size), result), DecodeError) << size;
  EXPECT_EQ(jobs::calls, 0);
  EXPECT_EQ(result, Bytes{std::byte{9}});
}

TEST(FunctionTable, the_result_is_appended) {
  Bytes arguments, bytes{std::byte{9}};
  pp::codec::encode(arguments, std::tuple{5});
  function_of<Constant<jobs::quiet>>().run_encoded(arguments, bytes);
  EXPECT_EQ(bytes, (Bytes{std::byte{9}, std::byte{5}, std::byte{0}, std::byte{0}, std::byte{0}}));
}

TEST(FunctionTable, the_compiler_knows_arguments_and_results) {
  static_assert(std::is_same_v<arguments_of<Constant<jobs::plain>>, std::tuple<int, std::string>>);
  static_assert(std::is_same_v<result_of<Constant<jobs::returns_reference>>, std::string>);
  static_assert(std::is_same_v<result_of<Constant<jobs::counts>>, void>);
  static_assert(std::is_same_v<arguments_of<Constant<&jobs::Account::after>>,
                               std::tuple<jobs::Account, int>>);
  static_assert(std::is_same_v<arguments_of<jobs::Halve>, std::tuple<double>>);
  EXPECT_NE(function_of<Constant<jobs::twice<int>>>().signature,
            function_of<Constant<jobs::twice<double>>>().signature);
}

// tests/compile holds what it says about the others.
// converted.
TEST(FunctionTable, the_compiler_knows_what_can_be_a_job) {
  using pp::runtime::can_be_job;
  static_assert(can_be_job<Constant<jobs::plain>>() && can_be_job<jobs::Halve>());
  static_assert(can_be_job<Constant<&jobs::Account::passing>>());
  static_assert(!can_be_job<Constant<&jobs::calls>>() && !can_be_job<int (*)(int)>());
  static_assert(!can_be_job<decltype([](auto n) { return n; })>());
  static_assert(!can_be_job<decltype([](int& n) { return ++n; })>());
  static_assert(!can_be_job<decltype([](const char* text) { return text[0]; })>());
  static_assert(!can_be_job<decltype([](int n) { return std::jthread([n] { (void)n; }); })>());
  static_assert(pp::runtime::arguments_fit<Constant<jobs::plain>, int, const char(&)[5]>());
}

TEST(FunctionTable, a_function_is_found_by_its_id) {
  const FunctionTable& table = FunctionTable::seal();
  const Function& plain = function_of<Constant<jobs::plain>>();
  EXPECT_TRUE(plain.travels);
  EXPECT_EQ(table.find(plain.id), &plain);
  EXPECT_EQ(table.find(plain.id + 1), nullptr);
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(why_it_stays(plain), "");
}

// Other builds must come to the same number: BLAKE2b-256 of the mangled name, first 8 bytes, little
// endian. The expected value was computed by another implementation.
TEST(FunctionTable, the_id_is_the_hash_of_the_mangled_name) {
  FunctionTable::seal();
  const Function& area = function_of<Constant<geometry::area>>();
  EXPECT_EQ(area.key, "N2pp7runtime8ConstantIXadL_ZN8geometry4areaEddEEEE");
  EXPECT_EQ(area.id, 0xa1c6a74ced138fdULL);
}

TEST(FunctionTable, people_can_read_the_names) {
  EXPECT_EQ(function_of<Constant<jobs::plain>>().name, "jobs::plain");
  EXPECT_EQ(function_of<jobs::Halve>().name, "jobs::Halve");
  EXPECT_EQ(function_of<Constant<&jobs::Account::after>>().name, "jobs::Account::after");
  EXPECT_NE(function_of<decltype(same_lambda())>().name.find("lambda"), std::string_view::npos);
}

[[maybe_unused]] const Function& nobody_calls_this() {
  return function_of<Constant<jobs::mentioned_only>>();
}

TEST(FunctionTable, a_function_is_registered_where_it_is_mentioned_not_where_it_is_called) {
  using Mentioned = pp::runtime::Entry<Constant<jobs::mentioned_only>>;
  const FunctionTable& table = FunctionTable::seal();
  EXPECT_TRUE(Mentioned::function.travels);
  EXPECT_EQ(table.find(Mentioned::function.id), &Mentioned::function);
}

// Its file is in a static library, the linker drops what nobody calls.
TEST(FunctionTable, an_uncalled_function_of_a_static_library_is_registered) {
  const Function* found =
      FunctionTable::seal().find(0xd532ed7e0c7949a6);  // the hash of its mangled name
  ASSERT_NE(found, nullptr);
  EXPECT_NE(found->name.find("only_here"), std::string_view::npos);
}

TEST(FunctionTable, sealing_again_changes_nothing) {
  const FunctionTable& table = FunctionTable::seal();
  const std::uint64_t fingerprint = table.fingerprint();
  const std::size_t size = table.size();
  EXPECT_NE(fingerprint, 0u);
  EXPECT_GE(size, 10u);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&table] { EXPECT_EQ(&FunctionTable::seal(), &table); });
  threads.clear();
  EXPECT_EQ(table.fingerprint(), fingerprint);
  EXPECT_EQ(table.size(), size);
}

TEST(FunctionTable, a_function_of_two_files_has_one_entry) {
  EXPECT_EQ(&elsewhere::shared_area(), &function_of<Constant<geometry::area>>());
  FunctionTable::seal();
  EXPECT_TRUE(elsewhere::shared_area().travels);
}

// A thief would run the other file's function of this name.
TEST(FunctionTable, one_name_for_two_functions_keeps_both_at_home) {
  const FunctionTable& table = FunctionTable::seal();
  const Function& here = function_of<Constant<same_name>>();
  const Function& there = elsewhere::its_own_same_name();
  ASSERT_NE(&here, &there);
  EXPECT_EQ(here.key, there.key);
  for (const Function* function : {&here, &there}) {
    EXPECT_FALSE(function->travels);
    EXPECT_EQ(table.find(function->id), nullptr);
    EXPECT_NE(why_it_stays(*function).find("rename it"), std::string::npos);
  }
  Bytes arguments, one, other;
  pp::codec::encode(arguments, std::tuple{0});
  here.run_encoded(arguments, one);
  there.run_encoded(arguments, other);
  EXPECT_EQ(pp::codec::decode_whole<int>(one), 1);
  EXPECT_EQ(pp::codec::decode_whole<int>(other), 2);
}

TEST(FunctionTable, one_name_for_two_lambdas_keeps_both_at_home) {
  FunctionTable::seal();
  const Function& here = function_of<decltype(same_lambda())>();
  const Function& there = elsewhere::its_own_same_lambda();
  ASSERT_NE(&here, &there);
  if (here.key != there.key) GTEST_SKIP() << "this compiler tells them apart";
  EXPECT_FALSE(here.travels);
  EXPECT_FALSE(there.travels);
}

TEST(FunctionTable, who_comes_after_the_seal_stays_at_home_and_says_why) {
  const FunctionTable& table = FunctionTable::seal();
  const std::size_t size = table.size();
  static constinit Function late{"late", {}, 0, 0, nullptr, false, {}, nullptr};
  EXPECT_FALSE(FunctionTable::add(late, "late"));
  EXPECT_FALSE(late.travels);
  EXPECT_EQ(table.find(late.id), nullptr);
  EXPECT_EQ(table.size(), size);
  EXPECT_NE(why_it_stays(late).find("after the first pp::Runtime started"), std::string::npos);
}

TEST(FunctionTable, two_functions_with_one_id_are_named) {
  Function one{"one", "1", 5, 0, nullptr, true, {}, nullptr};
  Function two{"two", "2", 6, 0, nullptr, true, {}, nullptr};
  Function three{"three", "3", 6, 0, nullptr, true, {}, nullptr};
  const std::vector<const Function*> apart{&one, &two}, together{&one, &two, &three};
  EXPECT_EQ(FunctionTable::clash_among(apart), "");
  const std::string sentence = FunctionTable::clash_among(together);
  EXPECT_NE(sentence.find("two and three"), std::string::npos) << sentence;
}

}  // namespace
