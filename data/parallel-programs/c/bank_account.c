#include <stdio.h>
#include <stdlib.h>

typedef enum {
  STATUS_OK,
  STATUS_AMOUNT_NOT_POSITIVE,
  STATUS_NOT_ENOUGH_MONEY
} Status;

typedef struct {
  const char *owner;
  int balance;
} Account;

static const char *status_message(Status status) {
  switch (status) {
    case STATUS_AMOUNT_NOT_POSITIVE:
      return "amount must be positive";
    case STATUS_NOT_ENOUGH_MONEY:
      return "not enough money";
    default:
      return "ok";
  }
}

static Status account_deposit(Account *account, int amount) {
  if (amount <= 0) {
    return STATUS_AMOUNT_NOT_POSITIVE;
  }
  account->balance += amount;
  return STATUS_OK;
}

static Status account_withdraw(Account *account, int amount) {
  if (amount > account->balance) {
    return STATUS_NOT_ENOUGH_MONEY;
  }
  account->balance -= amount;
  return STATUS_OK;
}

int main(void) {
  Account account = {"Ada", 100};
  if (account_deposit(&account, 50) != STATUS_OK ||
      account_withdraw(&account, 30) != STATUS_OK) {
    return EXIT_FAILURE;
  }
  printf("%s has %d\n", account.owner, account.balance);
  Status status = account_withdraw(&account, 500);
  if (status != STATUS_OK) {
    printf("error: %s\n", status_message(status));
  }
  status = account_deposit(&account, -1);
  if (status != STATUS_OK) {
    printf("error: %s\n", status_message(status));
  }
  printf("%s still has %d\n", account.owner, account.balance);
  return EXIT_SUCCESS;
}
