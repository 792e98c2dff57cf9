#include <iostream>
#include <string>
#include <string_view>

constexpr std::string_view ALPHABET = "abcdefghijklmnopqrstuvwxyz";

char shift_letter(char letter, std::size_t distance) {
  const auto position = ALPHABET.find(letter);
  if (position == std::string_view::npos) {
    return letter;
  }
  return ALPHABET[(position + distance) % ALPHABET.size()];
}

std::string encode(std::string_view text, std::size_t distance) {
  std::string result;
  for (char letter : text) {
    result += shift_letter(letter, distance);
  }
  return result;
}

int main() {
  const std::string secret = encode("attack at dawn, bring a zebra", 3);
  std::cout << secret << '\n';
  std::cout << encode(secret, 26 - 3) << '\n';
}
