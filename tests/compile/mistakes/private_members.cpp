// A class whose fields pp cannot see.
// expect: has private members or constructors.*serialize\(Archive& ar\)
// names: Argument<1, const Account ?&>
#include <pp/pp.hpp>

class Account {
 public:
  explicit Account(int balance) : balance_(balance) {}
  int balance() const { return balance_; }

 private:
  int balance_ = 0;
};

int balance_of(const Account& account) { return account.balance(); }

int main_job(pp::Runtime& rt) { return rt.submit<balance_of>(Account(5)).get(); }
