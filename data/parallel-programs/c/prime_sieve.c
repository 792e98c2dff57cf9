#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 60

static int primes_below(int limit, int *primes) {
  bool *is_prime = malloc(limit * sizeof(*is_prime));
  if (is_prime == NULL) {
    perror("malloc");
    exit(EXIT_FAILURE);
  }
  for (int n = 0; n < limit; n++) {
    is_prime[n] = n > 1;
  }
  for (int n = 2; n * n < limit; n++) {
    if (is_prime[n]) {
      for (int multiple = n * n; multiple < limit; multiple += n) {
        is_prime[multiple] = false;
      }
    }
  }
  int count = 0;
  for (int n = 0; n < limit; n++) {
    if (is_prime[n]) {
      primes[count++] = n;
    }
  }
  free(is_prime);
  return count;
}

int main(void) {
  int primes[LIMIT];
  int count = primes_below(LIMIT, primes);
  printf("%d primes, the last is %d\n", count, primes[count - 1]);
  for (int i = 0; i < count; i++) {
    printf("%s%d", i > 0 ? " " : "", primes[i]);
  }
  putchar('\n');
  return EXIT_SUCCESS;
}
