#include <stdio.h>

#define ROWS 2
#define INNER 3
#define COLUMNS 2

static void multiply(int left[ROWS][INNER], int right[INNER][COLUMNS],
                     int product[ROWS][COLUMNS]) {
  for (int row = 0; row < ROWS; row++) {
    for (int column = 0; column < COLUMNS; column++) {
      int total = 0;
      for (int inner = 0; inner < INNER; inner++) {
        total += left[row][inner] * right[inner][column];
      }
      product[row][column] = total;
    }
  }
}

int main(void) {
  int left[ROWS][INNER] = {{1, 2, 3}, {4, 5, 6}};
  int right[INNER][COLUMNS] = {{7, 8}, {9, 10}, {11, 12}};
  int product[ROWS][COLUMNS];
  multiply(left, right, product);
  for (int row = 0; row < ROWS; row++) {
    for (int column = 0; column < COLUMNS; column++) {
      printf("%s%d", column > 0 ? ", " : "", product[row][column]);
    }
    putchar('\n');
  }
  return 0;
}
