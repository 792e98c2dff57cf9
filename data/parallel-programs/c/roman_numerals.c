#include <stdio.h>
#include <string.h>

#define MAX_LENGTH 16

static const int VALUES[] = {1000, 900, 500, 400, 100, 90, 50,
                             40,   10,  9,   5,   4,   1};
static const char *const NUMERALS[] = {"M",  "CM", "D",  "CD", "C",  "XC", "L",
                                       "XL", "X",  "IX", "V",  "IV", "I"};

static void to_roman(int number, char *result) {
  result[0] = '\0';
  for (size_t index = 0; index < sizeof(VALUES) / sizeof(VALUES[0]); index++) {
    while (number >= VALUES[index]) {
      strcat(result, NUMERALS[index]);
      number -= VALUES[index];
    }
  }
}

int main(void) {
  const int years[] = {4, 1066, 1492, 1987, 2024};
  char roman[MAX_LENGTH];
  for (size_t i = 0; i < sizeof(years) / sizeof(years[0]); i++) {
    to_roman(years[i], roman);
    printf("%d is %s\n", years[i], roman);
  }
  return 0;
}
