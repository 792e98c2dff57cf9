using System;

public abstract class Shape
{
    public abstract double Area();

    public abstract string Name();
}

public class Rectangle : Shape
{
    private readonly double width;
    private readonly double height;

    public Rectangle(double width, double height)
    {
        this.width = width;
        this.height = height;
    }

    public override double Area()
    {
        return width * height;
    }

    public override string Name()
    {
        return "rectangle";
    }
}

public class Triangle : Shape
{
    private readonly double baseLength;
    private readonly double height;

    public Triangle(double baseLength, double height)
    {
        this.baseLength = baseLength;
        this.height = height;
    }

    public override double Area()
    {
        return baseLength * height / 2;
    }

    public override string Name()
    {
        return "triangle";
    }
}

public static class Program
{
    public static void Main()
    {
        Shape[] shapes = { new Rectangle(3, 4), new Triangle(5, 3), new Rectangle(2, 2) };
        double total = 0;
        foreach (Shape shape in shapes)
        {
            Console.WriteLine($"{shape.Name()}: {shape.Area():F2}");
            total += shape.Area();
        }
        Console.WriteLine($"total: {total:F2}");
    }
}
