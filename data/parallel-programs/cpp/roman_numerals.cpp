#include <array>
#include <iostream>
#include <string>

constexpr std::array<int, 13> VALUES = {1000, 900, 500, 400, 100, 90, 50,
                                        40,   10,  9,   5,   4,   1};
constexpr std::array<const char*, 13> NUMERALS = {
    "M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"};

std::string to_roman(int number) {
  std::string result;
  for (std::size_t index = 0; index < VALUES.size(); ++index) {
    while (number >= VALUES[index]) {
      result += NUMERALS[index];
      number -= VALUES[index];
    }
  }
  return result;
}

int main() {
  for (int year : {4, 1066, 1492, 1987, 2024}) {
    std::cout << year << " is " << to_roman(year) << '\n';
  }
}
