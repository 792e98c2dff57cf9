import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;

public class Main {
    private static Map<String, Integer> countWords(String text) {
        Map<String, Integer> counts = new HashMap<>();
        for (String word : text.toLowerCase().split("\\s+")) {
            counts.put(word, counts.getOrDefault(word, 0) + 1);
        }
        return counts;
    }

    public static void main(String[] args) {
        String text = "The cat saw the dog and the dog saw the bird";
        Map<String, Integer> counts = countWords(text);
        for (String word : new TreeSet<>(counts.keySet())) {
            if (counts.get(word) > 1) {
                System.out.println(word + ": " + counts.get(word));
            }
        }
        System.out.println("different words: " + counts.size());
    }
}
