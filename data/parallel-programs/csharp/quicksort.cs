using System;

public static class Program
{
    private static void Swap(int[] items, int first, int second)
    {
        int saved = items[first];
        items[first] = items[second];
        items[second] = saved;
    }

    private static int Partition(int[] items, int low, int high)
    {
        int pivot = items[high];
        int border = low;
        for (int index = low; index < high; index++)
        {
            if (items[index] < pivot)
            {
                Swap(items, border, index);
                border++;
            }
        }
        Swap(items, border, high);
        return border;
    }

    private static void Quicksort(int[] items, int low, int high)
    {
        if (low < high)
        {
            int border = Partition(items, low, high);
            Quicksort(items, low, border - 1);
            Quicksort(items, border + 1, high);
        }
    }

    public static void Main()
    {
        int[] numbers = { 33, 4, 15, 8, 42, 16, 23, 4, 0, -7 };
        Quicksort(numbers, 0, numbers.Length - 1);
        Console.WriteLine(string.Join(" ", numbers));
    }
}
