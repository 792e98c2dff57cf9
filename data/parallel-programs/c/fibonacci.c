#include <stdio.h>

#define LIMIT 50

static long long fibonacci(int n, long long *cache) {
  if (n < 2) {
    return n;
  }
  if (cache[n] == 0) {
    cache[n] = fibonacci(n - 1, cache) + fibonacci(n - 2, cache);
  }
  return cache[n];
}

int main(void) {
  long long cache[LIMIT] = {0};
  for (int n = 0; n < LIMIT; n += 7) {
    printf("fibonacci(%d) = %lld\n", n, fibonacci(n, cache));
  }
  return 0;
}
