public class Main {
    private static int countBits(int number) {
        int count = 0;
        while (number != 0) {
            count += number & 1;
            number >>= 1;
        }
        return count;
    }

    private static boolean isPowerOfTwo(int number) {
        return number > 0 && (number & (number - 1)) == 0;
    }

    public static void main(String[] args) {
        for (int number : new int[] {0, 1, 64, 255, 1000}) {
            String answer = isPowerOfTwo(number) ? "yes" : "no";
            System.out.printf("%d: %d bits, power of two: %s%n", number, countBits(number), answer);
        }
        System.out.printf("%d %d %d %d%n", 6 ^ 3, 6 | 9, ~6 & 15, 1 << 10);
    }
}
