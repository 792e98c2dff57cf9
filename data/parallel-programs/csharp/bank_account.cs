using System;

public class Account
{
    public Account(string owner, int balance = 0)
    {
        Owner = owner;
        Balance = balance;
    }

    public string Owner { get; }

    public int Balance { get; private set; }

    public void Deposit(int amount)
    {
        if (amount <= 0)
        {
            throw new ArgumentException("amount must be positive");
        }
        Balance += amount;
    }

    public void Withdraw(int amount)
    {
        if (amount > Balance)
        {
            throw new ArgumentException("not enough money");
        }
        Balance -= amount;
    }
}

public static class Program
{
    public static void Main()
    {
        var account = new Account("Ada", 100);
        account.Deposit(50);
        account.Withdraw(30);
        Console.WriteLine($"{account.Owner} has {account.Balance}");
        try
        {
            account.Withdraw(500);
        }
        catch (ArgumentException error)
        {
            Console.WriteLine($"error: {error.Message}");
        }
        try
        {
            account.Deposit(-1);
        }
        catch (ArgumentException error)
        {
            Console.WriteLine($"error: {error.Message}");
        }
        finally
        {
            Console.WriteLine($"{account.Owner} still has {account.Balance}");
        }
    }
}
