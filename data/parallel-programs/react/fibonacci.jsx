import { useMemo } from "react";

function fibonacci(n, cache) {
  if (n < 2) {
    return n;
  }
  if (!cache.has(n)) {
    cache.set(n, fibonacci(n - 1, cache) + fibonacci(n - 2, cache));
  }
  return cache.get(n);
}

export default function Fibonacci({ limit = 50, step = 7 }) {
  const rows = useMemo(() => {
    const cache = new Map();
    const result = [];
    for (let n = 0; n < limit; n += step) {
      result.push({ n, value: fibonacci(n, cache) });
    }
    return result;
  }, [limit, step]);

  return (
    <ul>
      {rows.map(({ n, value }) => (
        <li key={n}>
          fibonacci({n}) = {value}
        </li>
      ))}
    </ul>
  );
}
