public class Main {
    public static void main(String[] args) {
        Account account = new Account("Ada", 100);
        account.deposit(50);
        account.withdraw(30);
        System.out.println(account.getOwner() + " has " + account.getBalance());
        try {
            account.withdraw(500);
        } catch (IllegalArgumentException error) {
            System.out.println("error: " + error.getMessage());
        }
        try {
            account.deposit(-1);
        } catch (IllegalArgumentException error) {
            System.out.println("error: " + error.getMessage());
        } finally {
            System.out.println(account.getOwner() + " still has " + account.getBalance());
        }
    }
}

class Account {
    private final String owner;
    private int balance;

    Account(String owner, int balance) {
        this.owner = owner;
        this.balance = balance;
    }

    String getOwner() {
        return owner;
    }

    int getBalance() {
        return balance;
    }

    void deposit(int amount) {
        if (amount <= 0) {
            throw new IllegalArgumentException("amount must be positive");
        }
        balance += amount;
    }

    void withdraw(int amount) {
        if (amount > balance) {
            throw new IllegalArgumentException("not enough money");
        }
        balance -= amount;
    }
}
