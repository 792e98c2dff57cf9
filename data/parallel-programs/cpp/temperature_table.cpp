#include <iomanip>
#include <iostream>

double to_fahrenheit(double celsius) { return celsius * 9.0 / 5.0 + 32.0; }

int main() {
  std::cout << "celsius fahrenheit\n" << std::fixed;
  double total = 0.0;
  int count = 0;
  for (int celsius = -10; celsius < 45; celsius += 10) {
    double fahrenheit = to_fahrenheit(celsius);
    std::cout << celsius << ' ' << std::setprecision(1) << fahrenheit << '\n';
    total += fahrenheit;
    ++count;
  }
  std::cout << "mean " << std::setprecision(3) << total / count << '\n';
}
