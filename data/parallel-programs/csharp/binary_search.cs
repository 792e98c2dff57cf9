using System;

public static class Program
{
    private static int BinarySearch(int[] items, int target)
    {
        int low = 0;
        int high = items.Length - 1;
        while (low <= high)
        {
            int middle = low + (high - low) / 2;
            if (items[middle] == target)
            {
                return middle;
            }
            else if (items[middle] < target)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }
        return -1;
    }

    public static void Main()
    {
        int[] numbers = { 2, 3, 5, 7, 11, 13, 17, 19 };
        foreach (int target in new[] { 7, 2, 19, 4 })
        {
            int position = BinarySearch(numbers, target);
            if (position < 0)
            {
                Console.WriteLine($"{target} is missing");
            }
            else
            {
                Console.WriteLine($"{target} is at {position}");
            }
        }
    }
}
