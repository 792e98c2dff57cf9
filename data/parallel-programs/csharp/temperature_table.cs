using System;

public static class Program
{
    private static double ToFahrenheit(double celsius)
    {
        return celsius * 9.0 / 5.0 + 32.0;
    }

    public static void Main()
    {
        Console.WriteLine("celsius fahrenheit");
        double total = 0.0;
        int count = 0;
        for (int celsius = -10; celsius < 45; celsius += 10)
        {
            double fahrenheit = ToFahrenheit(celsius);
            Console.WriteLine($"{celsius} {fahrenheit:F1}");
            total += fahrenheit;
            count++;
        }
        Console.WriteLine($"mean {total / count:F3}");
    }
}
