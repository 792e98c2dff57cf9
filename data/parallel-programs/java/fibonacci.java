import java.util.HashMap;
import java.util.Map;

public class Main {
    private static long fibonacci(int n, Map<Integer, Long> cache) {
        if (n < 2) {
            return n;
        }
        if (!cache.containsKey(n)) {
            cache.put(n, fibonacci(n - 1, cache) + fibonacci(n - 2, cache));
        }
        return cache.get(n);
    }

    public static void main(String[] args) {
        Map<Integer, Long> cache = new HashMap<>();
        for (int n = 0; n < 50; n += 7) {
            System.out.printf("fibonacci(%d) = %d%n", n, fibonacci(n, cache));
        }
    }
}
