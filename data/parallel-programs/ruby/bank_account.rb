class Account
  attr_reader :owner, :balance

  def initialize(owner, balance = 0)
    @owner = owner
    @balance = balance
  end

  def deposit(amount)
    raise ArgumentError, "amount must be positive" if amount <= 0

    @balance += amount
  end

  def withdraw(amount)
    raise ArgumentError, "not enough money" if amount > @balance

    @balance -= amount
  end
end

def main
  account = Account.new("Ada", 100)
  account.deposit(50)
  account.withdraw(30)
  puts "#{account.owner} has #{account.balance}"
  begin
    account.withdraw(500)
  rescue ArgumentError => e
    puts "error: #{e.message}"
  end
  begin
    account.deposit(-1)
  rescue ArgumentError => e
    puts "error: #{e.message}"
  ensure
    puts "#{account.owner} still has #{account.balance}"
  end
end

main if __FILE__ == $PROGRAM_NAME
