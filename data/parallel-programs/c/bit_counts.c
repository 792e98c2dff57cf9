#include <stdbool.h>
#include <stdio.h>

static unsigned count_bits(unsigned number) {
  unsigned count = 0;
  while (number != 0) {
    count += number & 1;
    number >>= 1;
  }
  return count;
}

static bool is_power_of_two(unsigned number) {
  return number > 0 && (number & (number - 1)) == 0;
}

int main(void) {
  const unsigned numbers[] = {0, 1, 64, 255, 1000};
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    const char *answer = is_power_of_two(numbers[i]) ? "yes" : "no";
    printf("%u: %u bits, power of two: %s\n", numbers[i],
           count_bits(numbers[i]), answer);
  }
  printf("%d %d %d %d\n", 6 ^ 3, 6 | 9, ~6 & 15, 1 << 10);
  return 0;
}
