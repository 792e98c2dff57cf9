using System;
using System.Collections.Generic;
using System.Linq;

public static class Program
{
    private static List<int> PrimesBelow(int limit)
    {
        bool[] isPrime = Enumerable.Repeat(true, limit).ToArray();
        isPrime[0] = false;
        isPrime[1] = false;
        for (int n = 2; n * n < limit; n++)
        {
            if (isPrime[n])
            {
                for (int multiple = n * n; multiple < limit; multiple += n)
                {
                    isPrime[multiple] = false;
                }
            }
        }
        return Enumerable.Range(0, limit).Where(n => isPrime[n]).ToList();
    }

    public static void Main()
    {
        List<int> primes = PrimesBelow(60);
        Console.WriteLine($"{primes.Count} primes, the last is {primes.Last()}");
        Console.WriteLine(string.Join(" ", primes));
    }
}
