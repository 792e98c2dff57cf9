import java.util.Arrays;
import java.util.stream.Collectors;

public class Main {
    private static int[][] multiply(int[][] left, int[][] right) {
        int rows = left.length;
        int columns = right[0].length;
        int[][] product = new int[rows][columns];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                int total = 0;
                for (int inner = 0; inner < right.length; inner++) {
                    total += left[row][inner] * right[inner][column];
                }
                product[row][column] = total;
            }
        }
        return product;
    }

    public static void main(String[] args) {
        int[][] left = {{1, 2, 3}, {4, 5, 6}};
        int[][] right = {{7, 8}, {9, 10}, {11, 12}};
        for (int[] row : multiply(left, right)) {
            System.out.println(
                    Arrays.stream(row).mapToObj(String::valueOf).collect(Collectors.joining(", ")));
        }
    }
}
