#include <iostream>
#include <sstream>
#include <stack>
#include <stdexcept>
#include <string>

int pop(std::stack<int>& stack) {
  if (stack.empty()) {
    throw std::invalid_argument("malformed expression");
  }
  int value = stack.top();
  stack.pop();
  return value;
}

int evaluate(const std::string& expression) {
  std::stack<int> stack;
  std::istringstream symbols(expression);
  std::string symbol;
  while (symbols >> symbol) {
    if (symbol == "+" || symbol == "-" || symbol == "*") {
      int right = pop(stack);
      int left = pop(stack);
      if (symbol == "+") {
        stack.push(left + right);
      } else if (symbol == "-") {
        stack.push(left - right);
      } else {
        stack.push(left * right);
      }
    } else {
      stack.push(std::stoi(symbol));
    }
  }
  return pop(stack);
}

int main() {
  for (const char* expression :
       {"3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"}) {
    std::cout << expression << " = " << evaluate(expression) << '\n';
  }
}
