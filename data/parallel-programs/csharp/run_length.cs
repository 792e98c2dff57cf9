using System;
using System.Text;

public static class Program
{
    private static string Encode(string text)
    {
        var result = new StringBuilder();
        int index = 0;
        while (index < text.Length)
        {
            int run = 1;
            while (index + run < text.Length && text[index + run] == text[index])
            {
                run++;
            }
            result.Append(text[index]).Append(run);
            index += run;
        }
        return result.ToString();
    }

    private static string Decode(string code)
    {
        var result = new StringBuilder();
        int index = 0;
        while (index < code.Length)
        {
            result.Append(code[index], code[index + 1] - '0');
            index += 2;
        }
        return result.ToString();
    }

    public static void Main()
    {
        foreach (string text in new[] { "aaabccdddd", "x", "zzzzzz" })
        {
            string code = Encode(text);
            bool same = Decode(code) == text;
            Console.WriteLine($"{text} becomes {code}, restored: {(same ? "yes" : "no")}");
        }
    }
}
