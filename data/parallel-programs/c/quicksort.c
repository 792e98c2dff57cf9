#include <stdio.h>

static void swap(int *left, int *right) {
  int saved = *left;
  *left = *right;
  *right = saved;
}

static int partition(int *items, int low, int high) {
  int pivot = items[high];
  int border = low;
  for (int index = low; index < high; index++) {
    if (items[index] < pivot) {
      swap(&items[border], &items[index]);
      border++;
    }
  }
  swap(&items[border], &items[high]);
  return border;
}

static void quicksort(int *items, int low, int high) {
  if (low < high) {
    int border = partition(items, low, high);
    quicksort(items, low, border - 1);
    quicksort(items, border + 1, high);
  }
}

int main(void) {
  int numbers[] = {33, 4, 15, 8, 42, 16, 23, 4, 0, -7};
  const int count = sizeof(numbers) / sizeof(numbers[0]);
  quicksort(numbers, 0, count - 1);
  for (int i = 0; i < count; i++) {
    printf("%s%d", i > 0 ? " " : "", numbers[i]);
  }
  putchar('\n');
  return 0;
}
