<?php

declare(strict_types=1);

class Account
{
    public function __construct(
        public readonly string $owner,
        public int $balance = 0,
    ) {
    }

    public function deposit(int $amount): void
    {
        if ($amount <= 0) {
            throw new InvalidArgumentException('amount must be positive');
        }
        $this->balance += $amount;
    }

    public function withdraw(int $amount): void
    {
        if ($amount > $this->balance) {
            throw new InvalidArgumentException('not enough money');
        }
        $this->balance -= $amount;
    }
}

function main(): void
{
    $account = new Account('Ada', 100);
    $account->deposit(50);
    $account->withdraw(30);
    echo "{$account->owner} has {$account->balance}\n";
    try {
        $account->withdraw(500);
    } catch (InvalidArgumentException $error) {
        echo "error: {$error->getMessage()}\n";
    }
    try {
        $account->deposit(-1);
    } catch (InvalidArgumentException $error) {
        echo "error: {$error->getMessage()}\n";
    } finally {
        echo "{$account->owner} still has {$account->balance}\n";
    }
}

main();
