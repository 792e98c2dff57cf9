use std::fmt;

#[derive(Debug)]
enum AccountError {
    AmountNotPositive,
    NotEnoughMoney,
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            AccountError::AmountNotPositive => write!(f, "amount must be positive"),
            AccountError::NotEnoughMoney => write!(f, "not enough money"),
        }
    }
}

struct Account {
    owner: String,
    balance: i64,
}

impl Account {
    fn new(owner: &str, balance: i64) -> Self {
        Account {
            owner: owner.to_string(),
            balance,
        }
    }

    fn deposit(&mut self, amount: i64) -> Result<(), AccountError> {
        if amount <= 0 {
            return Err(AccountError::AmountNotPositive);
        }
        self.balance += amount;
        Ok(())
    }

    fn withdraw(&mut self, amount: i64) -> Result<(), AccountError> {
        if amount > self.balance {
            return Err(AccountError::NotEnoughMoney);
        }
        self.balance -= amount;
        Ok(())
    }
}

fn main() -> Result<(), AccountError> {
    let mut account = Account::new("Ada", 100);
    account.deposit(50)?;
    account.withdraw(30)?;
    println!("{} has {}", account.owner, account.balance);
    if let Err(error) = account.withdraw(500) {
        println!("error: {error}");
    }
    if let Err(error) = account.deposit(-1) {
        println!("error: {error}");
    }
    println!("{} still has {}", account.owner, account.balance);
    Ok(())
}
