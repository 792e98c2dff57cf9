using System;
using System.Collections.Generic;

public class Node
{
    public Node(int value, Node nextNode = null)
    {
        Value = value;
        NextNode = nextNode;
    }

    public int Value { get; }

    public Node NextNode { get; set; }
}

public class LinkedList
{
    private Node head;

    public void Push(int value)
    {
        head = new Node(value, head);
    }

    public void Reverse()
    {
        Node previous = null;
        Node node = head;
        while (node != null)
        {
            Node following = node.NextNode;
            node.NextNode = previous;
            previous = node;
            node = following;
        }
        head = previous;
    }

    public string Describe()
    {
        var parts = new List<string>();
        Node node = head;
        while (node != null)
        {
            parts.Add(node.Value.ToString());
            node = node.NextNode;
        }
        return string.Join(" -> ", parts);
    }
}

public static class Program
{
    public static void Main()
    {
        var numbers = new LinkedList();
        for (int value = 1; value < 6; value++)
        {
            numbers.Push(value);
        }
        Console.WriteLine(numbers.Describe());
        numbers.Reverse();
        Console.WriteLine(numbers.Describe());
    }
}
