class Account:
    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount

    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError("not enough money")
        self.balance -= amount


def main():
    account = Account("Ada", 100)
    account.deposit(50)
    account.withdraw(30)
    print(f"{account.owner} has {account.balance}")
    try:
        account.withdraw(500)
    except ValueError as error:
        print(f"error: {error}")
    try:
        account.deposit(-1)
    except ValueError as error:
        print(f"error: {error}")
    finally:
        print(f"{account.owner} still has {account.balance}")


if __name__ == "__main__":
    main()
