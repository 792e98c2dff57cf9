using System;

public static class Program
{
    private static int[][] Multiply(int[][] left, int[][] right)
    {
        int rows = left.Length;
        int columns = right[0].Length;
        var product = new int[rows][];
        for (int row = 0; row < rows; row++)
        {
            product[row] = new int[columns];
            for (int column = 0; column < columns; column++)
            {
                int total = 0;
                for (int inner = 0; inner < right.Length; inner++)
                {
                    total += left[row][inner] * right[inner][column];
                }
                product[row][column] = total;
            }
        }
        return product;
    }

    public static void Main()
    {
        int[][] left = { new[] { 1, 2, 3 }, new[] { 4, 5, 6 } };
        int[][] right = { new[] { 7, 8 }, new[] { 9, 10 }, new[] { 11, 12 } };
        foreach (int[] row in Multiply(left, right))
        {
            Console.WriteLine(string.Join(", ", row));
        }
    }
}
