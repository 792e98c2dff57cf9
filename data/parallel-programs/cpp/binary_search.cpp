#include <iostream>
#include <vector>

int binary_search(const std::vector<int>& items, int target) {
  int low = 0;
  int high = static_cast<int>(items.size()) - 1;
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

int main() {
  const std::vector<int> numbers = {2, 3, 5, 7, 11, 13, 17, 19};
  for (int target : {7, 2, 19, 4}) {
    int position = binary_search(numbers, target);
    if (position < 0) {
      std::cout << target << " is missing\n";
    } else {
      std::cout << target << " is at " << position << '\n';
    }
  }
}
