import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

public class Main {
    private static int[] primesBelow(int limit) {
        boolean[] isPrime = new boolean[limit];
        Arrays.fill(isPrime, true);
        isPrime[0] = false;
        isPrime[1] = false;
        for (int n = 2; n * n < limit; n++) {
            if (isPrime[n]) {
                for (int multiple = n * n; multiple < limit; multiple += n) {
                    isPrime[multiple] = false;
                }
            }
        }
        return IntStream.range(0, limit).filter(n -> isPrime[n]).toArray();
    }

    public static void main(String[] args) {
        int[] primes = primesBelow(60);
        System.out.printf("%d primes, the last is %d%n", primes.length, primes[primes.length - 1]);
        System.out.println(
                Arrays.stream(primes).mapToObj(String::valueOf).collect(Collectors.joining(" ")));
    }
}
