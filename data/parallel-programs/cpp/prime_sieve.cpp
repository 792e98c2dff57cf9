#include <iostream>
#include <vector>

std::vector<int> primes_below(int limit) {
  std::vector<bool> is_prime(limit, true);
  is_prime[0] = false;
  is_prime[1] = false;
  for (int n = 2; n * n < limit; ++n) {
    if (is_prime[n]) {
      for (int multiple = n * n; multiple < limit; multiple += n) {
        is_prime[multiple] = false;
      }
    }
  }
  std::vector<int> primes;
  for (int n = 0; n < limit; ++n) {
    if (is_prime[n]) {
      primes.push_back(n);
    }
  }
  return primes;
}

int main() {
  const std::vector<int> primes = primes_below(60);
  std::cout << primes.size() << " primes, the last is " << primes.back()
            << '\n';
  for (std::size_t i = 0; i < primes.size(); ++i) {
    std::cout << (i > 0 ? " " : "") << primes[i];
  }
  std::cout << '\n';
}
