using System;
using System.Collections.Generic;

public static class Program
{
    private static List<string> ShortestPath(
        Dictionary<string, string[]> graph, string start, string goal)
    {
        var queue = new Queue<string>();
        queue.Enqueue(start);
        var cameFrom = new Dictionary<string, string> { [start] = null };
        while (queue.Count > 0)
        {
            string place = queue.Dequeue();
            if (place == goal)
            {
                break;
            }
            foreach (string neighbour in graph[place])
            {
                if (!cameFrom.ContainsKey(neighbour))
                {
                    cameFrom[neighbour] = place;
                    queue.Enqueue(neighbour);
                }
            }
        }
        if (!cameFrom.ContainsKey(goal))
        {
            return null;
        }
        var path = new List<string>();
        for (string place = goal; place != null; place = cameFrom[place])
        {
            path.Insert(0, place);
        }
        return path;
    }

    public static void Main()
    {
        var graph = new Dictionary<string, string[]>
        {
            ["A"] = new[] { "B", "C" },
            ["B"] = new[] { "A", "D" },
            ["C"] = new[] { "A", "D" },
            ["D"] = new[] { "B", "C", "E" },
            ["E"] = new[] { "D" },
            ["F"] = new string[] { },
        };
        foreach (string goal in new[] { "E", "A", "F" })
        {
            List<string> path = ShortestPath(graph, "A", goal);
            if (path == null)
            {
                Console.WriteLine($"A to {goal}: no path");
            }
            else
            {
                Console.WriteLine($"A to {goal}: {string.Join(" ", path)}");
            }
        }
    }
}
