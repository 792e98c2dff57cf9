#include <iostream>
#include <unordered_map>

using Cache = std::unordered_map<int, long long>;

long long fibonacci(int n, Cache& cache) {
  if (n < 2) {
    return n;
  }
  if (cache.find(n) == cache.end()) {
    cache[n] = fibonacci(n - 1, cache) + fibonacci(n - 2, cache);
  }
  return cache[n];
}

int main() {
  Cache cache;
  for (int n = 0; n < 50; n += 7) {
    std::cout << "fibonacci(" << n << ") = " << fibonacci(n, cache) << '\n';
  }
}
