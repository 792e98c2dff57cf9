def fibonacci(n, cache):
    if n < 2:
        return n
    if n not in cache:
        cache[n] = fibonacci(n - 1, cache) + fibonacci(n - 2, cache)
    return cache[n]


def main():
    cache = {}
    for n in range(0, 50, 7):
        print(f"fibonacci({n}) = {fibonacci(n, cache)}")


if __name__ == "__main__":
    main()
