import java.util.List;

public class Main {
    public static void main(String[] args) {
        List<Shape> shapes = List.of(new Rectangle(3, 4), new Triangle(5, 3), new Rectangle(2, 2));
        double total = 0;
        for (Shape shape : shapes) {
            System.out.printf("%s: %.2f%n", shape.name(), shape.area());
            total += shape.area();
        }
        System.out.printf("total: %.2f%n", total);
    }
}

interface Shape {
    double area();

    String name();
}

class Rectangle implements Shape {
    private final double width;
    private final double height;

    Rectangle(double width, double height) {
        this.width = width;
        this.height = height;
    }

    @Override
    public double area() {
        return width * height;
    }

    @Override
    public String name() {
        return "rectangle";
    }
}

class Triangle implements Shape {
    private final double base;
    private final double height;

    Triangle(double base, double height) {
        this.base = base;
        this.height = height;
    }

    @Override
    public double area() {
        return base * height / 2;
    }

    @Override
    public String name() {
        return "triangle";
    }
}
