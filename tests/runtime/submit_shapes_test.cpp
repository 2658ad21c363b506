// Every shape of function that can be a job, and every shape of argument, run on one node.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <pp/pp.hpp>
#include <string>
#include <utility>
#include <vector>

namespace submit_shapes_test {

using pp::Future;
using pp::Options;
using pp::Runtime;

int add(int a, int b) { return a + b; }
int quiet(int a) noexcept { return a + 1; }
[[maybe_unused]] int overloaded(int a) { return -a; }
[[maybe_unused]] double overloaded(double a) { return a / 2; }
template <class T>
T doubled(T value) {
  return value + value;
}
int last_noted = 0;
void note(int n) { last_noted = n; }
const std::string& longer(const std::string& a, const std::string& b) {
  return a.size() < b.size() ? b : a;
}
std::string shout(std::string text) { return text + "!"; }
std::string take_over(std::string&& text) { return std::move(text) + "?"; }
std::unique_ptr<int> increased(std::unique_ptr<int> value) {
  ++*value;
  return value;
}
int opened(std::unique_ptr<int>&& value) { return *value; }
std::size_t nothing() { return 7; }
int sum_of_boxes(const std::vector<std::unique_ptr<int>>& boxes) {
  int sum = 0;
  for (const auto& box : boxes) sum += *box;
  return sum;
}

// A plain aggregate.
struct Counter {
  int count = 0;
  int plus(int n) const { return count + n; }
  int bump() { return ++count; }
  int sure(int n) const noexcept { return count - n; }
  int lasting() const& { return count; }
  int passing() && { return count; }
  Counter grown(const Counter& by) const { return {count + by.count}; }
  static int fixed(int n) { return 3 * n; }
};
bool operator==(const Counter& a, const Counter& b) { return a.count == b.count; }

// A class that travels by its own `serialize`.
class Account {
 public:
  Account() = default;
  explicit Account(int balance) : balance_(balance) {}
  int balance() const { return balance_; }
  int after(int deposit) { return balance_ += deposit; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(balance_);
  }

