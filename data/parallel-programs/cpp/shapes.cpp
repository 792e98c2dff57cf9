#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

class Shape {
 public:
  virtual ~Shape() = default;
  virtual double area() const = 0;
  virtual std::string name() const = 0;
};

class Rectangle : public Shape {
 public:
  Rectangle(double width, double height) : width_(width), height_(height) {}

  double area() const override { return width_ * height_; }
  std::string name() const override { return "rectangle"; }

 private:
  double width_;
  double height_;
};

class Triangle : public Shape {
 public:
  Triangle(double base, double height) : base_(base), height_(height) {}

  double area() const override { return base_ * height_ / 2; }
  std::string name() const override { return "triangle"; }

 private:
  double base_;
  double height_;
};

int main() {
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.push_back(std::make_unique<Rectangle>(3, 4));
  shapes.push_back(std::make_unique<Triangle>(5, 3));
  shapes.push_back(std::make_unique<Rectangle>(2, 2));
  double total = 0;
  std::cout << std::fixed << std::setprecision(2);
  for (const auto& shape : shapes) {
    std::cout << shape->name() << ": " << shape->area() << '\n';
    total += shape->area();
  }
  std::cout << "total: " << total << '\n';
}
