#include <stdio.h>

static int binary_search(const int *items, int count, int target) {
  int low = 0;
  int high = count - 1;
  while (low <= high) {
    int middle = low + (high - low) / 2;
    if (items[middle] == target) {
      return middle;
    } else if (items[middle] < target) {
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return -1;
}

int main(void) {
  const int numbers[] = {2, 3, 5, 7, 11, 13, 17, 19};
  const int targets[] = {7, 2, 19, 4};
  const int count = sizeof(numbers) / sizeof(numbers[0]);
  for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
    int position = binary_search(numbers, count, targets[i]);
    if (position < 0) {
      printf("%d is missing\n", targets[i]);
    } else {
      printf("%d is at %d\n", targets[i], position);
    }
  }
  return 0;
}
