using System;

public static class Program
{
    private static int CountBits(int number)
    {
        int count = 0;
        while (number != 0)
        {
            count += number & 1;
            number >>= 1;
        }
        return count;
    }

    private static bool IsPowerOfTwo(int number)
    {
        return number > 0 && (number & (number - 1)) == 0;
    }

    public static void Main()
    {
        foreach (int number in new[] { 0, 1, 64, 255, 1000 })
        {
            string answer = IsPowerOfTwo(number) ? "yes" : "no";
            Console.WriteLine($"{number}: {CountBits(number)} bits, power of two: {answer}");
        }
        Console.WriteLine($"{6 ^ 3} {6 | 9} {~6 & 15} {1 << 10}");
    }
}
