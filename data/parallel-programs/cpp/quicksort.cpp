#include <iostream>
#include <utility>
#include <vector>

int partition(std::vector<int>& items, int low, int high) {
  int pivot = items[high];
  int border = low;
  for (int index = low; index < high; ++index) {
    if (items[index] < pivot) {
      std::swap(items[border], items[index]);
      ++border;
    }
  }
  std::swap(items[border], items[high]);
  return border;
}

void quicksort(std::vector<int>& items, int low, int high) {
  if (low < high) {
    int border = partition(items, low, high);
    quicksort(items, low, border - 1);
    quicksort(items, border + 1, high);
  }
}

int main() {
  std::vector<int> numbers = {33, 4, 15, 8, 42, 16, 23, 4, 0, -7};
  quicksort(numbers, 0, static_cast<int>(numbers.size()) - 1);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::cout << (i > 0 ? " " : "") << numbers[i];
  }
  std::cout << '\n';
}
