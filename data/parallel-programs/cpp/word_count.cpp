#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

std::string to_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return std::tolower(letter); });
  return text;
}

std::map<std::string, int> count_words(const std::string& text) {
  std::map<std::string, int> counts;
  std::istringstream words(to_lower(text));
  std::string word;
  while (words >> word) {
    ++counts[word];
  }
  return counts;
}

int main() {
  const std::string text = "The cat saw the dog and the dog saw the bird";
  const auto counts = count_words(text);
  for (const auto& [word, count] : counts) {
    if (count > 1) {
      std::cout << word << ": " << count << '\n';
    }
  }
  std::cout << "different words: " << counts.size() << '\n';
}
