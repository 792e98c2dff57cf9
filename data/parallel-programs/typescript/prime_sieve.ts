function primesBelow(limit: number): number[] {
  const isPrime = new Array<boolean>(limit).fill(true);
  isPrime[0] = false;
  isPrime[1] = false;
  for (let n = 2; n * n < limit; n++) {
    if (isPrime[n]) {
      for (let multiple = n * n; multiple < limit; multiple += n) {
        isPrime[multiple] = false;
      }
    }
  }
  return [...isPrime.keys()].filter((n) => isPrime[n]);
}

function main(): void {
  const primes = primesBelow(60);
  console.log(`${primes.length} primes, the last is ${primes.at(-1)}`);
  console.log(primes.join(" "));
}

main();
