using System;
using System.Collections.Generic;
using System.Linq;

public static class Program
{
    private static int Evaluate(string expression)
    {
        var stack = new Stack<int>();
        foreach (string symbol in expression.Split(' '))
        {
            if (new[] { "+", "-", "*" }.Contains(symbol))
            {
                int right = stack.Pop();
                int left = stack.Pop();
                switch (symbol)
                {
                    case "+":
                        stack.Push(left + right);
                        break;
                    case "-":
                        stack.Push(left - right);
                        break;
                    default:
                        stack.Push(left * right);
                        break;
                }
            }
            else
            {
                stack.Push(int.Parse(symbol));
            }
        }
        return stack.Pop();
    }

    public static void Main()
    {
        foreach (string expression in new[] { "3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -" })
        {
            Console.WriteLine($"{expression} = {Evaluate(expression)}");
        }
    }
}
