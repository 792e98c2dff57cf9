package main

import (
	"errors"
	"fmt"
	"log"
)

type Account struct {
	owner   string
	balance int
}

func NewAccount(owner string, balance int) *Account {
	return &Account{owner: owner, balance: balance}
}

func (a *Account) Deposit(amount int) error {
	if amount <= 0 {
		return errors.New("amount must be positive")
	}
	a.balance += amount
	return nil
}

func (a *Account) Withdraw(amount int) error {
	if amount > a.balance {
		return errors.New("not enough money")
	}
	a.balance -= amount
	return nil
}

func main() {
	account := NewAccount("Ada", 100)
	if err := account.Deposit(50); err != nil {
		log.Fatal(err)
	}
	if err := account.Withdraw(30); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s has %d\n", account.owner, account.balance)
	if err := account.Withdraw(500); err != nil {
		fmt.Printf("error: %v\n", err)
	}
	if err := account.Deposit(-1); err != nil {
		fmt.Printf("error: %v\n", err)
	}
	fmt.Printf("%s still has %d\n", account.owner, account.balance)
}
