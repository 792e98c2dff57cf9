#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

class Account {
 public:
  explicit Account(std::string owner, int balance = 0)
      : owner_(std::move(owner)), balance_(balance) {}

  const std::string& owner() const { return owner_; }
  int balance() const { return balance_; }

  void deposit(int amount) {
    if (amount <= 0) {
      throw std::invalid_argument("amount must be positive");
    }
    balance_ += amount;
  }

  void withdraw(int amount) {
    if (amount > balance_) {
      throw std::invalid_argument("not enough money");
    }
    balance_ -= amount;
  }

 private:
  std::string owner_;
  int balance_;
};

int main() {
  Account account("Ada", 100);
  account.deposit(50);
  account.withdraw(30);
  std::cout << account.owner() << " has " << account.balance() << '\n';
  try {
    account.withdraw(500);
  } catch (const std::invalid_argument& error) {
    std::cout << "error: " << error.what() << '\n';
  }
  try {
    account.deposit(-1);
  } catch (const std::invalid_argument& error) {
    std::cout << "error: " << error.what() << '\n';
  }
  std::cout << account.owner() << " still has " << account.balance() << '\n';
}
