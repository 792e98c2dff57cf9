class Account {
  readonly owner: string;
  balance: number;

  constructor(owner: string, balance: number = 0) {
    this.owner = owner;
    this.balance = balance;
  }

  deposit(amount: number): void {
    if (amount <= 0) {
      throw new RangeError("amount must be positive");
    }
    this.balance += amount;
  }

  withdraw(amount: number): void {
    if (amount > this.balance) {
      throw new RangeError("not enough money");
    }
    this.balance -= amount;
  }
}

function main(): void {
  const account = new Account("Ada", 100);
  account.deposit(50);
  account.withdraw(30);
  console.log(`${account.owner} has ${account.balance}`);
  try {
    account.withdraw(500);
  } catch (error) {
    console.log(`error: ${(error as Error).message}`);
  }
  try {
    account.deposit(-1);
  } catch (error) {
    console.log(`error: ${(error as Error).message}`);
  } finally {
    console.log(`${account.owner} still has ${account.balance}`);
  }
}

main();
