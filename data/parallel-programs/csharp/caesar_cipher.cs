using System;
using System.Linq;

public static class Program
{
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz";

    private static char ShiftLetter(char letter, int distance)
    {
        int position = Alphabet.IndexOf(letter);
        if (position < 0)
        {
            return letter;
        }
        return Alphabet[(position + distance) % Alphabet.Length];
    }

    private static string Encode(string text, int distance)
    {
        return string.Concat(text.Select(letter => ShiftLetter(letter, distance)));
    }

    public static void Main()
    {
        string secret = Encode("attack at dawn, bring a zebra", 3);
        Console.WriteLine(secret);
        Console.WriteLine(Encode(secret, 26 - 3));
    }
}
