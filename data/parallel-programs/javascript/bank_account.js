class Account {
  constructor(owner, balance = 0) {
    this.owner = owner;
    this.balance = balance;
  }

  deposit(amount) {
    if (amount <= 0) {
      throw new RangeError("amount must be positive");
    }
    this.balance += amount;
  }

  withdraw(amount) {
    if (amount > this.balance) {
      throw new RangeError("not enough money");
    }
    this.balance -= amount;
  }
}

function main() {
  const account = new Account("Ada", 100);
  account.deposit(50);
  account.withdraw(30);
  console.log(`${account.owner} has ${account.balance}`);
  try {
    account.withdraw(500);
  } catch (error) {
    console.log(`error: ${error.message}`);
  }
  try {
    account.deposit(-1);
  } catch (error) {
    console.log(`error: ${error.message}`);
  } finally {
    console.log(`${account.owner} still has ${account.balance}`);
  }
}

main();
