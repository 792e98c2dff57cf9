import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;

public class Main {
    private static List<String> shortestPath(
            Map<String, List<String>> graph, String start, String goal) {
        Queue<String> queue = new ArrayDeque<>();
        queue.add(start);
        Map<String, String> cameFrom = new HashMap<>();
        cameFrom.put(start, null);
        while (!queue.isEmpty()) {
            String place = queue.remove();
            if (place.equals(goal)) {
                break;
            }
            for (String neighbour : graph.get(place)) {
                if (!cameFrom.containsKey(neighbour)) {
                    cameFrom.put(neighbour, place);
                    queue.add(neighbour);
                }
            }
        }
        if (!cameFrom.containsKey(goal)) {
            return null;
        }
        List<String> path = new ArrayList<>();
        String place = goal;
        while (place != null) {
            path.add(0, place);
            place = cameFrom.get(place);
        }
        return path;
    }

    public static void main(String[] args) {
        Map<String, List<String>> graph =
                Map.of(
                        "A", List.of("B", "C"),
                        "B", List.of("A", "D"),
                        "C", List.of("A", "D"),
                        "D", List.of("B", "C", "E"),
                        "E", List.of("D"),
                        "F", List.of());
        for (String goal : List.of("E", "A", "F")) {
            List<String> path = shortestPath(graph, "A", goal);
            if (path == null) {
                System.out.println("A to " + goal + ": no path");
            } else {
                System.out.println("A to " + goal + ": " + String.join(" ", path));
            }
        }
    }
}
