using System;
using System.Text;

public static class Program
{
    private static readonly int[] Values = { 1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1 };

    private static readonly string[] Numerals =
    {
        "M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"
    };

    private static string ToRoman(int number)
    {
        var result = new StringBuilder();
        for (int index = 0; index < Values.Length; index++)
        {
            while (number >= Values[index])
            {
                result.Append(Numerals[index]);
                number -= Values[index];
            }
        }
        return result.ToString();
    }

    public static void Main()
    {
        foreach (int year in new[] { 4, 1066, 1492, 1987, 2024 })
        {
            Console.WriteLine($"{year} is {ToRoman(year)}");
        }
    }
}
