// A member function of an object that cannot travel: the object is the first argument.
// expect: has private members or constructors.*serialize\(Archive& ar\)
// names: Argument<1, Account>
#include <pp/pp.hpp>

class Account {
 public:
  explicit Account(int balance) : balance_(balance) {}
  int after(int deposit) const { return balance_ + deposit; }

 private:
  int balance_ = 0;
};

int main_job(pp::Runtime& rt) { return rt.submit<&Account::after>(Account(5), 1).get(); }
