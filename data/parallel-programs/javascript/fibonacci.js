function fibonacci(n, cache) {
  if (n < 2) {
    return n;
  }
  if (!cache.has(n)) {
    cache.set(n, fibonacci(n - 1, cache) + fibonacci(n - 2, cache));
  }
  return cache.get(n);
}

function main() {
  const cache = new Map();
  for (let n = 0; n < 50; n += 7) {
    console.log(`fibonacci(${n}) = ${fibonacci(n, cache)}`);
  }
}

main();
