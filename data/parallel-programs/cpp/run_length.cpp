#include <iostream>
#include <string>

std::string encode(const std::string& text) {
  std::string result;
  std::size_t index = 0;
  while (index < text.size()) {
    std::size_t run = 1;
    while (index + run < text.size() && text[index + run] == text[index]) {
      ++run;
    }
    result += text[index] + std::to_string(run);
    index += run;
  }
  return result;
}

std::string decode(const std::string& code) {
  std::string result;
  std::size_t index = 0;
  while (index < code.size()) {
    result.append(code[index + 1] - '0', code[index]);
    index += 2;
  }
  return result;
}

int main() {
  for (const std::string text : {"aaabccdddd", "x", "zzzzzz"}) {
    const std::string code = encode(text);
    const bool same = decode(code) == text;
    std::cout << text << " becomes " << code
              << ", restored: " << (same ? "yes" : "no") << '\n';
  }
}
