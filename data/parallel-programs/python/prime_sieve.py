def primes_below(limit):
    is_prime = [True] * limit
    is_prime[0] = False
    is_prime[1] = False
    n = 2
    while n * n < limit:
        if is_prime[n]:
            for multiple in range(n * n, limit, n):
                is_prime[multiple] = False
        n += 1
    return [n for n in range(limit) if is_prime[n]]


def main():
    primes = primes_below(60)
    print(f"{len(primes)} primes, the last is {primes[-1]}")
    print(" ".join(str(prime) for prime in primes))


if __name__ == "__main__":
    main()
