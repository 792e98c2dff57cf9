import { useRef, useState } from "react";

const EXPRESSIONS = ["3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"];

function evaluate(expression) {
  const stack = [];
  for (const symbol of expression.split(" ")) {
    if (["+", "-", "*"].includes(symbol)) {
      const right = stack.pop();
      const left = stack.pop();
      if (symbol === "+") {
        stack.push(left + right);
      } else if (symbol === "-") {
        stack.push(left - right);
      } else {
        stack.push(left * right);
      }
    } else {
      stack.push(Number(symbol));
    }
  }
  return stack.pop();
}

export default function PostfixCalculator() {
  const [expressions, setExpressions] = useState(EXPRESSIONS);
  const [draft, setDraft] = useState("");
  const inputRef = useRef(null);

  function handleSubmit(event) {
    event.preventDefault();
    setExpressions((previous) => [...previous, draft]);
    setDraft("");
    inputRef.current.focus();
  }

  return (
    <form onSubmit={handleSubmit}>
      <input
        ref={inputRef}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
      />
      <button type="submit">Evaluate</button>
      <ul>
        {expressions.map((expression, index) => (
          <li key={index}>
            {expression} = {evaluate(expression)}
          </li>
        ))}
      </ul>
    </form>
  );
}
