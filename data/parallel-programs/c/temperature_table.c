#include <stdio.h>

static double to_fahrenheit(double celsius) {
  return celsius * 9.0 / 5.0 + 32.0;
}

int main(void) {
  puts("celsius fahrenheit");
  double total = 0.0;
  int count = 0;
  for (int celsius = -10; celsius < 45; celsius += 10) {
    double fahrenheit = to_fahrenheit(celsius);
    printf("%d %.1f\n", celsius, fahrenheit);
    total += fahrenheit;
    count++;
  }
  printf("mean %.3f\n", total / count);
  return 0;
}
