using System;
using System.Collections.Generic;
using System.Linq;

public static class Program
{
    private static Dictionary<string, int> CountWords(string text)
    {
        var counts = new Dictionary<string, int>();
        foreach (string word in text.ToLower().Split(' '))
        {
            counts.TryGetValue(word, out int count);
            counts[word] = count + 1;
        }
        return counts;
    }

    public static void Main()
    {
        string text = "The cat saw the dog and the dog saw the bird";
        Dictionary<string, int> counts = CountWords(text);
        foreach (string word in counts.Keys.OrderBy(key => key, StringComparer.Ordinal))
        {
            if (counts[word] > 1)
            {
                Console.WriteLine($"{word}: {counts[word]}");
            }
        }
        Console.WriteLine($"different words: {counts.Count}");
    }
}
