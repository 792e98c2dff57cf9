#include <iostream>
#include <vector>

using Matrix = std::vector<std::vector<int>>;

Matrix multiply(const Matrix& left, const Matrix& right) {
  const std::size_t rows = left.size();
  const std::size_t columns = right[0].size();
  Matrix product(rows, std::vector<int>(columns));
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      int total = 0;
      for (std::size_t inner = 0; inner < right.size(); ++inner) {
        total += left[row][inner] * right[inner][column];
      }
      product[row][column] = total;
    }
  }
  return product;
}

int main() {
  const Matrix left = {{1, 2, 3}, {4, 5, 6}};
  const Matrix right = {{7, 8}, {9, 10}, {11, 12}};
  for (const auto& row : multiply(left, right)) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      std::cout << (column > 0 ? ", " : "") << row[column];
    }
    std::cout << '\n';
  }
}
