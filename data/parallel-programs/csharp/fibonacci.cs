using System;
using System.Collections.Generic;

public static class Program
{
    private static long Fibonacci(int n, Dictionary<int, long> cache)
    {
        if (n < 2)
        {
            return n;
        }
        if (!cache.ContainsKey(n))
        {
            cache[n] = Fibonacci(n - 1, cache) + Fibonacci(n - 2, cache);
        }
        return cache[n];
    }

    public static void Main()
    {
        var cache = new Dictionary<int, long>();
        for (int n = 0; n < 50; n += 7)
        {
            Console.WriteLine($"fibonacci({n}) = {Fibonacci(n, cache)}");
        }
    }
}
