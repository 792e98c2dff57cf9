#include <iostream>
#include <memory>
#include <string>
#include <utility>

struct Node {
  Node(int value, std::unique_ptr<Node> next_node)
      : value(value), next_node(std::move(next_node)) {}

  int value;
  std::unique_ptr<Node> next_node;
};

class LinkedList {
 public:
  void push(int value) {
    head_ = std::make_unique<Node>(value, std::move(head_));
  }

  void reverse() {
    std::unique_ptr<Node> previous;
    std::unique_ptr<Node> node = std::move(head_);
    while (node != nullptr) {
      std::unique_ptr<Node> following = std::move(node->next_node);
      node->next_node = std::move(previous);
      previous = std::move(node);
      node = std::move(following);
    }
    head_ = std::move(previous);
  }

  std::string describe() const {
    std::string result;
    const Node* node = head_.get();
    while (node != nullptr) {
      if (!result.empty()) {
        result += " -> ";
      }
      result += std::to_string(node->value);
      node = node->next_node.get();
    }
    return result;
  }

 private:
  std::unique_ptr<Node> head_;
};

int main() {
  LinkedList numbers;
  for (int value = 1; value < 6; ++value) {
    numbers.push(value);
  }
  std::cout << numbers.describe() << '\n';
  numbers.reverse();
  std::cout << numbers.describe() << '\n';
}
