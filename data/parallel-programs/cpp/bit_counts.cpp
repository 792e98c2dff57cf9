#include <iostream>

unsigned count_bits(unsigned number) {
  unsigned count = 0;
  while (number != 0) {
    count += number & 1;
    number >>= 1;
  }
  return count;
}

bool is_power_of_two(unsigned number) {
  return number > 0 && (number & (number - 1)) == 0;
}

int main() {
  for (unsigned number : {0u, 1u, 64u, 255u, 1000u}) {
    const char* answer = is_power_of_two(number) ? "yes" : "no";
    std::cout << number << ": " << count_bits(number)
              << " bits, power of two: " << answer << '\n';
  }
  std::cout << (6 ^ 3) << ' ' << (6 | 9) << ' ' << (~6 & 15) << ' ' << (1 << 10)
            << '\n';
}