 private:
  int balance_ = 0;
};

struct Halve {
  double operator()(double value) const { return value / 2; }
};
struct HalveQuietly {
  double operator()(double value) const noexcept { return value / 2; }
};
struct HalveAndChange {
  double operator()(double value) { return value / 2; }
};
constexpr auto triple = [](int n) { return 3 * n; };

class SubmitShapes : public testing::Test {
 protected:
  static Options two_workers() {
    Options options;
    options.workers = 2;
    return options;
  }
  Runtime rt{two_workers()};
};

TEST_F(SubmitShapes, functions) {
  EXPECT_EQ(rt.submit<add>(2, 3).get(), 5);
  EXPECT_EQ(rt.submit<&add>(2, 3).get(), 5);
  EXPECT_EQ(rt.submit<quiet>(4).get(), 5);
  EXPECT_EQ(rt.submit<nothing>().get(), 7u);
  EXPECT_EQ(rt.submit<Counter::fixed>(4).get(), 12);
  rt.submit<note>(9).get();
  EXPECT_EQ(last_noted, 9);
}

TEST_F(SubmitShapes, instances_of_templates_and_chosen_overloads) {
  EXPECT_EQ(rt.submit<doubled<int>>(4).get(), 8);
  EXPECT_EQ(rt.submit<doubled<std::string>>("ab").get(), "abab");
  EXPECT_EQ(rt.submit<static_cast<int (*)(int)>(overloaded)>(4).get(), -4);
  EXPECT_EQ(rt.submit<static_cast<double (*)(double)>(overloaded)>(4).get(), 2.0);
}

TEST_F(SubmitShapes, member_functions_take_their_object_first) {
  EXPECT_EQ(rt.submit<&Counter::plus>(Counter{1}, 2).get(), 3);
  EXPECT_EQ(rt.submit<&Counter::sure>(Counter{1}, 2).get(), -1);
  EXPECT_EQ(rt.submit<&Counter::lasting>(Counter{5}).get(), 5);
  EXPECT_EQ(rt.submit<&Counter::passing>(Counter{5}).get(), 5);
  EXPECT_EQ(rt.submit<&Counter::grown>(Counter{5}, Counter{6}).get(), Counter{11});
  EXPECT_EQ(rt.submit<&Account::balance>(Account(10)).get(), 10);
}

TEST_F(SubmitShapes, a_member_function_that_changes_its_object_changes_the_job_s_own) {
  const Account account(10);
  Counter counter{1};
  EXPECT_EQ(rt.submit<&Account::after>(account, 5).get(), 15);
  EXPECT_EQ(rt.submit<&Counter::bump>(counter).get(), 2);
  EXPECT_EQ(account.balance(), 10);
  EXPECT_EQ(counter.count, 1);
}

TEST_F(SubmitShapes, lambdas_and_functors) {
  EXPECT_EQ(rt.submit([](int a, int b) { return a * b; }, 6, 7).get(), 42);
  EXPECT_EQ(rt.submit([](int a) noexcept { return -a; }, 6).get(), -6);
  EXPECT_EQ(rt.submit([](int a) mutable { return ++a; }, 6).get(), 7);
  EXPECT_EQ(rt.submit(triple, 2).get(), 6);
  EXPECT_EQ(rt.submit<triple>(2).get(), 6);
  EXPECT_EQ(rt.submit(Halve{}, 3.0).get(), 1.5);
  EXPECT_EQ(rt.submit<Halve{}>(3.0).get(), 1.5);
  EXPECT_EQ(rt.submit(HalveQuietly{}, 3.0).get(), 1.5);
  EXPECT_EQ(rt.submit(HalveAndChange{}, 3.0).get(), 1.5);
  EXPECT_EQ(rt.submit(std::plus<int>{}, 3, 4).get(), 7);
  const Halve kept;
  EXPECT_EQ(rt.submit(kept, 3.0).get(), 1.5);
}

TEST_F(SubmitShapes, parameters_by_value_const_reference_and_rvalue_reference) {
  const std::string text = "text";
  std::string own = "own";
  EXPECT_EQ(rt.submit<shout>(text).get(), "text!");
  EXPECT_EQ(rt.submit<longer>(text, own).get(), "text");
  EXPECT_EQ(rt.submit<take_over>(own).get(), "own?");
  EXPECT_EQ(own, "own");
  EXPECT_EQ(rt.submit<take_over>(std::move(own)).get(), "own?");
}

TEST_F(SubmitShapes, arguments_convert_as_in_a_call) {
  const short two = 2;
  EXPECT_EQ(rt.submit<add>(two, 3u).get(), 5);
  EXPECT_EQ(rt.submit<shout>("text").get(), "text!");
  EXPECT_EQ(rt.submit(Halve{}, 3).get(), 1.5);
}

TEST_F(SubmitShapes, what_can_only_be_moved_is_handed_over) {
  auto box = std::make_unique<int>(4);
  EXPECT_EQ(*rt.submit<increased>(std::move(box)).get(), 5);
  EXPECT_EQ(box, nullptr);
  EXPECT_EQ(rt.submit<opened>(std::make_unique<int>(6)).get(), 6);
  std::vector<std::unique_ptr<int>> boxes;
  for (const int n : {1, 2, 3}) boxes.push_back(std::make_unique<int>(n));
  EXPECT_EQ(rt.submit<sum_of_boxes>(std::move(boxes)).get(), 6);
}

int children(int n) {
  Future<int> named = pp::spawn<add>(n, 1);
  Future<int> nameless = pp::spawn([](int a) { return 2 * a; }, n);
  Future<int> member = pp::spawn<&Counter::plus>(Counter{n}, 3);
  return named.get() + nameless.get() + member.get();
}

TEST_F(SubmitShapes, jobs_spawn_the_same_shapes) { EXPECT_EQ(rt.submit<children>(10).get(), 44); }

}  // namespace submit_shapes_test
