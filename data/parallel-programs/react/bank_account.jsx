import { useReducer } from "react";

function deposit(account, amount) {
  if (amount <= 0) {
    throw new RangeError("amount must be positive");
  }
  return { ...account, balance: account.balance + amount };
}

function withdraw(account, amount) {
  if (amount > account.balance) {
    throw new RangeError("not enough money");
  }
  return { ...account, balance: account.balance - amount };
}

function reducer(state, action) {
  try {
    switch (action.type) {
      case "deposit":
        return { ...state, account: deposit(state.account, action.amount) };
      case "withdraw":
        return { ...state, account: withdraw(state.account, action.amount) };
      default:
        return state;
    }
  } catch (error) {
    return { ...state, errors: [...state.errors, error.message] };
  }
}

function openAccount(owner) {
  const account = withdraw(deposit({ owner, balance: 100 }, 50), 30);
  return [
    { type: "withdraw", amount: 500 },
    { type: "deposit", amount: -1 },
  ].reduce(reducer, { account, opening: account.balance, errors: [] });
}

export default function BankAccount({ owner = "Ada" }) {
  const [state, dispatch] = useReducer(reducer, owner, openAccount);
  const { account, opening, errors } = state;

  return (
    <section>
      <ul>
        <li>
          {account.owner} has {opening}
        </li>
        {errors.map((error, index) => (
          <li key={index}>error: {error}</li>
        ))}
        <li>
          {account.owner} still has {account.balance}
        </li>
      </ul>
      <button onClick={() => dispatch({ type: "deposit", amount: 10 })}>
        Deposit
      </button>
      <button onClick={() => dispatch({ type: "withdraw", amount: 10 })}>
        Withdraw
      </button>
    </section>
  );
}
