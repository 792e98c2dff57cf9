from abc import ABC, abstractmethod


class Shape(ABC):
    @abstractmethod
    def area(self):
        pass

    @abstractmethod
    def name(self):
        pass


class Rectangle(Shape):
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def area(self):
        return self.width * self.height

    def name(self):
        return "rectangle"


class Triangle(Shape):
    def __init__(self, base, height):
        self.base = base
        self.height = height

    def area(self):
        return self.base * self.height / 2

    def name(self):
        return "triangle"


def main():
    shapes = [Rectangle(3, 4), Triangle(5, 3), Rectangle(2, 2)]
    total = 0
    for shape in shapes:
        print(f"{shape.name()}: {shape.area():.2f}")
        total += shape.area()
    print(f"total: {total:.2f}")


if __name__ == "__main__":
    main()
